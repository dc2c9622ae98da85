package torch

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/segment"
	"wfs/formats/zip"
)

// archive is a torch zip file: records below one top directory, which the
// writer named after the file (caffe2/serialize/inline_container.cc).
type archive struct {
	*zip.Archive
	cache  *deflate.Cache
	prefix string // "model/", "" where the records have no directory
	names
	reader *zip.Reader
	big    bool // storages are big endian
}

// errExport is a .pt2 (torch/export/pt2_archive/constants.py).
var errExport = errors.New("it is an archive of torch.export: save the state dict of the exported program with torch.save for wfs to read")

// twice marks a name that occurs more than once, but for case.
const twice = -1

// names finds records by their name below the prefix, without regard to case.
type names struct {
	byName map[string]int // lower-cased name → record, or twice
	// numbered is one more than the record of data/0, data/1 and so on, or twice; 0 for none.
	// A model has a hundred thousand of them, and next to nothing else.
	numbered []int32
}

// numberOf is the number of a storage of data.pkl.
func (n *names) numberOf(name string) (int, bool) {
	const dir = "data/"
	if len(name) <= len(dir) || !strings.EqualFold(name[:len(dir)], dir) {
		return 0, false
	}
	return decimal(name[len(dir):], len(n.numbered))
}

// find is the record of that name, or twice.
func (n *names) find(name string) (int, bool) {
	if number, ok := n.numberOf(name); ok {
		switch i := n.numbered[number]; i {
		case 0:
			return 0, false
		case twice:
			return twice, true
		default:
			return int(i) - 1, true
		}
	}
	i, ok := n.byName[strings.ToLower(name)]
	return i, ok
}

func (n *names) add(name string, record int) {
	if _, dup := n.find(name); dup {
		record = twice
	}
	if number, ok := n.numberOf(name); ok {
		if n.numbered[number] = twice; record != twice {
			n.numbered[number] = int32(record) + 1
		}
		return
	}
	n.byName[strings.ToLower(name)] = record
}

// openArchive finds the pickle of a torch zip file by the name data.pkl, as torch
// does: without regard to case.
func openArchive(z *zip.Archive, cache *deflate.Cache) (*archive, error) {
	a := &archive{
		Archive: z, cache: cache, reader: z.Reader(),
		names: names{byName: map[string]int{}, numbered: make([]int32, maxNumbered*len(z.Records))},
	}
	found := -1
	for i := range z.Records {
		name := strings.ToLower(z.Records[i].Name)
		if name != "data.pkl" && !(strings.HasSuffix(name, "/data.pkl") && strings.Count(name, "/") == 1) {
			continue
		}
		if found >= 0 {
			return nil, fmt.Errorf("it holds %q and %q: readers disagree on which one counts", z.Records[found].Name, z.Records[i].Name)
		}
		found = i
	}
	if found < 0 {
		for i := range z.Records {
			if strings.HasSuffix(z.Records[i].Name, "/archive_format") {
				return nil, errExport
			}
		}
		return nil, ErrNoPickle
	}
	pickle := z.Records[found].Name
	a.prefix = pickle[:len(pickle)-len("data.pkl")]
	for i := range z.Records {
		name, ok := strings.CutPrefix(z.Records[i].Name, a.prefix)
		if !ok {
			return nil, fmt.Errorf("record %.200q lies outside of its directory %s: torch does not read such a file", z.Records[i].Name, a.prefix)
		}
		a.add(name, i)
	}
	if order, err := a.text("byteorder"); err != nil {
		return nil, err
	} else if order == "big" {
		a.big = true
	} else if order != "" && order != "little" {
		return nil, fmt.Errorf("record byteorder says %q", order)
	}
	return a, nil
}

// record opens a record by its name below the prefix; nil where there is none.
// A name that occurs twice is refused, because torch takes the last one and
// others the first.
func (a *archive) record(name string) (segment.Data, error) {
	i, ok := a.find(name)
	if !ok {
		return nil, nil
	}
	if i == twice {
		return nil, a.twice(name)
	}
	return a.reader.Data(&a.Records[i])
}

func (a *archive) twice(name string) error {
	return fmt.Errorf("record %s%s occurs twice: readers disagree on which one counts", a.prefix, strings.ToLower(name))
}

// text reads a short record, "" where there is none.
func (a *archive) text(name string) (string, error) {
	d, err := a.record(name)
	if d == nil || err != nil {
		return "", err
	}
	b := make([]byte, min(d.Size(), 64))
	if _, err := d.ReadAt(b, 0); err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// storageReader resolves the persistent ids of a pickle whose storages lie in
// the directory dir of the archive: data.pkl in data/, constants.pkl in
// constants/ (torch/csrc/jit/serialization/unpickler).
func (a *archive) storageReader(dir string) func(ref storageRef) (storage, error) {
	return func(ref storageRef) (storage, error) {
		size, err := checkpoint.ByteSize(ref.dtype, []int64{ref.count})
		if err != nil {
			return storage{}, fmt.Errorf("storage %s: %w", ref.key, err)
		}
		s := storage{dtype: ref.dtype, id: ref.key, data: segment.Literal(nil)}
		i, ok := a.find(dir + "/" + ref.key)
		if ok && i != twice {
			s.number = i + 1
		} else {
			s.id = dir + "/" + ref.key
		}
		if size == 0 {
			return s, nil
		}
		if !ok {
			return storage{}, fmt.Errorf("record %s%s/%s is missing", a.prefix, dir, ref.key)
		}
		if i == twice {
			return storage{}, a.twice(s.id)
		}
		d, err := a.reader.Data(&a.Records[i])
		if err != nil {
			return storage{}, err
		}
		// torch's mmap reader takes the claimed size and reads on into the next
		// record; here the record is the bound.
		if d.Size() < size {
			return storage{}, fmt.Errorf("record %s%s/%s has %d bytes, its storage claims %d", a.prefix, dir, ref.key, d.Size(), size)
		}
		s.data = d
		if a.big {
			s.swap = swapWidth(ref)
		}
		return s, nil
	}
}

// swapWidth is the bytes that torch reverses in a storage of the other byte order.
func swapWidth(ref storageRef) int64 {
	if w := component(ref.dtype); w > 1 {
		return w
	}
	return 0
}
