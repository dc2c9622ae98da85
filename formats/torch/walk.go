package torch

import (
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// maxDepth bounds how deep a checkpoint's containers are followed.
const maxDepth = 100

// collector walks a pickled value and lists the tensors in it by their path.
type collector struct {
	*resolver
	tensors []*checkpoint.Tensor
	omitted []checkpoint.Omitted
	keys    map[string]bool
	first   map[string]*checkpoint.Tensor // by identity, for ties
	walking map[any]bool                  // containers on the way down: cuts cycles
	hidden  string                        // why tensors are left out of the view, for what is walked now
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
)

var (
	errPaths   = errors.New("its containers are in one another again and again: there are too many paths to list")
	errTensors = errors.New("the file lists more tensors, or longer names, than wfs reads from a file of its size")
)

// newCollector makes a collector for a file of size bytes.
func newCollector(r *resolver, size int64) *collector {
	more := 1 + int(min(size, 1<<50)/fairSize)
	return &collector{
		resolver: r, keys: make(map[string]bool, r.count),
		first: make(map[string]*checkpoint.Tensor, r.count), walking: map[any]bool{},
		visits: more * maxVisits, text: more * maxKeys, room: more * maxTensors,
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
	if depth > maxDepth {
		c.damaged(path, fmt.Errorf("containers are nested more than %d deep", maxDepth))
	}
	if c.beyond(path) {
		return
	}
	if t, ok := c.tensor(v); ok {
		if depth == 0 {
			path = "tensor"
		}
		c.add(path, t)
		return
	}
	v = untagged(v)
	if id, ok := v.(*pickle.PersID); ok {
		if _, err := storageID(id.ID); err == nil {
			c.omit(path, "a storage by itself: it has no shape")
		}
	}
	if !container(v) || c.walking[v] {
		return
	}
	c.walking[v] = true
	defer delete(c.walking, v)
	if m, ok := asModule(v); ok {
		c.module(path, m, depth)
		return
	}
	if content, ok := scriptContent(v); ok {
		c.walk(path, content, depth+1)
		return
	}
	if list, ok := items(v); ok {
		for i, item := range list {
			c.walk(join(path, fmt.Sprint(i), depth), item, depth+1)
		}
	}
	if list, ok := pairs(v); ok {
		for _, p := range list {
			c.walk(join(path, keyText(p.Key), depth), p.Value, depth+1)
		}
	}
	// The attributes of an object whose class nobody needs to know: TorchScript's
	// modules, an EMA wrapper around a model, a Namespace.
	if obj, ok := v.(*pickle.Object); ok {
		for _, p := range attributes(obj.State) {
			if name := keyText(p.Key); name != "_metadata" {
				c.walk(join(path, name, depth), p.Value, depth+1)
			}
		}
		if obj.State == nil {
			if args, ok := items(obj.Args); ok && !isOrderedDict(obj) {
				for i, arg := range args {
					c.walk(join(path, fmt.Sprint(i), depth), arg, depth+1)
				}
			}
		}
	}
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
	id := t.array.identity()
	tensor := &checkpoint.Tensor{Key: c.unique(key), DType: t.array.dtype, Shape: shape, Hidden: c.hidden, Tied: c.first[id]}
	if tensor.Tied != nil {
		tensor.Data = tensor.Tied.Data
	} else if tensor.Data, err = t.array.data(); err != nil {
		c.damaged(key, err)
		return
	} else {
		c.first[id] = tensor
	}
	if c.tensors == nil {
		c.tensors = make([]*checkpoint.Tensor, 0, c.count)
	}
	c.tensors = append(c.tensors, tensor)
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
