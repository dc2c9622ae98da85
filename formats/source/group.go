package source

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wfs/formats/segment"
)

// group is several sources.
type group struct {
	segment.Literal // a group has no bytes of its own
	all             []Source
	path            string // its own, "" for the first's
	owns            bool   // it closes them
	newest          time.Time
	instant         bool
}

// grouped is a group of sources, of which there may be thousands: what is asked for with each
// request is found once.
func grouped(sources []Source) *group {
	g := &group{all: sources, instant: true}
	for _, s := range sources {
		if at := s.ModTime(); at.After(g.newest) {
			g.newest = at
		}
		g.instant = g.instant && Instant(s)
	}
	return g
}

// Group is the sources that something is made of, as one: it is as old as the newest of
// them, and stale when one of them is. Its name is that of the first. It closes none, and of
// one source it is that source.
func Group(sources ...Source) Source {
	var all []Source
	seen := map[Source]bool{} // sources has one for each tensor
	for _, s := range sources {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return grouped(all)
}

// Joined is a Group of what something by itself is made of, such as a directory of arrays. It
// has that path, and closes its sources. There is one, at least.
func Joined(path string, sources ...Source) Source {
	g := grouped(sources)
	g.path, g.owns = path, true
	return g
}

// Path implements Source.
func (g *group) Path() string {
	if g.path != "" {
		return g.path
	}
	return g.all[0].Path()
}

// Name implements Source.
func (g *group) Name() string {
	if g.path != "" {
		return filepath.Base(g.path)
	}
	return g.all[0].Name()
}

// ModTime implements Source.
func (g *group) ModTime() time.Time { return g.newest }

// Identity implements Source.
func (g *group) Identity() string {
	var all []string
	for _, s := range g.all {
		all = append(all, s.Identity())
	}
	return strings.Join(all, " ")
}

// Verify implements Source.
func (g *group) Verify() error {
	for _, s := range g.all {
		if err := s.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Source.
func (g *group) Close() error {
	if !g.owns {
		return nil
	}
	var errs []error
	for _, s := range g.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Instant implements PageCached.
func (g *group) Instant() bool { return g.instant }

// IsDistant reports whether bytes of a source, or of one of a group, are far away.
func IsDistant(s Source) bool {
	if g, ok := s.(*group); ok {
		return slices.ContainsFunc(g.all, IsDistant)
	}
	_, ok := s.(segment.Distant)
	return ok
}
