package keras

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"wfs/formats/checkpoint"
)

// names reads an attribute of names, which Keras splits into name0, name1, … where
// it is longer than 64 512 bytes (keras/src/legacy/saving/legacy_h5_format.py,
// save_attributes_to_hdf5_group).
func (w *walker) names(path, name string) []string {
	attrs := w.attributes[path]
	if list, ok := attrs[name].([]string); ok {
		return list
	}
	var all []string
	for i := 0; ; i++ {
		part, ok := attrs[fmt.Sprintf("%s%d", name, i)].([]string)
		if !ok {
			return all
		}
		all = append(all, part...)
	}
}

// order sorts tensors as their layers lie in the model: by layer_names and
// weight_names where Keras wrote them, the others by path: groups of layers as in
// config.json, numbers by their value.
func (w *walker) order(root string) {
	rank := map[string]int{}
	prefix := ""
	if root != "" {
		prefix = root + "/"
	}
	for _, layer := range w.names(root, "layer_names") {
		for _, weight := range w.names(prefix+layer, "weight_names") {
			path := prefix + layer + "/" + weight
			if _, known := rank[path]; !known {
				rank[path] = len(rank)
			}
		}
	}
	layers := w.layersOf()
	slices.SortStableFunc(w.out.Tensors, func(a, b *checkpoint.Tensor) int {
		i, iok := rank[a.Key]
		j, jok := rank[b.Key]
		switch {
		case iok && jok:
			return i - j
		case iok:
			return -1
		case jok:
			return 1
		}
		return inOrder(layers, a.Key, b.Key)
	})
	// A tie points to the first of its tensors in the order of the file.
	first := map[*checkpoint.Tensor]*checkpoint.Tensor{}
	for _, t := range w.out.Tensors {
		one := t.Canonical()
		if first[one] == nil {
			first[one] = t
			t.Tied = nil
		} else {
			t.Tied = first[one]
		}
	}
}

// inOrder compares paths part by part: groups of layers by their place in the model,
// others naturally.
func inOrder(layers map[string]layer, a, b string) int {
	for i := 0; i < len(a) && i < len(b) && len(layers) > 0; {
		m, n := i+len(first(a[i:])), i+len(first(b[i:]))
		if a[:m] != b[:n] {
			one, ok1 := layers[a[:m]]
			other, ok2 := layers[b[:n]]
			switch {
			case ok1 && ok2:
				return one.place - other.place
			case ok1:
				return -1
			case ok2:
				return 1
			}
			break
		}
		i = m + 1
	}
	return naturally(a, b)
}

// first is the first part of a path.
func first(path string) string {
	part, _, _ := strings.Cut(path, "/")
	return part
}

// naturally compares paths part by part; parts that are numbers by their value, and
// before all others.
func naturally(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if as[i] == bs[i] {
			continue
		}
		m, errA := strconv.Atoi(as[i])
		n, errB := strconv.Atoi(bs[i])
		switch {
		case errA == nil && errB == nil && m != n:
			return cmp.Compare(m, n)
		case (errA == nil) != (errB == nil):
			if errA == nil {
				return -1
			}
			return 1
		}
		return strings.Compare(as[i], bs[i])
	}
	return len(as) - len(bs)
}
