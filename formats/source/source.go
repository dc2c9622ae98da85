// Package source is where bytes come from: a pinned run of bytes with a name and an
// identity, and a directory of them. Readers take these and never a path, so that a
// remote source needs no second reader.
//
// A source is pinned when it is opened: a read that could be wrong, because the file was
// truncated or rewritten since, is an error and never a zero or another file's bytes.
package source

import (
	"errors"
	"time"

	"wfs/formats/segment"
)

// ErrStale says that the source was changed after it was opened. It maps to ESTALE.
var ErrStale = errors.New("the source was changed after it was opened")

// Source is one run of bytes that weights are read from, safe for concurrent use. Bytes
// that were there when it was opened and are gone give ErrStale. One whose reads can be
// given up implements segment.Cancellable.
type Source interface {
	segment.Data
	// Path is how the user named the source, for messages.
	Path() string
	// Name is the last element of the path.
	Name() string
	// ModTime is the modification time that the source had when it was opened.
	ModTime() time.Time
	// Identity tells what the source is pinned to: two sources with the same identity
	// have the same bytes.
	Identity() string
	// Verify reports ErrStale when the bytes may be others than when the source was opened.
	Verify() error
	Close() error
}

// PageCached is a source whose bytes the system may have in memory.
type PageCached interface {
	Source
	segment.Cached
	// Instant reports whether ReadCached and Verify never wait for a device or another machine.
	Instant() bool
}

// Instant reports whether what is in memory of a source can be read without waiting.
func Instant(s Source) bool {
	c, ok := s.(PageCached)
	return ok && c.Instant()
}
