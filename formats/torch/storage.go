package torch

import (
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// storageRef is a persistent id that names a storage.
type storageRef struct {
	key   string
	dtype checkpoint.DType
	count int64 // elements of dtype
	// packed is the numbers in an element, 1 but for quint4x2 and quint2x4.
	packed int64
	// view is set in old legacy files: the storage is a part of another one.
	view *storageView
}

type storageView struct {
	key           string
	offset, count int64 // elements
}

// storage interprets v as a storage: a persistent id, or a storage that was
// pickled by itself as the bytes of a legacy file.
func (r *resolver) storage(v pickle.Value) (*storage, error) {
	switch v := v.(type) {
	case *pickle.PersID:
		ref, err := storageID(v.ID)
		if err != nil {
			return nil, err
		}
		s := r.intern(ref)
		return s, r.open(s)
	case *pickle.Object, *rebuilt:
		t, ok := r.unwrap(v, 0)
		if ok && t.damage != nil {
			return nil, errDamaged{t.damage}
		}
		if ok && t.omit != "" {
			return nil, errors.New(t.omit)
		}
		if ok && t.array != nil {
			return t.array.storage, nil
		}
	}
	return nil, errors.New("it has no storage that wfs knows")
}

// storageKey tells the storages of a pickle apart. One key may be named with several dtypes
// (empty storages do).
type storageKey struct {
	dtype     checkpoint.DType
	key, view string
}

// intern is the one storage that is named like this. It is not opened yet: in a legacy file
// it is known after the pickle only where it lies.
func (r *resolver) intern(ref storageRef) *storage {
	slot, known := (**storage)(nil), storageKey{dtype: ref.dtype, key: ref.key}
	if ref.view != nil {
		known.view = ref.view.key
	} else if n, ok := decimal(ref.key, maxNumbered*r.count); ok {
		for n >= len(r.numbered) {
			r.numbered = append(r.numbered, nil)
		}
		if slot = &r.numbered[n]; *slot != nil && (*slot).dtype == ref.dtype {
			return *slot
		}
	}
	if s := r.storages[known]; s != nil {
		return s
	}
	s := &storage{dtype: ref.dtype, ref: &ref}
	if slot != nil && *slot == nil {
		*slot = s
	} else {
		r.storages[known] = s
	}
	return s
}

// maxNumbered is how many times as large as their count the numbers of storages may be to
// be found by them: torch counts from 0.
const maxNumbered = 2

// decimal reads a number below limit as torch writes it for a key.
func decimal(key string, limit int) (int, bool) {
	if len(key) == 0 || len(key) > 9 || key[0] == '0' && len(key) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(key) {
		c := key[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n < limit
}

// open finds the bytes of a storage that was named.
func (r *resolver) open(s *storage) error {
	if s.ref == nil {
		return nil
	}
	opened, err := r.resolve(*s.ref)
	if err != nil {
		return errDamaged{err}
	}
	if r.depth > 0 { // keys are unique in their own file only
		opened.id, opened.number = fmt.Sprintf("%p/%s", r, opened.id), 0
	}
	*s = opened
	return nil
}

// storageID is the function of that name for what torch writes today, whose classes it
// remembers.
func (r *resolver) storageID(id pickle.Value) (storageRef, error) {
	t, ok := id.(*pickle.Tuple)
	if !ok || len(t.Items) != 5 || t.Items[0] != "storage" {
		return storageID(id)
	}
	class, isGlobal := t.Items[1].(*pickle.Global)
	key, isText := t.Items[2].(string)
	count, isInt := integer(t.Items[4])
	if !isGlobal || !isText || !isInt || count < 0 {
		return storageID(id)
	}
	ref, known := r.classes[class]
	if !known {
		ref, err := storageID(id)
		if err == nil {
			r.classes[class] = ref
		}
		return ref, err
	}
	ref.key, ref.count = key, count
	return ref, nil
}

// storageID reads ('storage', class, key, location, numel[, view]).
// The fields are written by torch/serialization.py, persistent_id.
func storageID(id pickle.Value) (storageRef, error) {
	f, _ := items(id)
	if _, isText := text(id); isText {
		return storageRef{}, errors.New("its persistent id is text, as pickle protocol 0 writes it: torch cannot load it either")
	}
	if len(f) < 5 {
		return storageRef{}, errors.New("its persistent id does not name a storage")
	}
	kind, _ := text(f[0])
	class, ok := asGlobal(f[1])
	if kind != "storage" || !ok {
		return storageRef{}, fmt.Errorf("persistent id of kind %q names no storage", kind)
	}
	var ref storageRef
	if ref.dtype, ok = storageDType(class); !ok {
		return ref, fmt.Errorf("storage class %s.%s is not known", class.module, class.name)
	}
	key, okKey := text(f[2])
	if n, isInt := integer(f[2]); isInt {
		key, okKey = fmt.Sprint(n), true
	}
	count, okCount := integer(f[4])
	if !okKey || !okCount || count < 0 {
		return ref, errors.New("its storage has no key or no size")
	}
	ref.key, ref.count, ref.packed = key, count, max(1, packed[class.name])
	if len(f) > 5 {
		if v, isTuple := items(f[5]); isTuple && len(v) == 3 {
			view := &storageView{}
			var ok [3]bool
			view.key, ok[0] = text(v[0])
			view.offset, ok[1] = integer(v[1])
			view.count, ok[2] = integer(v[2])
			if ok != [3]bool{true, true, true} || view.offset < 0 || view.count < 0 {
				return ref, errors.New("its storage is a view with wrong fields")
			}
			ref.view = view
		}
	}
	return ref, nil
}

// packedIn is the numbers in each element of the storage that v refers to.
func packedIn(v pickle.Value) int64 {
	if id, ok := v.(*pickle.PersID); ok {
		if ref, err := storageID(id.ID); err == nil {
			return ref.packed
		}
	}
	return 1
}
