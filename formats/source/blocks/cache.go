package blocks

import (
	"cmp"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"wfs/formats/internal/lru"
)

const (
	// DefaultMemory is the bytes of blocks that a process keeps in memory. What is fetched
	// ahead of the readers of a mount, 64 MiB at most, has to find room in it.
	DefaultMemory = 96 << 20
	// DefaultDisk is the bytes that are kept on the disk.
	DefaultDisk = 10 << 30
	// looks is how often the disk is looked at: when a process has written one part in so many
	// of what may be kept. Several processes may keep that much more for a while.
	looks = 32
	// fullFor is how long a disk without room is left alone.
	fullFor = 30 * time.Second
)

// Options are those of a cache.
type Options struct {
	Memory int64  // bytes, DefaultMemory for 0
	Dir    string // the directory on the disk, "" for none; it is made
	Disk   int64  // bytes, DefaultDisk for 0
	// Warn is told once that nothing is kept on the disk any more, and why.
	Warn func(error)
}

// Cache keeps blocks. Any number of files use one, and any number of processes one directory.
type Cache struct {
	opt   Options
	slots chan struct{} // requests that are under way, of all files

	requests, fetched atomic.Int64

	memory  lru.Shared[key, byte]
	disk    slabs
	writing sync.Mutex // guards what follows
	written int64      // since the disk was looked at
	full    time.Time  // until then nothing is written
	looked  bool
	failed  bool
}

// key is that of a block.
type key struct {
	id    ID
	block int64
}

// maxRequests is how many requests are under way at once, of all files of a cache.
const maxRequests = 32

// New makes a cache. A directory that cannot be made is one that is done without: Warn is told.
func New(opt Options) *Cache {
	opt.Disk = cmp.Or(opt.Disk, DefaultDisk)
	c := &Cache{opt: opt, slots: make(chan struct{}, maxRequests)}
	c.memory.Limit = cmp.Or(opt.Memory, DefaultMemory)
	if opt.Dir != "" {
		c.disk.dir = filepath.Join(opt.Dir, "blocks")
		if err := os.MkdirAll(c.disk.dir, 0o700); err != nil {
			c.fail(err)
		}
	}
	return c
}

// Fetched is how many requests were made of all files, and the bytes that came.
func (c *Cache) Fetched() (requests, bytes int64) { return c.requests.Load(), c.fetched.Load() }

// fail ends writing to the disk.
func (c *Cache) fail(err error) {
	c.writing.Lock()
	first := !c.failed
	c.failed = true
	c.writing.Unlock()
	if first && c.opt.Warn != nil {
		c.opt.Warn(err)
	}
}

// load is a block of n bytes that is on the disk.
func (c *Cache) load(k key, n int) ([]byte, bool) {
	if c.disk.dir == "" {
		return nil, false
	}
	data, err := c.disk.read(k.id, k.block, n)
	return data, err == nil // whatever is wrong with it, the block can be had from afar
}

// store puts a block onto the disk, where there is room.
func (c *Cache) store(k key, data []byte) {
	if !c.room(int64(len(data))) {
		return
	}
	if err := c.disk.write(k.id, k.block, data); err != nil && !os.IsNotExist(err) { // evicted meanwhile
		c.fail(err)
	}
}

// room reports whether n bytes more may be written, and evicts for them.
func (c *Cache) room(n int64) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.disk.dir == "" || c.failed || time.Now().Before(c.full) {
		return false
	}
	c.written += n
	if c.looked && c.written < c.opt.Disk/looks {
		return true
	}
	c.looked, c.written = true, n
	room, err := c.disk.trim(c.opt.Disk - c.opt.Disk/looks)
	if err != nil || !room {
		c.full = time.Now().Add(fullFor)
		return false
	}
	return true
}

// A note is what is known of a source beside its bytes, such as what its name was pinned to:
// without it no block could be found where the source cannot be asked.

const noteSuffix = ".note"

func (c *Cache) notePath(name string) string {
	id := IdentityOf(name)
	return filepath.Join(c.disk.dir, hex.EncodeToString(id[:])+noteSuffix)
}

// SetNote keeps a note under a name, where there is a directory.
func (c *Cache) SetNote(name string, text []byte) {
	if !c.room(int64(len(text))) {
		return
	}
	err := c.disk.make(func(f *os.File) error {
		_, err := f.Write(text)
		return err
	}, func(made string) error { return os.Rename(made, c.notePath(name)) })
	if err != nil {
		c.fail(err)
	}
}

// maxNote bounds a note: the listing of a repository of 100 000 files has 20 MB.
const maxNote = 64 << 20

// Note is what was kept under a name, and when; nil where nothing was.
func (c *Cache) Note(name string) (text []byte, written time.Time) {
	if c.disk.dir == "" {
		return nil, time.Time{}
	}
	path := c.notePath(name)
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxNote {
		return nil, time.Time{}
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, time.Time{}
	}
	return text, info.ModTime()
}
