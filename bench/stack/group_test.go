package stack

import (
	"testing"
	"time"
)

func TestGroups(t *testing.T) {
	s, err := Go.Start(t.Context(), testTools(t), Spec{Dir: t.TempDir(), Apps: []App{{Name: "hello", Host: "hello.test"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	groups, err := s.Groups()
	if err != nil {
		t.Fatal(err)
	}
	// The shell alone is smaller than the test binary, which it has started.
	if len(groups) != 1 || groups[0].Name != "go hello" || groups[0].Gone || groups[0].RSS < 4<<20 {
		t.Errorf("the groups are %+v; want one that runs, with its child", groups)
	}
	if err := s.Kill("another"); err == nil {
		t.Error("a process that the stack doesn't have was ended")
	}
	if err := s.Kill("go hello"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !groups[0].Gone; {
		if time.Now().After(deadline) {
			t.Fatalf("the groups are %+v; want one that is gone", groups)
		}
		if groups, err = s.Groups(); err != nil {
			t.Fatal(err)
		}
	}
	if groups[0].RSS != 0 {
		t.Errorf("what is gone holds %d bytes", groups[0].RSS)
	}
}
