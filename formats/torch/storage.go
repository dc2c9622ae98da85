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
		// One key may be named with several dtypes (empty storages do).
		id := ref.dtype.String() + "/" + ref.key
		if ref.view != nil {
			id += "/" + ref.view.key
		}
		if s, ok := r.storages[id]; ok {
			return s, nil
		}
		s, err := r.resolve(ref)
		if err != nil {
			return nil, errDamaged{err}
		}
		if r.depth > 0 { // keys are unique in their own file only
			s.id, s.key = fmt.Sprintf("%p/%s", r, s.id), ""
		}
		r.storages[id] = s
		return s, nil
	case *pickle.Object:
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
