//go:build chaos

package chaos

import (
	"testing"
	"time"
)

// TestFairStrict: with one app burning all that it is let, another's p99 stays under five
// times its quiet one, and its throughput over 40 % of what it gets alone.
func TestFairStrict(t *testing.T) {
	fair(t, fairness{slower: 5, within: 5 * time.Millisecond, share: 0.4, rounds: 5, during: 3 * time.Second})
}
