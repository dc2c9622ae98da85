package torch

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/pickle"
	"wfs/formats/quantity"
	"wfs/formats/segment"
)

// storages are the records that belong to a pickle of the archive: data/0 to data.pkl. Their
// places are those of the records.
func (a *archive) storages() []int64 {
	all := make([]int64, len(a.Records))
	last, of := "", false
	for i := range a.Records {
		all[i] = noStorage
		dir, _, below := strings.Cut(a.Records[i].Name[len(a.prefix):], "/")
		if !below {
			continue
		}
		if dir != last {
			last = dir
			_, of = a.find(dir + ".pkl")
		}
		if n, _ := a.find(a.Records[i].Name[len(a.prefix):]); of && n != twice {
			all[i] = a.Records[i].Size
		}
	}
	return all
}

// census is a note on the storages that belong to no listed tensor and to nothing that is
// named as omitted: no tensor is to vanish without a word. "" where there are none, or none
// with a byte in it.
func (c *collector) census() string {
	count, size := 0, int64(0)
	for i, n := range c.inventory {
		if n > 0 && !c.used[i] {
			count++
			size += n
		}
	}
	switch count {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 storage (%s) belongs to no listed tensor", quantity.Of(size, "byte"))
	}
	return fmt.Sprintf("%d storages (%s) belong to no listed tensor", count, quantity.Of(size, "byte"))
}

// nestedFile reports whether v is bytes that are a file of torch, which may hold tensors.
func (r *resolver) nestedFile(v pickle.Value) bool {
	d, ok := r.payload(v)
	if !ok {
		return false
	}
	head := headOf(d)
	return IsZip(head) || IsLegacy(segment.Literal(head))
}

// account marks the storages of a value that is named as omitted.
func (c *collector) account(v pickle.Value, depth int) {
	if depth > maxWraps || c.beyond("") {
		return
	}
	if id, ok := v.(*pickle.PersID); ok {
		if s, err := c.storage(id); err == nil {
			c.use(s)
		}
		return
	}
	if t, ok := c.tensor(v); ok && t.array != nil {
		c.use(t.array.storage)
		return
	}
	if !container(v) {
		return
	}
	bare := members(v, func(_ string, member pickle.Value) bool {
		c.account(member, depth+1)
		return c.fault == nil
	})
	if bare != nil {
		c.account(bare, depth+1)
	}
}

// notes are what is to be said of the file for people to judge its tensors by.
func (c *collector) notes(root pickle.Value, candidate string) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if n := len(c.opaques); n > 0 {
		add("modules that are pickled in a way of their own: %d (%s): the keys of their tensors may not be those of the state dict", n, few(c.opaques))
	}
	if n := len(c.placed); n > 0 {
		add("classes whose objects are pickled in a way of their own: %d (%s): the tensors in them have numbers for keys, by their place", n, few(c.placed))
	}
	if c.shards > 0 {
		add("tensors saved as the shards of a rank, not as a whole: %d", c.shards)
	}
	if n := len(c.asSaved); n > 0 {
		add("tensors shown in the dtype that they were saved in, which is not the one that torch loads them as: %d (%s)", n, few(c.asSaved))
	}
	if n, of := c.placeholders(candidate); n > 1 && 4*n >= of || n > 0 && hasKey(root, "param_shapes") {
		add("%d of %s have shape (0,): placeholders, as ZeRO-3 leaves for weights whose values are in its *_optim_states.pt files", n, quantity.Of(of, "tensor"))
	}
	if note := c.census(); note != "" {
		notes = append(notes, note)
	}
	return notes
}

// placeholders counts the tensors of shape (0,) below the candidate, and all there.
func (c *collector) placeholders(candidate string) (empty, all int) {
	for _, t := range c.tensors {
		if t.Hidden != "" || candidate != "" && !strings.HasPrefix(t.Key, candidate+".") {
			continue
		}
		all++
		if slices.Equal(t.Shape, []int64{0}) {
			empty++
		}
	}
	return empty, all
}

func hasKey(v pickle.Value, key string) bool {
	list, _ := pairs(v)
	return slices.ContainsFunc(list, func(p pickle.Pair) bool {
		s, _ := text(p.Key)
		return s == key
	})
}

// few is the first of some names, quoted.
func few(names []string) string {
	const most = 3
	var quoted []string
	for i, name := range names {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, fmt.Sprintf("%.60q", name))
	}
	return strings.Join(quoted, ", ")
}
