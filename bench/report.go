package main

import (
	"io"
	"time"
)

type report struct{}

func (l *lab) report(d time.Duration) report { return report{} }
func (r report) print(w io.Writer)           {}
func (r report) write(dir string) error      { return nil }
