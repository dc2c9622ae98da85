package torch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// legacyMagic is the first of the pickles that torch wrote before 1.6
// (torch/serialization.py, MAGIC_NUMBER).
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

const legacyProtocol = 1001

// stream is a sequence of pickles in one file.
type stream struct {
	file segment.Data
	at   int64
	opt  pickle.Options
	// visit, where it is set, is told where each pickle begins.
	visit func(off int64)
}

// next loads the pickle at the stream's position and moves past it.
func (s *stream) next() (*pickle.Result, error) {
	if s.visit != nil {
		s.visit(s.at)
	}
	res, err := pickle.Load(s.file, s.at, s.file.Size(), s.opt)
	if err != nil {
		return nil, err
	}
	s.at = res.End
	return res, nil
}

// openLegacy reads magic, protocol version and system information, then the
// object, the storage keys, and the storages themselves: for each key an int64 count
// of elements and the elements, unaligned (torch/serialization.py, _legacy_load).
// Nothing but the counts is read of the storages.
// first is the already loaded pickle at the start of the file.
func openLegacy(file segment.Data, first *pickle.Result, opt pickle.Options) (pickle.Value, *resolver, error) {
	obj, storages, _, err := readLegacy(&stream{file: file, at: first.End, opt: opt})
	if err != nil {
		return nil, nil, err
	}
	r := newResolver(file, nil, storages.open, len(storages.at))
	r.inventory = make(map[string]int64, len(storages.at))
	for key, at := range storages.at {
		r.inventory[key] = at.N
	}

	return obj.Value, r, nil
}

// readLegacy reads all after the magic number. end is where the file should end.
func readLegacy(s *stream) (root *pickle.Result, storages *legacyTable, end int64, err error) {
	version, err := s.next()
	if err != nil {
		return nil, nil, 0, err
	}
	if n, _ := integer(version.Value); n != legacyProtocol {
		return nil, nil, 0, fmt.Errorf("legacy torch file of version %d, wfs reads %d", n, legacyProtocol)
	}
	if _, err := s.next(); err != nil { // system information: the reader of torch ignores it
		return nil, nil, 0, err
	}
	obj, err := s.next()
	if err != nil {
		return nil, nil, 0, err
	}
	keys, err := s.next()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("storage keys: %w", err)
	}
	storages, err = legacyStorages(s, obj, keys.Value)
	return obj, storages, s.at, err
}

// LegacyEnd walks a legacy file, whose first pickle is the magic number, and returns where
// its storages end.
func LegacyEnd(file segment.Data) (int64, error) {
	s := &stream{file: file}
	if _, err := s.next(); err != nil {
		return 0, err
	}
	_, _, end, err := readLegacy(s)
	return end, err
}

// legacyTable is where the storages of a legacy file lie.
type legacyTable struct {
	file segment.Data
	at   map[string]segment.Range
}

// legacyStorages walks the storages. How long one is says its persistent id,
// because the elements' size depends on the class.
func legacyStorages(s *stream, obj *pickle.Result, keys pickle.Value) (*legacyTable, error) {
	list, ok := items(keys)
	if !ok {
		return nil, errors.New("the list of storage keys is missing")
	}
	elem := map[string]int64{}
	for _, id := range obj.PersIDs {
		ref, err := storageID(id.ID)
		if _, isText := text(id.ID); isText {
			return nil, err
		}
		if err != nil {
			continue // a module's source, or what the tensor that uses it will report
		}
		elem[ref.key] = elemSize(ref.dtype)
	}
	t := &legacyTable{file: s.file, at: make(map[string]segment.Range, len(list))}
	for _, k := range list {
		key, ok := text(k)
		if n, isInt := integer(k); isInt {
			key, ok = fmt.Sprint(n), true
		}
		size, known := elem[key]
		if !ok || !known {
			return nil, fmt.Errorf("storage key %q is used by no tensor", key)
		}
		var head [8]byte
		if err := segment.ReadFull(s.file, head[:], s.at); err != nil {
			return nil, fmt.Errorf("storage %s: %w", key, err)
		}
		count := int64(binary.LittleEndian.Uint64(head[:]))
		s.at += 8
		if count < 0 || count > (s.file.Size()-s.at)/size {
			return nil, fmt.Errorf("storage %s claims %d elements of %d bytes, %d bytes are left", key, count, size, s.file.Size()-s.at)
		}
		t.at[key] = segment.Range{Src: s.file, Off: s.at, N: count * size}
		s.at += count * size
	}
	return t, nil
}

// open resolves a persistent id. A view names its root's key, and the part of it
// in elements (files of torch 0.1 to 0.3).
func (t *legacyTable) open(ref storageRef) (*storage, error) {
	at, ok := t.at[ref.key]
	if !ok {
		if ref.count == 0 {
			return &storage{data: segment.Literal(nil), dtype: ref.dtype, id: ref.key, key: ref.key}, nil
		}
		return nil, fmt.Errorf("storage %s is missing", ref.key)
	}
	size := elemSize(ref.dtype)
	s := &storage{dtype: ref.dtype, id: ref.key, key: ref.key}
	if v := ref.view; v != nil {
		if v.offset > at.N/size || v.count > at.N/size-v.offset {
			return nil, fmt.Errorf("storage %s: its view of %d elements at %d is larger than it", ref.key, v.count, v.offset)
		}
		at.Off, at.N = at.Off+v.offset*size, v.count*size
		s.id += fmt.Sprintf("+%d", v.offset)
	} else if want, err := checkpoint.ByteSize(ref.dtype, []int64{ref.count}); err != nil || want != at.N {
		return nil, fmt.Errorf("storage %s has %d bytes, its tensors claim %d elements of %s", ref.key, at.N, ref.count, ref.dtype)
	}
	s.data = &at
	return s, nil
}

// nestedOptions bound a file inside a pickle while the pickle's own values are held: it
// is one storage, or one tensor.
var nestedOptions = pickle.Options{MaxMemory: 8 << 20}

// IsLegacy reports whether the file begins with the pickle of the magic number alone.
func IsLegacy(file segment.Data) bool {
	first, err := pickle.Load(file, 0, min(file.Size(), legacyHead), pickle.Options{MaxMemory: 1 << 16})
	return err == nil && isLegacyMagic(first.Value)
}

// legacyHead is more than the pickle of the magic number takes in any protocol.
const legacyHead = 64

func isLegacyMagic(v pickle.Value) bool {
	n, ok := v.(*big.Int)
	return ok && n.Cmp(legacyMagic) == 0
}

// noStorages is for a plain pickle: its tensors bring their own bytes.
func noStorages(ref storageRef) (*storage, error) {
	return nil, fmt.Errorf("storage %s is not in the file", ref.key)
}
