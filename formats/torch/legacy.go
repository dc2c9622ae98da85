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
	r := newResolver(file, nil, nil, fewStorages)
	root, storages, _, err := readLegacy(&stream{file: file, at: first.End, opt: opt}, r.compact)
	if err != nil {
		return nil, nil, err
	}
	r.resolve, r.count, r.inventory = storages.open, len(storages.at), storages.sizes
	return root, r, nil
}

// fewStorages is for when it is not known yet how many there are.
const fewStorages = 1 << 10

// readLegacy reads all after the magic number. end is where the file should end.
func readLegacy(s *stream, compact func(callable, args pickle.Value) pickle.Compact) (root pickle.Value, storages *legacyTable, end int64, err error) {
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
	var widths legacyWidths
	usual := s.opt
	s.opt.Compact, s.opt.PersID = compact, widths.add
	obj, err := s.next()
	if err != nil {
		return nil, nil, 0, err
	}
	s.opt = usual
	keys, err := s.next()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("storage keys: %w", err)
	}
	storages, err = legacyStorages(s, &widths, keys.Value)
	return obj.Value, storages, s.at, err
}

// legacyWidths is the bytes of an element for each storage key, which the persistent ids of
// the object tell.
type legacyWidths struct {
	of  map[string]int64
	err error
}

func (w *legacyWidths) add(id *pickle.PersID) {
	ref, err := storageID(id.ID)
	if _, isText := text(id.ID); isText && w.err == nil {
		w.err = err
	}
	if err != nil {
		return // a module's source, or what the tensor that uses it will report
	}
	if w.of == nil {
		w.of = map[string]int64{}
	}
	w.of[ref.key] = elemSize(ref.dtype)
}

// LegacyEnd walks a legacy file, whose first pickle is the magic number, and returns where
// its storages end.
func LegacyEnd(file segment.Data) (int64, error) {
	s := &stream{file: file}
	if _, err := s.next(); err != nil {
		return 0, err
	}
	_, _, end, err := readLegacy(s, nil)
	return end, err
}

// legacyTable is where the storages of a legacy file lie.
type legacyTable struct {
	file segment.Data
	at   map[string]legacyStorage
	// sizes is the bytes of each, by its number.
	sizes []int64
}

// legacyStorage is a storage, and one more than its place among them.
type legacyStorage struct {
	segment.Range
	number int
}

// legacyStorages walks the storages. How long one is says its persistent id,
// because the elements' size depends on the class.
func legacyStorages(s *stream, widths *legacyWidths, keys pickle.Value) (*legacyTable, error) {
	list, ok := items(keys)
	if !ok {
		return nil, errors.New("the list of storage keys is missing")
	}
	if widths.err != nil {
		return nil, widths.err
	}
	t := &legacyTable{file: s.file, at: make(map[string]legacyStorage, len(list))}
	for _, k := range list {
		key, ok := text(k)
		if n, isInt := integer(k); isInt {
			key, ok = fmt.Sprint(n), true
		}
		size, known := widths.of[key]
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
		number := len(t.sizes) + 1
		if known, again := t.at[key]; again { // the last one counts
			number = known.number
			t.sizes[number-1] = count * size
		} else {
			t.sizes = append(t.sizes, count*size)
		}
		t.at[key] = legacyStorage{segment.Range{Src: s.file, Off: s.at, N: count * size}, number}
		s.at += count * size
	}
	return t, nil
}

// open resolves a persistent id. A view names its root's key, and the part of it
// in elements (files of torch 0.1 to 0.3).
func (t *legacyTable) open(ref storageRef) (storage, error) {
	at, ok := t.at[ref.key]
	s := storage{dtype: ref.dtype, id: ref.key, number: at.number}
	if !ok {
		if ref.count == 0 {
			s.data = segment.Literal(nil)
			return s, nil
		}
		return storage{}, fmt.Errorf("storage %s is missing", ref.key)
	}
	size := elemSize(ref.dtype)
	if v := ref.view; v != nil {
		if v.offset > at.N/size || v.count > at.N/size-v.offset {
			return storage{}, fmt.Errorf("storage %s: its view of %d elements at %d is larger than it", ref.key, v.count, v.offset)
		}
		at.Off, at.N = at.Off+v.offset*size, v.count*size
		s.id += fmt.Sprintf("+%d", v.offset)
	} else if want, err := checkpoint.ByteSize(ref.dtype, []int64{ref.count}); err != nil || want != at.N {
		return storage{}, fmt.Errorf("storage %s has %d bytes, its tensors claim %d elements of %s", ref.key, at.N, ref.count, ref.dtype)
	}
	s.data = &at.Range
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
func noStorages(ref storageRef) (storage, error) {
	return storage{}, fmt.Errorf("storage %s is not in the file", ref.key)
}
