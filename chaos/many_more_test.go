//go:build chaos

package chaos

import "testing"

// TestManyMore has more than the process has room for: forty apps of 128 MiB, and three
// thousand small ones. Some sleep, and those that hold the most give way.
func TestManyMore(t *testing.T) { many(t, 40, 3000) }
