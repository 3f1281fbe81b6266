package load

import (
	"testing"
	"time"
)

func TestBucketsAreExactEnough(t *testing.T) {
	for ns := uint64(1); ns < 1<<40; ns = ns*9/8 + 1 {
		got := bucketMiddle(bucketOf(ns))
		if diff := float64(got) - float64(ns); diff > 0.016*float64(ns) || -diff > 0.016*float64(ns) {
			t.Errorf("%d ns is counted as %d ns", ns, got)
		}
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	last := -1
	for ns := uint64(0); ns < 1<<14; ns++ {
		i := bucketOf(ns)
		if i < last || i > last+1 {
			t.Fatalf("bucket of %d ns is %d, that of the value below is %d", ns, i, last)
		}
		last = i
	}
	if i := bucketOf(1<<63 - 1); i >= buckets {
		t.Errorf("bucket of the longest duration is %d of %d", i, buckets)
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("median of nothing is %v, want 0", got)
	}
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Millisecond}, {0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {1, time.Second}} {
		got := h.Quantile(test.q)
		if diff := (got - test.want).Abs(); diff > test.want/60 {
			t.Errorf("quantile %v is %v, want %v", test.q, got, test.want)
		}
	}
}
