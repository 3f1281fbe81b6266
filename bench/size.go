package main

import "time"

// size says how much is done: for figures, or to see that it can be done.
type size struct {
	rounds int
	turn   time.Duration
	count  int     // requests a turn at most; 0: as many as fit
	warm   int     // turns before the first that counts
	rate   float64 // of paced turns; 0: half of what the slowest stack does

	apps     int // that are hit evenly
	bootApps int // that there are from start to first answer
	cold     int // cold starts a stack
	known    int // apps, of which hot are in use
	hot      int
	samples  int           // processes that stand for one an app
	calm     time.Duration // how long a turn at a fixed rate takes, with and without reloads
}

func fullSize() size {
	return size{
		rounds: 7, turn: time.Second, warm: 1,
		apps: 100, bootApps: 300, cold: 15, known: 1000, hot: 20, samples: 10, calm: 2 * time.Second,
	}
}

func shortSize() size {
	return size{
		rounds: 1, turn: 5 * time.Second, count: 200, rate: 500,
		apps: 5, bootApps: 5, cold: 1, known: 10, hot: 2, samples: 2, calm: time.Second,
	}
}
