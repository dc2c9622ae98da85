package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/source"
	"wfs/formats/view"
)

// ListOptions are the flags of wfs ls.
type ListOptions struct {
	ViewOptions
	JSON bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *ListOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON, with exact sizes")
	o.ViewOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *ListOptions) Validate(args []string) error {
	if len(args) != 1 {
		return usagef("ls takes one SOURCE")
	}
	return o.ViewOptions.Validate()
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
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) list(opt *ListOptions, source string) error {
	plan, err := opt.open(source)
	if err != nil {
		return err
	}
	defer plan.Model.Close()
	tensors := listedTensors(plan, &opt.ViewOptions)
	if opt.JSON {
		return listJSON(a.stdout, plan, tensors)
	}
	a.printNotes(plan.Notes())
	listTable(a.stdout, plan, tensors)
	return nil
}

// listed is a tensor of the list, and the file that it is in. Both have the directory of
// their weights in front.
type listed struct {
	key, file string
	*checkpoint.Tensor
	source source.Source
}

// listedTensors are the tensors of a plan under the keys by which ls lists them: those of the
// files, and of a view that the flags ask for its own.
func listedTensors(plan *view.Plan, opt *ViewOptions) iter.Seq[listed] {
	if opt.changed() {
		return viewTensors(plan)
	}
	return fileTensors(plan)
}

// fileTensors goes over what the files hold, in their order.
func fileTensors(plan *view.Plan) iter.Seq[listed] {
	return func(yield func(listed) bool) {
		for of, t := range plan.Model.Tensors() {
			if !yield(listed{of.Set.Qualify(t.Key), of.Set.Join(of.Source.Name()), t, of.Source}) {
				return
			}
		}
	}
}

// viewTensors goes over what the views hold, under the keys that they have in them. Ties
// stay as they are: their names are those of the file.
func viewTensors(plan *view.Plan) iter.Seq[listed] {
	return func(yield func(listed) bool) {
		for _, set := range plan.Sets {
			for _, f := range set.Files {
				for _, e := range f.Entries {
					if !yield(listed{set.Qualify(e.Key), set.Join(f.Source.Name()), e.Tensor, f.Source}) {
						return
					}
				}
			}
		}
	}
}

// omitted is what no file of a view can hold.
func omitted(plan *view.Plan) []checkpoint.Omitted {
	all := []checkpoint.Omitted{}
	for _, s := range plan.Model.Shards() {
		all = append(all, s.Omitted...)
	}
	return all
}

// listTable prints aligned columns: two passes, because a table of 100 000 rows
// is not worth keeping.
func listTable(w *bufio.Writer, plan *view.Plan, tensors iter.Seq[listed]) {
	header := [...]string{"KEY", "DTYPE", "SHAPE", "SIZE", "TIED"}
	var width [4]int
	row := func(t listed) [5]string {
		tied := ""
		if t.Tied != nil {
			tied = visible(t.Tied.Key)
		}
		return [5]string{visible(t.key), t.DType.String(), shapeText(t.Shape), humanSize(t.Data.Size()), tied}
	}
	for i := range width {
		width[i] = len(header[i])
	}
	for t := range tensors {
		cells := row(t)
		for i := range width {
			width[i] = max(width[i], utf8.RuneCountInString(cells[i]))
		}
	}
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
	for t := range tensors {
		print(row(t))
	}
	for _, o := range omitted(plan) {
		fmt.Fprintf(w, "left out: %s: %s\n", visible(o.Key), visible(o.Reason))
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

func listJSON(w *bufio.Writer, plan *view.Plan, tensors iter.Seq[listed]) error {
	out := struct {
		Source  string               `json:"source"`
		Notes   []string             `json:"notes"`
		Omitted []checkpoint.Omitted `json:"omitted"`
		Tensors []tensorEntry        `json:"tensors"`
	}{plan.Model.Path, append([]string{}, plan.Notes()...), omitted(plan), []tensorEntry{}}
	for t := range tensors {
		e := tensorEntry{
			Key: t.key, DType: t.DType.String(), Shape: append([]int64{}, t.Shape...), Bytes: t.Data.Size(), File: t.file, Hidden: t.Hidden,
		}
		if !utf8.ValidString(t.key) {
			e.Hex = fmt.Sprintf("%x", t.key)
		}
		if t.Tied != nil {
			e.Tied = t.Tied.Key
		}
		out.Tensors = append(out.Tensors, e)
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
func visible(s string) string { return keys.Visible(s) }
