//go:build !race

package app_test

import "time"

const (
	soakRequests = 200_000
	loadApps     = 10 * time.Second
	mostAnApp    = 3.0 // MB
	manyApps     = 2000
	streamRoom   = 64 << 20 // bytes
	mostAsleep   = 10 << 10 // bytes
)
