package source

import (
	"path"
	"time"

	"wfs/formats/segment"
)

// Memory is a source whose bytes are at hand: held in memory, or a part of another source.
type Memory struct {
	segment.Data
	path   string
	origin Source // nil where there is none
}

// NewMemory makes a source of data under the name path. Where it was taken from origin,
// which may be nil, it is as old as that and changes when that does.
func NewMemory(path string, data segment.Data, origin Source) *Memory {
	return &Memory{data, path, origin}
}

// Path implements Source.
func (m *Memory) Path() string { return m.path }

// Name implements Source.
func (m *Memory) Name() string { return path.Base(m.path) }

// ModTime implements Source.
func (m *Memory) ModTime() time.Time {
	if m.origin == nil {
		return time.Time{}
	}
	return m.origin.ModTime()
}

// Identity implements Source.
func (m *Memory) Identity() string {
	if m.origin == nil {
		return m.path
	}
	return m.origin.Identity() + "/" + m.path
}

// Verify implements Source.
func (m *Memory) Verify() error {
	if m.origin == nil {
		return nil
	}
	return m.origin.Verify()
}

// Close implements Source. The origin stays open.
func (m *Memory) Close() error { return nil }
