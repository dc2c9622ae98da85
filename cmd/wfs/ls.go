package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/checkpoint"
)

// ListOptions are the flags of wfs ls.
type ListOptions struct {
	JSON bool
	Root string
}

// AddFlags registers the flags. What is set already is their default.
func (o *ListOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON, with exact sizes")
	flags.StringVar(&o.Root, "root", o.Root, "list the view of the state dict at this key, with the keys that it has there")
}

// Validate checks the command line.
func (o *ListOptions) Validate(args []string) error {
	if len(args) != 1 {
		return usagef("ls takes one SOURCE")
	}
	return nil
}

func newLs(a *app) *cobra.Command {
	opt := &ListOptions{}
	cmd := &cobra.Command{
		Use:        "ls [--json] [--root KEY] SOURCE",
		SuggestFor: []string{"list", "dir", "show", "info", "inspect", "keys", "tensors"},
		Short:      "list the tensors of a file or directory, without mounting it",
		Long: `
Prints key, dtype, shape, size and what a tensor is tied to, in the order of the file.
Of a directory, the keys of weights in subdirectories have the directory in front ("unet/conv_in.weight").
What a terminal would obey is escaped.

--json prints one object: source, notes, omitted (key and reason of what no file can hold) and
tensors, each with key, key_hex (only where the key is not UTF-8), dtype (the name that safetensors
has for it), shape, bytes, file, tied_to and not_in_view (a reason; both only where they apply).`,
		Example: `
  wfs ls model.pt
  wfs ls --json model.pt | jq '.tensors[].key'
  wfs ls --root ema_model checkpoint.pt     # what a view of that state dict holds`,
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.list(opt, args[0]) },
	}
	opt.AddFlags(cmd.Flags())
	completeFlag(cmd, "root", completeRoot)
	return cmd
}

func (a *app) list(opt *ListOptions, source string) error {
	raiseFileLimit()
	model, err := formats.Open(source, formats.Options{Root: opt.Root})
	if err != nil {
		return err
	}
	defer model.Close()
	if opt.Root != "" {
		viewOnly(model)
	}
	if opt.JSON {
		return listJSON(a.stdout, model)
	}
	a.printNotes(allNotes(model))
	listTable(a.stdout, model)
	return nil
}

// viewOnly leaves what the views hold, under the keys that they have in them. Ties
// stay as they are: their names are those of the file.
func viewOnly(model *checkpoint.Model) {
	for _, set := range model.Sets {
		for _, shard := range set.Shards {
			views := shard.View()
			tensors := make([]*checkpoint.Tensor, len(views))
			for i, v := range views {
				t := *v.Tensor
				t.Key = v.Key
				tensors[i] = &t
			}
			shard.Tensors = tensors
		}
	}
}

// each calls fn for every tensor with the directory of its weights in front of its key.
func each(model *checkpoint.Model, fn func(key, file string, t *checkpoint.Tensor)) {
	for _, set := range model.Sets {
		prefix := ""
		if set.Dir != "" {
			prefix = set.Dir + "/"
		}
		for _, shard := range set.Shards {
			for _, t := range shard.Tensors {
				fn(prefix+t.Key, prefix+shard.Source.Name(), t)
			}
		}
	}
}

// listTable prints aligned columns: two passes, because a table of 100 000 rows
// is not worth keeping.
func listTable(w *bufio.Writer, model *checkpoint.Model) {
	header := [...]string{"KEY", "DTYPE", "SHAPE", "SIZE", "TIED"}
	var width [4]int
	row := func(key string, t *checkpoint.Tensor) [5]string {
		tied := ""
		if t.Tied != nil {
			tied = visible(t.Tied.Key)
		}
		return [5]string{visible(key), t.DType.String(), shapeText(t.Shape), humanSize(t.Data.Size()), tied}
	}
	for i := range width {
		width[i] = len(header[i])
	}
	each(model, func(key, _ string, t *checkpoint.Tensor) {
		cells := row(key, t)
		for i := range width {
			width[i] = max(width[i], utf8.RuneCountInString(cells[i]))
		}
	})
	print := func(cells [5]string) {
		for i, cell := range cells[:4] {
			pad := width[i] - utf8.RuneCountInString(cell) + 2
			if i == 3 { // sizes to the right
				w.WriteString(strings.Repeat(" ", pad-2))
				w.WriteString(cell)
				continue
			}
			w.WriteString(cell)
			w.WriteString(strings.Repeat(" ", pad))
		}
		if cells[4] != "" {
			w.WriteString("  " + cells[4])
		}
		w.WriteByte('\n')
	}
	print(header)
	each(model, func(key, _ string, t *checkpoint.Tensor) { print(row(key, t)) })
	for _, set := range model.Sets {
		for _, s := range set.Shards {
			for _, o := range s.Omitted {
				fmt.Fprintf(w, "left out: %s: %s\n", visible(o.Key), visible(o.Reason))
			}
		}
	}
}

// tensorEntry is a tensor in the JSON of ls.
type tensorEntry struct {
	Key    string  `json:"key"`
	Hex    string  `json:"key_hex,omitempty"` // where the key is not UTF-8
	DType  string  `json:"dtype"`
	Shape  []int64 `json:"shape"`
	Bytes  int64   `json:"bytes"`
	File   string  `json:"file"`
	Tied   string  `json:"tied_to,omitempty"`
	Hidden string  `json:"not_in_view,omitempty"`
}

func listJSON(w *bufio.Writer, model *checkpoint.Model) error {
	out := struct {
		Source  string               `json:"source"`
		Notes   []string             `json:"notes"`
		Omitted []checkpoint.Omitted `json:"omitted"`
		Tensors []tensorEntry        `json:"tensors"`
	}{model.Path, append([]string{}, allNotes(model)...), []checkpoint.Omitted{}, []tensorEntry{}}
	each(model, func(key, file string, t *checkpoint.Tensor) {
		e := tensorEntry{
			Key: key, DType: t.DType.String(), Shape: append([]int64{}, t.Shape...), Bytes: t.Data.Size(), File: file, Hidden: t.Hidden,
		}
		if !utf8.ValidString(key) {
			e.Hex = fmt.Sprintf("%x", key)
		}
		if t.Tied != nil {
			e.Tied = t.Tied.Key
		}
		out.Tensors = append(out.Tensors, e)
	})
	for _, set := range model.Sets {
		for _, s := range set.Shards {
			out.Omitted = append(out.Omitted, s.Omitted...)
		}
	}
	return json.NewEncoder(w).Encode(out)
}

func shapeText(shape []int64) string {
	b := []byte{'['}
	for i, n := range shape {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}

// visible escapes what a terminal would obey.
func visible(s string) string {
	if s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
