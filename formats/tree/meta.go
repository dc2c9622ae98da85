package tree

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wfs/formats/audit"
	"wfs/formats/checkpoint"
	"wfs/formats/report"
	"wfs/formats/view"
)

// metadata writes the files of meta/.
type metadata struct {
	plan *view.Plan
	// reports are the security reports of all files, read when the first is asked for.
	reports func() ([]*audit.Report, error)
	// renamed are the keys in the view where its header cannot hold the tensor's own.
	renamed map[*checkpoint.Tensor]string
	// omitted are the tensors that the view cannot hold.
	omitted []checkpoint.Omitted
}

func newMetadata(plan *view.Plan) *metadata {
	m := &metadata{plan: plan, renamed: map[*checkpoint.Tensor]string{}}
	m.reports = sync.OnceValues(func() ([]*audit.Report, error) { return audit.Collect(plan.Opened()) })
	return m
}

// metaDir makes meta/. Its files are written when they are opened.
func (b *builder) metaDir() {
	dir := b.sub(b.tree.Root, "meta", "")
	model := b.plan.Model
	if len(model.Sets) == 0 || len(model.Sets[0].Shards) == 0 {
		return
	}
	src := model.Sets[0].Shards[0].Source
	add := func(name string, write func(io.Writer) error) {
		link(dir, name, b.newFile(src, newGenerated(write), false))
	}
	add("index.json", b.meta.index)
	add("tensors.tsv", b.meta.table)
	add("source.json", b.meta.source)
	link(dir, sumsName, b.newFile(src, b.tree.sums(b.plan), false))
	add("report.html", b.meta.report)
	objects := false
	for _, s := range model.Shards() {
		objects = objects || s.Objects != nil
	}
	if objects {
		add("objects.json", b.meta.objects)
	}
	if b.plan.MayUnpickle() {
		add("pickle.json", b.meta.reportsJSON)
		add("pickle.txt", b.meta.reportsText)
	}
}

// indexEntry is a tensor in meta/index.json.
type indexEntry struct {
	Key    string  `json:"key"`
	Hex    string  `json:"key_hex,omitempty"` // where the key is not UTF-8
	Name   string  `json:"name"`              // below tensors/, without .npy
	DType  string  `json:"dtype"`
	Shape  []int64 `json:"shape"`
	Bytes  int64   `json:"bytes"`
	File   string  `json:"file"` // of the source, below its directory
	Tied   string  `json:"tied_to,omitempty"`
	View   *string `json:"view_key"` // null where the view does not have it
	Hidden string  `json:"not_in_view,omitempty"`
	Void   int64   `json:"void,omitempty"`  // bytes of an element in .npy: the last of shape
	Layer  string  `json:"layer,omitempty"` // the name of the layer that has it
	// A view's: the keys of what it is made of, and by what.
	From []string `json:"from,omitempty"`
	By   string   `json:"by,omitempty"`
}

// index is every tensor, and every value that could not be one.
func (m *metadata) index(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprint(w, "{\"tensors\": [")
	separator := "\n"
	omitted := []checkpoint.Omitted{}
	for _, set := range m.plan.Sets {
		inView := map[*checkpoint.Tensor]string{}
		for _, f := range set.Files {
			for _, e := range f.Entries {
				inView[e.Tensor] = e.Key
			}
		}
		for _, shard := range set.Set.Shards {
			for _, t := range shard.Tensors {
				e := indexEntry{
					Key: t.Key, Name: tensorPath(set.Place(), t.Key), DType: t.DType.String(), Shape: t.Shape,
					Bytes: t.Data.Size(), File: set.Join(shard.Source.Name()), Hidden: t.Hidden,
					Void: t.Void, Layer: t.Layer,
				}
				if valid := strings.ToValidUTF8(t.Key, "\uFFFD"); valid != t.Key {
					e.Hex = fmt.Sprintf("%x", t.Key)
				}
				if e.Shape == nil {
					e.Shape = []int64{}
				}
				if d := t.Derived; d != nil {
					e.From, e.By = d.From, d.By
				}
				if t.Tied != nil {
					e.Tied = t.Tied.Key
				}
				if key, ok := inView[t]; ok && t.DType.InSafetensors() {
					if name, ok := m.renamed[t]; ok {
						key = name
					}
					e.View = &key
				}
				b, err := json.Marshal(e)
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%s%s", separator, b)
				separator = ",\n"
			}
		}
		for _, shard := range set.Shards {
			omitted = append(omitted, shard.Omitted...)
		}
	}
	fmt.Fprint(w, "\n],\n\"omitted\": ")
	b, err := json.MarshalIndent(append(omitted, m.omitted...), "", " ")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s}\n", b)
	return w.Flush()
}

// tensorPath is where a tensor lies below tensors/, without .npy.
func tensorPath(dir, key string) string {
	name := EncodeName(key)
	if dir == "" {
		return name
	}
	parts := strings.Split(dir, "/")
	for i, part := range parts {
		parts[i] = encodeDir(part, ".npy")
	}
	return strings.Join(append(parts, name), "/")
}

// table is one line for each tensor, for grep, cut and awk.
func (m *metadata) table(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "name\tdtype\tshape\tbytes\tfile")
	for of, t := range m.plan.Shown.Tensors() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n",
			tensorPath(of.Set.Place(), t.Key), t.DType, shapeText(t), t.Data.Size(), tensorPath(of.Set.Dir, of.Source.Name()))
	}
	return w.Flush()
}

// sourceEntry is a weight file in meta/source.json.
type sourceEntry struct {
	File    string    `json:"file"`
	Format  string    `json:"format"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mtime"`
	View    string    `json:"view"`
	Root    string    `json:"root"`
	Tensors int       `json:"tensors"`
	Notes   []string  `json:"notes,omitempty"`
}

func (m *metadata) source(out io.Writer) error {
	files := []sourceEntry{}
	for _, set := range m.plan.Sets {
		for _, s := range set.Shards {
			files = append(files, sourceEntry{
				File: set.Join(s.Source.Name()), Format: s.Format, Size: s.Source.Size(), ModTime: s.Source.ModTime(),
				View: set.Join(s.ViewName), Root: s.Root, Tensors: len(s.Tensors), Notes: s.Notes,
			})
		}
	}
	abs, err := filepath.Abs(m.plan.Model.Path)
	if err != nil {
		abs = m.plan.Model.Path
	}
	notes := append([]string{}, m.plan.Model.Notes...)
	if m.plan.Lacks != "" {
		notes = append(notes, m.plan.Lacks)
	}
	return writeJSON(out, map[string]any{"source": abs, "files": files, "notes": notes})
}

// objects is what is not a tensor: of one file, or by the file's name.
func (m *metadata) objects(out io.Writer) error {
	all := map[string]any{}
	var last any
	for set, s := range m.plan.Model.Shards() {
		if s.Objects != nil {
			last = s.Objects
			all[set.Join(s.Source.Name())] = s.Objects
		}
	}
	if len(all) == 1 {
		return writeJSON(out, last)
	}
	return writeJSON(out, all)
}

// report is a page for people.
func (m *metadata) report(out io.Writer) error {
	opt := report.Options{}
	if m.plan.MayUnpickle() {
		opt.Reports = m.reports
	}
	return report.Write(out, m.plan, opt)
}

// reportsJSON is an array: the security report of each file that holds pickles.
func (m *metadata) reportsJSON(out io.Writer) error {
	reports, err := m.reports()
	if err != nil {
		return err
	}
	all := make([]json.RawMessage, len(reports))
	for i, r := range reports {
		if all[i], err = r.JSON(); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(all)
}

// reportsText is the same for people.
func (m *metadata) reportsText(out io.Writer) error {
	reports, err := m.reports()
	for _, r := range reports {
		if _, err := io.WriteString(out, r.Text()); err != nil {
			return err
		}
	}
	return err
}

func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
