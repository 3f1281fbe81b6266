package load

import (
	"math/bits"
	"time"
)

// Each power of two of nanoseconds has 1<<subBits buckets: 1.6 % of the value.
const (
	subBits = 6
	buckets = (64 - subBits) << subBits
)

// A Histogram counts latencies. The zero value is empty. It is not safe for
// concurrent use.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
}

func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - subBits - 1
	return shift<<subBits + int(ns>>shift)
}

// bucketMiddle is the middle of the values that share a bucket.
func bucketMiddle(i int) uint64 {
	if i < 1<<(subBits+1) {
		return uint64(i)
	}
	shift := i>>subBits - 1
	low := uint64(i-shift<<subBits) << shift
	return low + 1<<shift/2
}

// Add counts one latency; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

// Count returns how many latencies were added.
func (h *Histogram) Count() int { return int(h.total) }

// Quantile returns the latency that a share q (0 to 1) of all don't exceed; 0
// if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.total)+0.5), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(bucketMiddle(i))
		}
	}
	return time.Duration(bucketMiddle(buckets - 1))
}
