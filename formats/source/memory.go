package source

import (
	"path"
	"time"

	"wfs/formats/segment"
)

// Memory is a source whose bytes are at hand: a member of a file, or a file in a test.
type Memory struct {
	segment.Data
	path     string
	modTime  time.Time
	identity string
}

// NewMemory makes a source of data, which never changes, under the name path. Its identity
// is that of origin, what it was taken from, which may be nil.
func NewMemory(path string, data segment.Data, origin Source) *Memory {
	m := &Memory{Data: data, path: path, identity: path}
	if origin != nil {
		m.modTime, m.identity = origin.ModTime(), origin.Identity()+"/"+path
	}
	return m
}

// Path implements Source.
func (m *Memory) Path() string { return m.path }

// Name implements Source.
func (m *Memory) Name() string { return path.Base(m.path) }

// ModTime implements Source.
func (m *Memory) ModTime() time.Time { return m.modTime }

// Identity implements Source.
func (m *Memory) Identity() string { return m.identity }

// Verify implements Source.
func (m *Memory) Verify() error { return nil }

// Close implements Source.
func (m *Memory) Close() error { return nil }
