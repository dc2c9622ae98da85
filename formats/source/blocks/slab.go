package blocks

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"
)

// A slab is a file of the cache with up to perSlab blocks of one file that is far away:
//
//	0     magic, and the identity that the blocks belong to
//	4096  an entry of 16 bytes for each block
//	8192  the blocks, each at its place; those that are not there are a hole
//
// An entry has two checksums of the block and its length. It is written after the block, and
// belongs to that block at that place alone, so that whatever is left of a write that was cut,
// of a machine that lost power or of a disk that fails is a block that is not there. Several
// processes write the same bytes to the same places.
const (
	perSlab    = 64
	slabMagic  = "wfs blocks 1\n"
	tableStart = 4096
	dataStart  = 8192
	entryLen   = 16
	slabSuffix = ".slab"
)

// ID is what the blocks of a file are kept by.
type ID [sha256.Size]byte

// IdentityOf makes an ID of an identity: one of other bytes gives another.
func IdentityOf(identity string) ID { return sha256.Sum256([]byte(identity)) }

// slabs is a directory of them.
type slabs struct{ dir string }

func (s slabs) path(id ID, slab int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%d%s", hex.EncodeToString(id[:]), slab, slabSuffix))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is that of a block in the table of its slab.
func entry(id ID, block int64, data []byte) (e [entryLen]byte) {
	var place [sha256.Size + 8]byte
	copy(place[:], id[:])
	binary.LittleEndian.PutUint64(place[sha256.Size:], uint64(block))
	binary.LittleEndian.PutUint32(e[0:], crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, data))
	binary.LittleEndian.PutUint32(e[4:], crc32.Update(crc32.ChecksumIEEE(place[:]), crc32.IEEETable, data))
	binary.LittleEndian.PutUint32(e[8:], uint32(len(data)))
	copy(e[12:], "blok")
	return e
}

// errNoBlock says that a block is not there, or not whole.
var errNoBlock = errors.New("no such block")

// useInterval is how often the time of a slab that is read is set: eviction goes by it.
const useInterval = time.Minute

// read is the block of n bytes, or an error: of the disk, or that it is not there.
func (s slabs) read(id ID, block int64, n int) ([]byte, error) {
	path := s.path(id, block/perSlab)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var has [entryLen]byte
	i := block % perSlab
	if _, err := f.ReadAt(has[:], tableStart+i*entryLen); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(has[8:]) != uint32(n) {
		return nil, errNoBlock
	}
	data := make([]byte, n)
	if _, err := f.ReadAt(data, dataStart+i*Size); err != nil {
		return nil, err
	}
	if entry(id, block, data) != has {
		return nil, errNoBlock
	}
	if info, err := f.Stat(); err == nil && time.Since(info.ModTime()) > useInterval {
		now := time.Now()
		os.Chtimes(path, now, now) // for eviction alone
	}
	return data, nil
}

// write puts a block into its slab, which is made where it is missing.
func (s slabs) write(id ID, block int64, data []byte) error {
	f, err := s.open(id, block/perSlab)
	if err != nil {
		return err
	}
	i := block % perSlab
	_, err = f.WriteAt(data, dataStart+i*Size)
	if err == nil {
		e := entry(id, block, data)
		_, err = f.WriteAt(e[:], tableStart+i*entryLen)
	}
	return errors.Join(err, f.Close())
}

// open opens a slab to write. One that is new has its table before it has its name, and of
// several that are made at once one gets it.
func (s slabs) open(id ID, slab int64) (*os.File, error) {
	path := s.path(id, slab)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	err = s.make(func(f *os.File) error {
		if _, err := f.WriteString(slabMagic + hex.EncodeToString(id[:]) + "\n"); err != nil {
			return err
		}
		return f.Truncate(dataStart)
	}, func(made string) error {
		err := os.Link(made, path)
		if err == nil || errors.Is(err, os.ErrExist) {
			return nil
		}
		return os.Rename(made, path) // a file system without links: what another wrote is lost
	})
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR, 0)
}

// newSuffix is that of a file that is being written, or that a process which died left.
const newSuffix = ".new"

// make writes a file, for this user alone, and calls name when it is whole.
func (s slabs) make(write func(*os.File) error, name func(made string) error) error {
	f, err := os.CreateTemp(s.dir, "*"+newSuffix)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = name(f.Name())
	}
	os.Remove(f.Name()) // not there where it was renamed
	return err
}
