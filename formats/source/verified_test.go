package source

import (
	"errors"
	"slices"
	"testing"
	"time"

	"wfs/formats/segment"
)

// counted is a source that counts how often it is verified, and may be stale.
type counted struct {
	*Memory
	asked int
	stale bool
	made  time.Time
}

func (c *counted) ModTime() time.Time { return c.made }

func (c *counted) Verify() error {
	if c.asked++; c.stale {
		return ErrStale
	}
	return nil
}

// TestVerifyRead asks the sources that bytes come from, and all of them where nobody can tell.
func TestVerifyRead(t *testing.T) {
	parts := []*counted{}
	for i := range 3 {
		parts = append(parts, &counted{Memory: NewMemory("x", segment.Literal("0123456789"), nil), made: time.Unix(int64(10-i%2), 0)})
	}
	g := Joined("dir", parts[0], parts[1], parts[2])
	list := func(parts ...segment.Data) segment.Data {
		l, err := segment.NewList(parts...)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	view := list(segment.Literal("head"), segment.NewRange(parts[0], 0, 10), segment.NewRange(parts[1], 2, 4), segment.NewRange(parts[1], 6, 4), segment.NewRange(parts[2], 0, 10))
	var turns []segment.Data
	for i := range 20 {
		turns = append(turns, segment.NewRange(parts[i%2], 0, 1))
	}
	for _, c := range []struct {
		name   string
		data   segment.Data
		off, n int64
		want   []int
	}{
		{"a header", view, 0, 4, []int{1, 1, 1}},
		{"a header and the first", view, 0, 5, []int{1, 0, 0}},
		{"the middle", view, 14, 8, []int{0, 1, 0}},
		{"over a border", view, 21, 2, []int{0, 1, 1}},
		{"all of it", view, 0, 32, []int{1, 1, 1}},
		{"more than it", view, 30, 99, []int{0, 0, 1}},
		{"past the end", view, 32, 1, []int{1, 1, 1}},
		{"what is made", segment.Swap(parts[0], 2), 0, 2, []int{1, 1, 1}},
		{"two in turns", list(turns...), 0, 20, []int{3, 3, 1}},
	} {
		for _, p := range parts {
			p.asked = 0
		}
		err := VerifyRead(g, c.data, c.off, c.n)
		if got := []int{parts[0].asked, parts[1].asked, parts[2].asked}; err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v were asked, %v", c.name, got, err)
		}
	}
	parts[1].stale = true
	if err := VerifyRead(g, view, 20, 4); !errors.Is(err, ErrStale) {
		t.Errorf("bytes of a source that was changed: %v", err)
	}
	if err := VerifyRead(g, view, 4, 10); err != nil {
		t.Errorf("bytes of another: %v", err)
	}
	if err := VerifyRead(g, view, 0, 1); !errors.Is(err, ErrStale) {
		t.Errorf("the header: %v", err)
	}
	if err := VerifyRead(parts[1], parts[0], 0, 1); !errors.Is(err, ErrStale) {
		t.Errorf("a source by itself: %v", err)
	}
	if !g.ModTime().Equal(time.Unix(10, 0)) || Instant(g) {
		t.Errorf("it is of %v, instant: %v", g.ModTime(), Instant(g))
	}
}
