package adapter

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"wfs/formats/keys"
	"wfs/formats/ops"
)

// Base is a tensor of the model.
type Base struct {
	// Key is the tensor's in the view.
	Key string
	// Set is the directory of its weights in a model of several: "unet".
	Set string
	ops.Array
}

// Name is the key with the directory in front: "unet/conv_in.weight".
func (b Base) Name() string {
	if b.Set == "" {
		return b.Key
	}
	return b.Set + "/" + b.Key
}

// dotted is Name with a dot instead of each slash, as adapters for pipelines have it.
func (b Base) dotted() string { return strings.ReplaceAll(b.Name(), "/", ".") }

// resolver finds tensors of the model.
type resolver struct {
	base  []Base
	exact map[string]int // by the dotted name
	// backwards is the dotted names, each from its end to its beginning, sorted, and index
	// whose they are: names with the same end are neighbours.
	backwards []string
	index     []int
	flat      map[string]int // by the names that sd-scripts makes; several if there are more
}

// several stands for tensors with the same name.
const several = -1

func newResolver(base []Base) *resolver {
	r := &resolver{base: base, exact: make(map[string]int, len(base))}
	for i, b := range base {
		r.exact[b.dotted()] = i
	}
	return r
}

// ambiguous says that a path of the adapter fits two tensors.
type ambiguous struct{ path, one, other string }

func (a *ambiguous) Error() string {
	return fmt.Sprintf("%.200q fits %.200q and %.200q of the model", a.path, a.one, a.other)
}

// find is the tensor that a path of the adapter means. Where no tensor is called so, it is the
// only one that ends so: the file of a model with a head may have "model." in front, or the
// adapter may, whose model had a head.
func (r *resolver) find(path string) (i int, ok bool, err error) {
	if i, ok := r.exact[path]; ok {
		return i, true, nil
	}
	fits := []int{}
	for rest := path; ; { // the adapter has more in front
		_, after, more := strings.Cut(rest, ".")
		if !more {
			break
		}
		if i, ok := r.exact[after]; ok {
			fits = append(fits, i)
		}
		rest = after
	}
	fits = append(fits, r.endingWith(path)...)
	if len(fits) == 0 {
		return 0, false, nil
	}
	if len(fits) > 1 {
		return 0, false, &ambiguous{path, r.base[fits[0]].Name(), r.base[fits[1]].Name()}
	}
	return fits[0], true, nil
}

// endingWith is up to two tensors whose names go on before a path.
func (r *resolver) endingWith(path string) []int {
	if r.backwards == nil {
		r.sortBackwards()
	}
	end := reversed("." + path)
	at := sort.SearchStrings(r.backwards, end)
	fits := []int{}
	for ; at < len(r.backwards) && len(fits) < 2 && strings.HasPrefix(r.backwards[at], end); at++ {
		fits = append(fits, r.index[at])
	}
	return fits
}

func (r *resolver) sortBackwards() {
	type name struct {
		backwards string
		of        int
	}
	names := make([]name, 0, len(r.base))
	for i, b := range r.base {
		names = append(names, name{reversed(b.dotted()), i})
	}
	slices.SortFunc(names, func(a, b name) int { return strings.Compare(a.backwards, b.backwards) })
	r.backwards, r.index = make([]string, len(names)), make([]int, len(names))
	for i, n := range names {
		r.backwards[i], r.index[i] = n.backwards, n.of
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// maxListed is how many layers an error names.
const maxListed = 5

// list names some of what the model has not.
func list(names []string) string {
	slices.SortFunc(names, keys.Compare)
	text := ""
	for i, n := range names[:min(len(names), maxListed)] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%.200q", n)
	}
	if more := len(names) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
