package torch

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/zip"
)

// inventory is what a file has, to be compared with what was listed of it: nothing is to
// vanish without a word.
type inventory struct {
	// storages is the bytes of each, by the key that storage.key has.
	storages map[string]int64
	// payloads are the bytes in its pickles that may be files, and what they are offsets of.
	payloads []pickle.Payload
	data     segment.Data
}

// storages are the records that belong to a pickle of the archive: data/0 to data.pkl.
func (a *archive) storages() map[string]int64 {
	all := make(map[string]int64, len(a.byName))
	for name, i := range a.byName {
		dir, _, below := strings.Cut(name, "/")
		if _, of := a.byName[dir+".pkl"]; below && of && i != twice {
			all[name] = a.Records[i].Size
		}
	}
	return all
}

// nestedFiles counts the payloads that are files of torch, which hold storages of their own.
func (inv *inventory) nestedFiles() int {
	count := 0
	for i := range inv.payloads {
		p := &inv.payloads[i]
		if !p.Certain {
			continue
		}
		d, err := p.Open(inv.data)
		if err != nil {
			continue
		}
		if head := headOf(d); bytes.HasPrefix(head, []byte(zip.Magic)) || IsLegacy(segment.Literal(head)) {
			count++
		}
	}
	return count
}

// census is a note on the storages and nested files that belong to no listed tensor and to
// nothing that is named as omitted; "" where there are none.
func (c *collector) census() string {
	count, size, nested := 0, int64(0), 0
	for key, n := range c.inventory.storages {
		if !c.used[key] {
			count++
			size += n
		}
	}
	for key := range c.used {
		if strings.HasPrefix(key, nestedKey) {
			nested++
		}
	}
	if len(c.inventory.payloads) > nested {
		nested = max(0, c.inventory.nestedFiles()-nested)
	} else {
		nested = 0
	}
	var what []string
	if count > 0 {
		what = append(what, fmt.Sprintf("%s (%s)", plural(count, "storage"), plural(size, "byte")))
	}
	if nested > 0 {
		what = append(what, plural(nested, "nested file"))
	}
	if len(what) == 0 {
		return ""
	}
	verb := "belong"
	if count+nested == 1 {
		verb = "belongs"
	}
	return strings.Join(what, " and ") + " " + verb + " to no listed tensor"
}

// account marks the storages of a value that is named as omitted.
func (c *collector) account(v pickle.Value, depth int) {
	if depth > maxWraps || c.beyond("") {
		return
	}
	if id, ok := v.(*pickle.PersID); ok {
		if s, err := c.storage(id); err == nil {
			c.used[s.key] = true
		}
		return
	}
	if t, ok := c.tensor(v); ok && t.array != nil {
		c.used[t.array.storage.key] = true
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
	if c.shards > 0 {
		add("tensors saved as the shards of a rank, not as a whole: %d", c.shards)
	}
	if n := len(c.asSaved); n > 0 {
		add("tensors shown in the dtype that they were saved in, which is not the one that torch loads them as: %d (%s)", n, few(c.asSaved))
	}
	if n, of := c.placeholders(candidate); n > 1 && 4*n >= of || n > 0 && hasKey(root, "param_shapes") {
		add("%d of %s have shape (0,): placeholders, as ZeRO-3 leaves for weights whose values are in its *_optim_states.pt files", n, plural(of, "tensor"))
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

func plural[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
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
