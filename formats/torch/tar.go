package torch

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// IsTar reports whether a file that begins with prefix is a tar: whether it has the checksum
// of the first header, which every tar has; ustar's magic is younger than the format
// (POSIX.1-1988, ustar header block).
func IsTar(prefix []byte) bool {
	if len(prefix) < headLen {
		return false
	}
	h := prefix[:headLen]
	sum, signed := int64(0), int64(0)
	for i, b := range h {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int64(b)
		signed += int64(int8(b))
	}
	var want int64
	digits := 0
	for _, b := range h[148:156] {
		if b >= '0' && b <= '7' {
			want = want<<3 | int64(b-'0')
			digits++
		} else if b != ' ' && b != 0 {
			return false
		}
	}
	return digits > 0 && (want == sum || want == signed)
}

// oldTensors is the tables of torch's first format: storages and tensors by their key.
type oldTensors struct {
	storages map[int64]*storage
	sizes    []int64 // of the storages that are no views, by their number
	tensors  map[int64]*array
}

func newOldTensors() *oldTensors {
	return &oldTensors{storages: map[int64]*storage{}, tensors: map[int64]*array{}}
}

// MaxTarMembers bounds the walk through an archive that is not torch's.
const MaxTarMembers = 10_000

// maxOldEntries bounds its tables: the models of their time had some hundred tensors.
const maxOldEntries = 1 << 18

// openTar reads the oldest format: a tar with the members storages, tensors and
// pickle (torch/serialization.py, legacy_load). The tar is not compressed, so all
// bytes are ranges of the file.
func openTar(file segment.Data) (pickle.Value, *resolver, error) {
	members := map[string]segment.Data{}
	in := io.NewSectionReader(file, 0, file.Size())
	for archive, n := tar.NewReader(in), 0; ; n++ {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tar: %w", err)
		}
		if n == MaxTarMembers {
			return nil, nil, fmt.Errorf("tar with more than %d members", MaxTarMembers)
		}
		at, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, nil, err
		}
		if h.Typeflag != tar.TypeReg || h.Size > file.Size()-at {
			continue
		}
		members[h.Name] = &segment.Range{Src: file, Off: at, N: h.Size}
	}
	for _, name := range []string{"storages", "tensors", "pickle"} {
		if members[name] == nil {
			return nil, nil, ErrNoPickle
		}
	}
	old := newOldTensors()
	if err := old.readStorages(&stream{file: members["storages"]}); err != nil {
		return nil, nil, fmt.Errorf("member storages: %w", err)
	}
	if err := old.readTensors(&stream{file: members["tensors"]}); err != nil {
		return nil, nil, fmt.Errorf("member tensors: %w", err)
	}
	root, err := pickle.Load(members["pickle"], 0, members["pickle"].Size(), pickle.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("member pickle: %w", err)
	}
	r := newResolver(members["pickle"], nil, noStorages, len(old.storages))
	r.old = old.find
	r.inventory = old.sizes
	return root.Value, r, nil
}

// readStorages reads the count, then for each storage (key, location, class), an
// int64 count and the elements; after them (target, root, offset, count) of views.
func (o *oldTensors) readStorages(s *stream) error {
	n, err := s.count()
	if err != nil {
		return err
	}
	for range n {
		f, err := s.fields(3)
		if err != nil {
			return err
		}
		key, okKey := integer(f[0])
		class, okClass := asGlobal(f[2])
		if !okKey || !okClass {
			return errors.New("storage without a key or a class")
		}
		d, ok := storageDType(class)
		if !ok {
			return fmt.Errorf("storage class %s.%s is not known", class.module, class.name)
		}
		count, err := s.int64()
		if err != nil {
			return err
		}
		if count < 0 || count > (s.file.Size()-s.at)/elemSize(d) {
			return fmt.Errorf("storage %d claims %d elements, %d bytes are left", key, count, s.file.Size()-s.at)
		}
		data := &segment.Range{Src: s.file, Off: s.at, N: count * elemSize(d)}
		number := len(o.sizes) + 1
		if known := o.storages[key]; known != nil { // the last one counts
			number = known.number
			o.sizes[number-1] = data.N
		} else {
			o.sizes = append(o.sizes, data.N)
		}
		o.storages[key] = &storage{data: data, dtype: d, id: fmt.Sprint(key), number: number}
		s.at += data.N
	}
	views, err := s.next()
	if err != nil {
		return err
	}
	list, _ := items(views.Value)
	if len(list) > maxOldEntries {
		return fmt.Errorf("it claims %d views, wfs reads %d", len(list), maxOldEntries)
	}
	for _, v := range list {
		f, _ := items(v)
		if err := o.addView(f); err != nil {
			return err
		}
	}
	return nil
}

func (o *oldTensors) addView(f []pickle.Value) error {
	if len(f) < 4 {
		return errors.New("storage view without its fields")
	}
	var n [4]int64
	for i := range n {
		v, ok := integer(f[i])
		if !ok {
			return errors.New("storage view without its fields")
		}
		n[i] = v
	}
	target, root, offset, count := n[0], o.storages[n[1]], n[2], n[3]
	if root == nil {
		return fmt.Errorf("storage %d is a view of storage %d, which is missing", target, n[1])
	}
	elem := elemSize(root.dtype)
	have := root.data.Size() / elem
	if offset < 0 || count < 0 || offset > have || count > have-offset {
		return fmt.Errorf("storage %d reaches outside storage %d", target, n[1])
	}
	o.storages[target] = &storage{
		data:  &segment.Range{Src: root.data, Off: offset * elem, N: count * elem},
		dtype: root.dtype, id: fmt.Sprintf("%s+%d", root.id, offset), number: root.number,
	}
	return nil
}

// maxDims is more dimensions than any torch tensor has (c10's limit is 64).
const maxDims = 64

// readTensors reads the tensors, each a view of a storage.
func (o *oldTensors) readTensors(s *stream) error {
	return s.tensors(func(f []pickle.Value, dims int, numbers []int64) error {
		key, okKey := integer(f[0])
		of, okOf := integer(f[1])
		st := o.storages[of]
		if !okKey || !okOf || st == nil {
			return fmt.Errorf("tensor %d has no storage", key)
		}
		o.tensors[key] = &array{
			storage: st, dtype: st.dtype,
			size: numbers[:dims:dims], stride: numbers[dims : 2*dims : 2*dims], offset: numbers[2*dims],
		}
		return nil
	})
}

// tensors reads the count, then for each tensor (key, storage key, class), int32
// dimensions, 4 bytes of padding, int64 sizes, strides and the offset.
func (s *stream) tensors(each func(fields []pickle.Value, dims int, numbers []int64) error) error {
	n, err := s.count()
	if err != nil {
		return err
	}
	for i := range n {
		f, err := s.fields(3)
		if err != nil {
			return err
		}
		head, err := s.int64()
		if err != nil {
			return err
		}
		dims := int(int32(head))
		if dims < 0 || dims > maxDims {
			return fmt.Errorf("tensor %d of %d claims %d dimensions", i, n, dims)
		}
		numbers := make([]int64, 2*dims+1)
		for i := range numbers {
			if numbers[i], err = s.int64(); err != nil {
				return err
			}
		}
		if err := each(f, dims, numbers); err != nil {
			return err
		}
	}
	return nil
}

// find resolves the persistent id of the pickle: the key of a tensor or a storage.
func (o *oldTensors) find(id pickle.Value) (tensorValue, bool) {
	key, ok := integer(id)
	if !ok {
		return tensorValue{}, false
	}
	if a := o.tensors[key]; a != nil {
		return tensorValue{array: a}, true
	}
	if s := o.storages[key]; s != nil {
		count := s.data.Size() / elemSize(s.dtype)
		return tensorValue{array: &array{storage: s, dtype: s.dtype, size: []int64{count}, stride: []int64{1}}}, true
	}
	return tensorValue{omit: fmt.Sprintf("tensor %d is missing", key)}, true
}

// count loads a pickled number of entries.
func (s *stream) count() (int64, error) {
	res, err := s.next()
	if err != nil {
		return 0, err
	}
	n, ok := integer(res.Value)
	if !ok || n < 0 {
		return 0, errors.New("the number of entries is missing")
	}
	if n > maxOldEntries {
		return 0, fmt.Errorf("it claims %d entries, wfs reads %d", n, maxOldEntries)
	}
	return n, nil
}

// fields loads a pickled tuple of at least n values.
func (s *stream) fields(n int) ([]pickle.Value, error) {
	res, err := s.next()
	if err != nil {
		return nil, err
	}
	f, _ := items(res.Value)
	if len(f) < n {
		return nil, errors.New("an entry has too few fields")
	}
	return f, nil
}

func (s *stream) int64() (int64, error) {
	var b [8]byte
	if err := segment.ReadFull(s.file, b[:], s.at); err != nil {
		return 0, err
	}
	s.at += 8
	return int64(binary.LittleEndian.Uint64(b[:])), nil
}

// WalkOldMember goes over the member storages or tensors of a tar, and tells visit where
// each of its pickles begins: raw numbers lie between them. It returns where it ended.
func WalkOldMember(name string, data segment.Data, visit func(off int64)) (end int64, err error) {
	s := &stream{file: data, visit: visit}
	if name == "storages" {
		err = newOldTensors().readStorages(s)
	} else {
		err = s.tensors(func([]pickle.Value, int, []int64) error { return nil })
	}
	return s.at, err
}
