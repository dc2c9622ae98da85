package hdf5

import (
	"io"
	"sync"
	"sync/atomic"
)

// Options are the bounds of a File. The zero value is good.
type Options struct {
	// Cache holds decoded chunks. Share one among all files of a mount; nil gives
	// the file one of its own with DefaultCacheSize.
	Cache *ChunkCache
	// MaxChunk is the largest chunk that is decoded, in bytes; 0 means
	// DefaultMaxChunk. Datasets with larger ones are unsupported, by their reason.
	MaxChunk int64
	// MaxObjects is how many links Walk follows before it gives up; 0 means
	// DefaultMaxObjects.
	MaxObjects int

	// anyChecksum lets structures pass whose checksum is wrong: tests that damage
	// files would never get past it.
	anyChecksum bool
}

// Defaults of Options.
const (
	DefaultMaxChunk   = 1 << 30
	DefaultMaxObjects = 1 << 20
)

// File is an open HDF5 file. It keeps no more than a few fields, the chunk indexes
// of the datasets that were read, and its place in the chunk cache. It is safe for
// concurrent use.
type File struct {
	r    io.ReaderAt
	size int64
	base int64 // offset of the superblock; addresses count from here
	opt  Options

	offsetSize int // bytes of an address
	lengthSize int // bytes of a length
	groupK     int // B-tree v1 nodes of groups have up to 2K children
	root       uint64
	sohm       []sharedIndex
	image      *cacheImage // nil if there is none
	leftOpen   bool

	indexes flight[uint64, *chunkIndex] // by address of the dataset's object header
	loaded  sync.Map                    // the same, once loaded
	entries atomic.Int64                // of all loaded indexes together
}

// Open reads the superblock. The error is ErrNotHDF5, a *FormatError, or the
// reader's own.
func Open(r io.ReaderAt, size int64, opt Options) (*File, error) {
	if opt.Cache == nil {
		opt.Cache = NewChunkCache(DefaultCacheSize)
	}
	if opt.MaxChunk <= 0 {
		opt.MaxChunk = DefaultMaxChunk
	}
	if opt.MaxObjects <= 0 {
		opt.MaxObjects = DefaultMaxObjects
	}
	f := &File{r: r, size: size, opt: opt}
	if err := f.readSuperblock(); err != nil {
		return nil, err
	}
	return f, nil
}

// LeftOpen reports whether the file says that a program has it open for writing: it runs
// still, or ended without closing the file. What was written last may be missing, or
// there in part. The library refuses such files.
func (f *File) LeftOpen() bool { return f.leftOpen }

// Root is the root group.
func (f *File) Root() (*Group, error) {
	m := f.metadata(f.everything())
	o, err := m.object(f.root)
	if err != nil {
		return nil, err
	}
	g, ok := o.(*Group)
	if !ok {
		return nil, &FormatError{f.offset(f.root), "root object: not a group"}
	}
	return g, nil
}
