//go:build race

package app_test

import "time"

// The race detector multiplies time and memory; the figures are proven without it.
const (
	soakRequests = 20_000
	loadApps     = 60 * time.Second
	mostAnApp    = 12.0 // MB
	manyApps     = 200
	streamRoom   = 192 << 20 // bytes
	mostAsleep   = 30 << 10  // bytes
)
