package torch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// maxDepth bounds how deep a checkpoint's containers are followed.
const maxDepth = 100

// collector walks a pickled value and lists the tensors in it by their path.
type collector struct {
	*resolver
	bands   *segment.Bands // of the tensors' data
	tensors []*checkpoint.Tensor
	omitted []checkpoint.Omitted
	keys    map[string]bool
	first   []placed                      // the first tensor of each storage with a number, for ties
	further map[string]*checkpoint.Tensor // the others, by identity
	walking map[any]bool                  // containers on the way down: cuts cycles
	barren  map[any]bool                  // containers without a tensor, in a walk that goes on and on
	tired   int                           // of visits: from here on barren is kept
	looked  map[any]bool                  // containers that were searched for tensors not yet listed
	hidden  string                        // why tensors are left out of the view, for what is walked now
	fresh   bool                          // tensors that are listed already are passed over, for what is walked now
	used    []bool                        // numbers of storages that were listed or omitted
	opaques []string                      // submodules whose keys are not known
	placed  []string                      // classes of objects whose tensors go by their place
	asSaved []string                      // tensors that torch would convert
	shards  int                           // tensors that are a part of a larger one
	nesting int                           // how deep the walk is
	visits  int                           // values, and 64 bytes of path, that may still be looked at
	text    int                           // bytes of keys that may still be listed
	room    int                           // tensors that may still be listed
	fault   error                         // what makes the file unreadable
}

// Bounds of a walk: containers can be in one another many times, paths can be of many
// long keys, and a list can hold one tensor a million times, each of which is several
// files of a mount. They are beyond any model. A file larger than fairSize may have more.
const (
	maxVisits  = 4_000_000 // values, and 64 bytes of path
	maxKeys    = 32 << 20  // bytes of all keys
	maxTensors = 250_000
	fairSize   = 100 << 20
	maxPlaced  = 100     // classes
	patience   = 100_000 // visits, after which nothing is looked at twice in vain
)

var (
	errDeep    = fmt.Errorf("containers are nested more than %d deep", maxDepth)
	errPaths   = errors.New("its containers are in one another again and again: there are too many paths to list")
	errTensors = errors.New("the file lists more tensors, or longer names, than wfs reads from a file of its size")
)

// newCollector makes a collector for a file of size bytes.
func newCollector(r *resolver, size int64) *collector {
	more := 1 + int(min(size, 1<<50)/fairSize)
	return &collector{
		resolver: r, keys: make(map[string]bool, r.count),
		first: make([]placed, len(r.inventory)), further: map[string]*checkpoint.Tensor{}, used: make([]bool, len(r.inventory)),
		walking: map[any]bool{}, looked: map[any]bool{}, barren: map[any]bool{},
		visits: more * maxVisits, tired: more*maxVisits - patience, text: more * maxKeys, room: more * maxTensors,
	}
}

// beyond reports whether a walk is to end: it looks at one more value, or the file is
// found to be damaged.
func (c *collector) beyond(path string) bool {
	if c.visits -= 1 + len(path)/64; c.visits < 0 {
		c.damaged(path, errPaths)
	}
	return c.fault != nil
}

// walk adds every tensor below v under path.
func (c *collector) walk(path string, v pickle.Value, depth int) {
	// A state that is not a dict goes by the path of its object, at the same depth.
	c.nesting++
	defer func() { c.nesting-- }()
	if c.nesting > maxDepth {
		c.damaged(path, errDeep)
	}
	if c.beyond(path) {
		return
	}
	if t, ok := c.tensor(v); ok {
		if depth == 0 {
			path = "tensor"
		}
		if t.omit != "" && c.extras(path, v, depth, c.hidden) {
			return // it is not known what becomes of them, but they are there
		}
		c.add(path, t)
		if t.omit != "" {
			c.account(v, 0)
		} else {
			c.extras(path, v, depth, "attribute of a tensor")
		}
		return
	}
	v = untagged(v)
	if id, ok := v.(*pickle.PersID); ok {
		if _, err := storageID(id.ID); err == nil {
			c.omit(path, "a storage by itself: it has no shape")
			c.account(id, 0)
		}
	}
	if c.nestedFile(v) {
		c.omit(path, "bytes that are a torch file: its tensors are not listed")
		return
	}
	if !container(v) || c.walking[v] || c.barren[v] || c.fresh && c.looked[v] {
		return
	}
	c.walking[v] = true
	found := c.found()
	defer func() {
		delete(c.walking, v)
		if c.visits < c.tired && c.found() == found {
			c.barren[v] = true
		}
	}()
	if c.fresh {
		c.looked[v] = true
	}
	if m, ok := asModule(v); ok {
		c.module(path, m, depth)
		return
	}
	if content, ok := scriptContent(v); ok {
		c.walk(path, content, depth+1)
		return
	}
	bare := members(v, func(name string, member pickle.Value) bool {
		c.walk(join(path, name, depth), member, depth+1)
		return c.fault == nil
	})
	if bare != nil {
		c.walk(path, bare, depth)
	}
	if obj, ok := v.(*pickle.Object); ok && c.found() > found && c.hidden == "" && len(c.placed) < maxPlaced {
		if class := className(obj); !strings.HasPrefix(class, "__torch__.") && !slices.Contains(c.placed, class) && c.holdsByPlace(obj) {
			c.placed = append(c.placed, class)
		}
	}
}

// found counts what was listed so far.
func (c *collector) found() int { return len(c.tensors) + len(c.omitted) }

// extras lists, hidden for the given reason, the tensors that a tensor has as attributes:
// the state of a Parameter or of a subclass (torch/_tensor.py, Tensor.__reduce_ex__). It
// reports whether there are any.
func (c *collector) extras(path string, v pickle.Value, depth int, why string) bool {
	obj, ok := whole(v).(*pickle.Object)
	if !ok {
		return false
	}
	name, _ := asGlobal(obj.Callable)
	args, _ := items(obj.Args)
	var state pickle.Value
	switch name {
	case global{"torch._utils", "_rebuild_parameter_with_state"}, global{"torch._tensor", "_rebuild_from_type_v2"}, global{"torch._tensor", "_rebuild_from_type"}:
		if len(args) > 3 {
			state = args[3]
		}
	case global{"torch._utils", "_rebuild_parameter"}, global{"torch._utils", "_rebuild_tensor_v2"},
		global{"torch._utils", "_rebuild_tensor_v3"}, global{"torch._utils", "_rebuild_wrapper_subclass"}:
		state = obj.State
	}
	if state == nil {
		return false
	}
	found := c.found()
	c.hide(why, func() {
		stateMembers(&pickle.Object{State: state}, func(name string, member pickle.Value) bool {
			if container(member) {
				c.walk(join(path, name, depth), member, depth+1)
			}
			return c.fault == nil
		})
	})
	return c.found() > found
}

// hide lists what walk finds, but for tensors that are listed already, as hidden from the view.
func (c *collector) hide(why string, walk func()) {
	hidden, fresh := c.hidden, c.fresh
	c.hidden, c.fresh = why, true
	walk()
	c.hidden, c.fresh = hidden, fresh
}

// untagged is the value in what TorchScript writes lists and dicts as: a call with the value
// and its type (torch/jit/_pickle.py).
func untagged(v pickle.Value) pickle.Value {
	obj, ok := v.(*pickle.Object)
	if !ok {
		return v
	}
	if name, _ := asGlobal(obj.Callable); name.module == "torch.jit._pickle" {
		if args, _ := items(obj.Args); len(args) > 0 {
			return args[0]
		}
	}
	return v
}

// add lists a tensor, or its parts, or why there is none.
func (c *collector) add(key string, t tensorValue) {
	c.text -= len(key)
	if c.room--; c.room < 0 || c.text < 0 {
		c.damaged(key, errTensors)
		return
	}
	if t.damage != nil {
		c.damaged(key, t.damage)
		return
	}
	if t.omit != "" {
		c.omit(key, t.omit)
		return
	}
	if t.partial() {
		c.shards++
	}
	for _, p := range t.parts {
		c.add(key+"."+p.name, p.tensorValue)
	}
	if t.array == nil {
		return
	}
	shape, err := t.array.shape()
	if err != nil {
		c.omit(key, err.Error())
		return
	}
	same := c.listed(t.array)
	if c.fresh && same != nil {
		return
	}
	tensor := &checkpoint.Tensor{Key: c.unique(key), DType: t.array.kind(), Shape: shape, Hidden: c.hidden, Tied: same}
	if tensor.Tied != nil {
		tensor.Data = tensor.Tied.Data
	} else if tensor.Data, err = t.array.data(c.bands); err != nil {
		c.damaged(key, err)
		return
	} else {
		c.list(t.array, tensor)
	}
	c.use(t.array.storage)
	if rare := t.array.rare; rare != nil && rare.asSaved != "" {
		c.asSaved = append(c.asSaved, key)
	}
	if c.tensors == nil {
		c.tensors = make([]*checkpoint.Tensor, 0, c.count)
	}
	c.tensors = append(c.tensors, tensor)
}

// placed is a tensor that was listed, and the array that it is.
type placed struct {
	array  *array
	tensor *checkpoint.Tensor
}

// listed is the first tensor with the same bytes in the same place as a, nil for none.
func (c *collector) listed(a *array) *checkpoint.Tensor {
	if n := a.storage.number; n > 0 && n <= len(c.first) {
		first := c.first[n-1]
		if first.array == nil || first.array.same(a) {
			return first.tensor
		}
	}
	return c.further[a.identity()]
}

// list remembers a tensor that listed has not found.
func (c *collector) list(a *array, t *checkpoint.Tensor) {
	if n := a.storage.number; n > 0 && n <= len(c.first) && c.first[n-1].array == nil {
		c.first[n-1] = placed{a, t}
		return
	}
	c.further[a.identity()] = t
}

// use marks a storage that was listed or omitted.
func (c *collector) use(s *storage) {
	if s.number > 0 && s.number <= len(c.used) {
		c.used[s.number-1] = true
	}
}

// damaged remembers the first tensor whose bytes are not there: such a file is refused.
func (c *collector) damaged(key string, err error) {
	if c.fault == nil {
		c.fault = fmt.Errorf("tensor %.200q: %w", key, err)
	}
}

func (c *collector) omit(key, reason string) {
	c.omitted = append(c.omitted, checkpoint.Omitted{Key: key, Reason: reason})
}

// unique keeps two paths apart that flatten to one key ({"a": {"b": …}, "a.b": …}).
func (c *collector) unique(key string) string {
	name := key
	for n := 2; c.keys[name]; n++ {
		name = fmt.Sprintf("%s#%d", key, n)
	}
	c.keys[name] = true
	return name
}

// join is the path of an entry of the container at path, which lies depth levels deep.
// Keys may be empty, so the path does not tell whether it is the root's.
func join(path, name string, depth int) string {
	if depth == 0 {
		return name
	}
	return path + "." + name
}
