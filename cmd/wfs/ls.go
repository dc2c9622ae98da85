package main

import (
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/view"
)

// sorts and colors are the words that flags of ls take.
var (
	sorts  = []string{"file", "name", "size"}
	colors = []string{"auto", "always", "never"}
)

// ListOptions are the flags of wfs ls.
type ListOptions struct {
	ViewOptions
	Tree, Long, JSON, TSV bool
	Depth                 int
	Sort, Color           string
}

// AddFlags registers the flags. What is set already is their default.
func (o *ListOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(&o.Long, "long", "l", o.Long, "exact sizes, the number of elements and the file of each tensor too")
	flags.BoolVar(&o.Tree, "tree", o.Tree, "fold keys into directories, with the number of tensors and the size of each")
	flags.IntVar(&o.Depth, "depth", o.Depth, "of --tree: show `N` levels, 0 for all")
	flags.StringVar(&o.Sort, "sort", o.Sort, "by file (its own order), name (layer 2 before layer 10) or size (the largest first)")
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON, with exact sizes")
	flags.BoolVar(&o.TSV, "tsv", o.TSV, "print a header and lines of tab-separated columns, for cut and awk")
	flags.StringVar(&o.Color, "color", o.Color, "auto (on a terminal, unless NO_COLOR is set), always or never")
	o.ViewOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *ListOptions) Validate(args []string) error {
	if len(args) == 0 || args[0] == "" {
		return usagef("ls takes a SOURCE, and patterns of keys")
	}
	forms := 0
	for _, set := range []bool{o.Tree, o.JSON, o.TSV} {
		if set {
			forms++
		}
	}
	switch {
	case forms > 1:
		return usagef("--tree, --json and --tsv contradict each other")
	case !slices.Contains(sorts, o.Sort):
		return usagef("--sort is file, name or size, not %q", o.Sort)
	case !slices.Contains(colors, o.Color):
		return usagef("--color is auto, always or never, not %q", o.Color)
	case o.Depth < 0:
		return usagef("--depth is a number of levels, not %d", o.Depth)
	}
	return o.ViewOptions.Validate()
}

func newLs(a *app) *cobra.Command {
	opt := &ListOptions{Sort: "file", Color: "auto", Depth: 3}
	cmd := &cobra.Command{
		Use:        "ls [flags] SOURCE [PATTERN...]",
		SuggestFor: []string{"list", "dir", "show", "info", "inspect", "keys", "tensors", "tree", "du"},
		Short:      "list the tensors of a file or directory, without mounting it",
		Long: `
Prints key, dtype, shape, size and what a tensor is tied to, in the order of the file.
Of a directory, the keys of weights in subdirectories have the directory in front ("unet/conv_in.weight").
A PATTERN picks keys, and all that lies below them: * is anything, ? one character, [0-3] and
{q,k} a choice. Of a directory with several models it lists those.

A terminal gets the totals after the list (tensors that are tied count once), and keys that
are cut to its width; a pipe gets the list alone, always the same. What a terminal would obey is escaped.

--json prints one object: source, notes, omitted (key and reason of what no file can hold),
tensors, each with key, key_hex (only where the key is not UTF-8), dtype (the name that safetensors
has for it), shape, bytes, file, tied_to and not_in_view (a reason; both only where they apply),
and totals: tensors, parameters, bytes and bytes of each dtype.`,
		Example: `
  wfs ls model.pt
  wfs ls --tree ~/models/llama
  wfs ls model.pt 'layers.0.*.weight' lm_head
  wfs ls --sort size model.pt | head
  wfs ls --json model.pt | jq '.tensors[].key'
  wfs ls --root ema_model checkpoint.pt     # what a view of that state dict holds`,
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.list(opt, args[0], args[1:]) },
	}
	opt.AddFlags(cmd.Flags())
	completeFlag(cmd, "sort", cobra.FixedCompletions(sorts, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "color", cobra.FixedCompletions(colors, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "depth", cobra.NoFileCompletions)
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) list(opt *ListOptions, from string, patterns []string) error {
	l := &listing{app: a, opt: opt, style: newStyle(opt.Color)}
	plan, err := opt.open(from)
	var several *checkpoint.Several
	if errors.As(err, &several) && len(patterns) == 0 {
		return l.models(from, several.Models)
	}
	if err != nil {
		return err
	}
	defer plan.Close()
	l.plan = plan
	if l.tensors, err = pick(plan, &opt.ViewOptions, patterns); err != nil {
		return err
	}
	switch opt.Sort {
	case "name":
		slices.SortStableFunc(l.tensors, func(a, b listed) int { return keys.Compare(a.key, b.key) })
	case "size":
		slices.SortStableFunc(l.tensors, bySize)
	}
	if len(patterns) == 0 {
		l.omitted = omitted(plan)
	}
	if opt.JSON {
		return l.json()
	}
	a.printNotes(plan.Notes())
	switch {
	case opt.TSV:
		l.tsv()
	case opt.Tree:
		l.tree()
	default:
		l.table()
	}
	return nil
}

// listing is one run of wfs ls.
type listing struct {
	*app
	opt     *ListOptions
	style   style
	plan    *view.Plan
	tensors []listed
	omitted []checkpoint.Omitted
}

// listed is a tensor of the list, and the file that it is in. Both have the directory of
// their weights in front.
type listed struct {
	key, file string
	*checkpoint.Tensor
	source source.Source
	// place is that directory, and separator what splits the rest of the key.
	place, separator string
}

// bySize puts the largest first.
func bySize(a, b listed) int {
	if m, n := a.Data.Size(), b.Data.Size(); m != n {
		if m > n {
			return -1
		}
		return 1
	}
	return keys.Compare(a.key, b.key)
}

// elements is the number of a tensor's parameters.
func (t listed) elements() int64 {
	n, err := segment.Count(t.Shape)
	if err != nil {
		return 0 // no reader gives out such a tensor
	}
	return n
}

// parts are the directories of the key, and its last part.
func (t listed) parts() []string {
	key, parts := t.key, []string(nil)
	if t.place != "" {
		parts = strings.Split(t.place, "/")
		key = strings.TrimPrefix(key, t.place+"/")
	}
	return append(parts, strings.Split(key, t.separator)...)
}

// pick is the tensors of a plan that one of the patterns matches. One that matches none is an
// error.
func pick(plan *view.Plan, opt *ViewOptions, patterns []string) ([]listed, error) {
	selected := keys.Select(patterns)
	var found []listed
	for t := range listedTensors(plan, opt) {
		if selected.Takes(t.key) {
			found = append(found, t)
		}
	}
	if pattern, ok := selected.Unused(); ok {
		return nil, noSuchKey(plan.Model.Path, pattern, keysOf(listedTensors(plan, opt)))
	}
	return found, nil
}

// keysOf is the keys of tensors.
func keysOf(tensors iter.Seq[listed]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for t := range tensors {
			if !yield(t.key) {
				return
			}
		}
	}
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
			if !yield(listed{of.Set.Qualify(t.Key), of.Set.Join(of.Source.Name()), t, of.Source, of.Set.Place(), of.Separator}) {
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
			for i, f := range set.Files {
				separator := set.Set.Shards[i].Separator
				for _, e := range f.Entries {
					if !yield(listed{set.Qualify(e.Key), set.Join(f.Source.Name()), e.Tensor, f.Source, set.Place(), separator}) {
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
