package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/diff"
	"wfs/formats/keys"
	"wfs/formats/quantity"
	"wfs/formats/view"
)

// SideOptions choose the views of two sources that are compared.
type SideOptions struct {
	ViewOptions
	RootA, RootB string
}

// AddFlags registers the flags.
func (o *SideOptions) AddFlags(flags *pflag.FlagSet) {
	o.ViewOptions.AddFlags(flags)
	flags.StringVar(&o.RootA, "root-a", o.RootA, "`key` of --root for A alone")
	flags.StringVar(&o.RootB, "root-b", o.RootB, "`key` of --root for B alone")
}

// open opens both sides. Who gets the plans closes their models.
func (o *SideOptions) open(a, b string) (plans [2]*view.Plan, err error) {
	sides := [2]ViewOptions{o.ViewOptions, o.ViewOptions}
	for i, root := range []string{o.RootA, o.RootB} {
		if root != "" {
			sides[i].Root = root
		}
	}
	if plans[0], err = sides[0].open(a); err != nil {
		return plans, err
	}
	if plans[1], err = sides[1].open(b); err != nil {
		plans[0].Close()
	}
	return plans, err
}

// DiffOptions are the flags of wfs diff.
type DiffOptions struct {
	SideOptions
	ProgressOptions
	Atol, Rtol   float64
	Brief, Quick bool
	Stat         bool
	Depth        int
	JSON         bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *DiffOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(&o.Brief, "brief", "q", o.Brief, "say which tensors differ, not how: reading ends at the first difference of each")
	flags.BoolVar(&o.Quick, "quick", o.Quick, "compare keys, dtypes and shapes alone, and read no tensor")
	flags.Float64Var(&o.Atol, "atol", o.Atol, "absolute tolerance: |a - b| <= atol + rtol * |b| is no difference")
	flags.Float64Var(&o.Rtol, "rtol", o.Rtol, "relative tolerance, of |b|")
	flags.BoolVar(&o.Stat, "stat", o.Stat, "print a line for each prefix of keys")
	flags.IntVar(&o.Depth, "depth", o.Depth, "with --stat, the parts of a prefix (default: as many as give 40 lines)")
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON")
	o.ProgressOptions.AddFlags(flags)
	o.SideOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *DiffOptions) Validate(args []string) error {
	switch {
	case len(args) < 2 || args[0] == "" || args[1] == "":
		return usagef("diff takes two sources, A and B, and after them patterns of keys")
	case !(o.Atol >= 0) || !(o.Rtol >= 0):
		return usagef("--atol and --rtol are not negative")
	case o.Quick && (o.Brief || o.Atol > 0 || o.Rtol > 0):
		return usagef("--quick reads no values: it goes with neither --brief nor a tolerance")
	case o.Stat && o.JSON:
		return usagef("--stat is for people: --json has every tensor")
	case o.Depth < 0 || o.Depth > 0 && !o.Stat:
		return usagef("--depth is a number of parts, and goes with --stat")
	}
	if err := o.ProgressOptions.Validate(); err != nil {
		return err
	}
	return o.SideOptions.Validate()
}

func newDiff(a *app) *cobra.Command {
	opt := &DiffOptions{}
	cmd := &cobra.Command{
		Use:        "diff [flags] A B [KEY...]",
		SuggestFor: []string{"compare", "cmp", "h5diff", "delta"},
		Short:      "compare the tensors of two sources of any formats",
		Long: `
Compares keys, dtypes, shapes and values of two views, and prints a line for each difference
and one with their numbers. KEY is a key or a pattern (*, ?, [a-z], {a,b}): only what it
matches, and what lies below, is compared.

  removed, added  a key that only A, or only B, has
  renamed         another key, the same bytes. Where one prefix makes all keys that are left
                  those of the other side, they are compared without it
  shape, dtype    another shape or dtype; values of other dtypes are compared all the same
  changed         values differ: how many, the largest |a - b| and where, its mean, the largest
                  |a - b| / |b|, the largest distance in floating-point numbers (ulp), the
                  cosine of both; NaNs and infinities on each side
  bits, close     equal values in other bytes (-0, another NaN), and values within --atol and
                  --rtol, as numpy.allclose(a, b) has it: these are no differences

bfloat16, float16, float8 and the blocks of GGUF are widened exactly; differences are computed
in float64, of whole numbers in 64 bits. Two NaNs at one place are equal. What wfs does not read
as numbers (float6) is compared as bytes.

Tensors of one file (the same inode, size and times) under one key are not read. --quick reads
no other either: it says what headers say, and how many tensors were not compared. With
--brief the values are read to the first difference of each tensor.`,
		Example: `
  wfs diff base.pt tuned.safetensors
  wfs diff --stat llama-base llama-tuned                 # a line for each layer
  wfs diff --atol 1e-6 a.h5 b.h5 'dense*'                # close enough, of some layers
  wfs diff --root-a model --root-b ema train.ckpt train.ckpt
  wfs diff --quick a b && echo the same keys, dtypes and shapes`,
		Annotations:       exitCodes("0 no difference, 1 differences, 2 trouble or wrong usage"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault, cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE: func(_ *cobra.Command, args []string) error {
			return a.orTrouble(a.diff(opt, args[0], args[1], args[2:]))
		},
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	completeFlag(cmd, "root-a", completeRoot)
	completeFlag(cmd, "root-b", func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completeRoot(cmd, args[min(1, len(args)):], typed)
	})
	for _, name := range []string{"atol", "rtol", "depth"} {
		completeFlag(cmd, name, cobra.NoFileCompletions)
	}
	return cmd
}

// orTrouble gives errors the exit code of diff(1), and writes out what was printed: where
// that fails it is trouble too.
func (a *app) orTrouble(err error) error {
	var code exitError
	lost := a.stdout.Flush()
	switch {
	case err != nil && !errors.As(err, &code):
		return troubleError{err}
	case lost != nil:
		return troubleError{lost}
	}
	return err
}

func (a *app) diff(opt *DiffOptions, pathA, pathB string, patterns []string) error {
	plans, err := opt.open(pathA, pathB)
	if err != nil {
		return err
	}
	defer plans[0].Close()
	defer plans[1].Close()
	if !opt.JSON {
		a.printNotes(mergedNotes(plans))
	}
	c, err := compared(plans, patterns, diff.Options{Atol: opt.Atol, Rtol: opt.Rtol, Brief: opt.Brief})
	if err != nil {
		return err
	}
	if !opt.Quick {
		ctx := context.Background()
		if err := c.FindRenames(ctx, nil); err != nil {
			return err
		}
		p := a.startProgress(opt.ProgressOptions, "compared", c.Size())
		err := c.Compare(ctx, p.add)
		p.stop()
		if err != nil {
			return err
		}
		for _, p := range plans {
			if err := p.Verify(); err != nil {
				return err
			}
		}
	}
	entries := c.Entries()
	switch {
	case opt.JSON:
		err = diffJSON(a, plans, c, entries)
	case opt.Stat:
		printStat(a, opt, c, entries)
	default:
		printDiff(a, c, entries)
	}
	if err == nil && c.Differs() {
		return exitError(exitDiffers)
	}
	return err
}

// mergedNotes is the notes of both sides, each once.
func mergedNotes(plans [2]*view.Plan) []string {
	notes := plans[0].Notes()
	for _, n := range plans[1].Notes() {
		if !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return notes
}

// compared pairs the tensors of two plans that patterns match. A pattern that matches nothing
// is an error.
func compared(plans [2]*view.Plan, patterns []string, opt diff.Options) (*diff.Comparison, error) {
	selected := keys.Select(patterns)
	var sides [2][]diff.Tensor
	for i, plan := range plans {
		for _, t := range sideTensors(plan) {
			if selected.Takes(t.Key) {
				sides[i] = append(sides[i], t)
			}
		}
	}
	if pattern, ok := selected.Unused(); ok {
		near := keys.Nearest(pattern, func(yield func(string) bool) {
			for _, plan := range plans {
				for _, t := range sideTensors(plan) {
					if !yield(t.Key) {
						return
					}
				}
			}
		})
		return nil, fmt.Errorf("neither side has a key that matches %.200q%s", pattern, didYouMean(near))
	}
	return diff.New(sides[0], sides[1], opt), nil
}

// sideTensors is the tensors of the views of a plan, with their files.
func sideTensors(plan *view.Plan) []diff.Tensor {
	var all []diff.Tensor
	seen := map[string]bool{}
	for e, source := range viewEntries(plan) {
		t := diff.Tensor{Key: e.Key, Tensor: e.Tensor, Source: source}
		for seen[t.Key] { // of two sets of a hostile directory
			t.Key += "%"
		}
		seen[t.Key] = true
		all = append(all, t)
	}
	return all
}

// printDiff prints a line for each difference, and for what is worth knowing besides.
func printDiff(a *app, c *diff.Comparison, entries []diff.Entry) {
	shown := slices.DeleteFunc(slices.Clone(entries), func(e diff.Entry) bool {
		return e.Kind == diff.KindEqual || e.Kind == diff.KindIdentical || e.Kind == diff.KindUnread
	})
	const widest = 60
	width := 0
	for _, e := range shown {
		width = max(width, min(widest, utf8.RuneCountInString(visible(e.Key))))
	}
	if p := c.Prefix; p != nil {
		fmt.Fprintln(a.stdout, prefixText(p))
	}
	for _, e := range shown {
		if p := c.Prefix; p != nil && e.KeyB != "" && e.Kind != diff.KindRenamed {
			e.KeyB = "" // the line above says it
		}
		fmt.Fprintln(a.stdout, e.Text(width))
	}
	fmt.Fprintln(a.stdout, diff.Count(entries))
}

// prefixText says how the keys of two sides differ.
func prefixText(p *diff.Prefix) string {
	return fmt.Sprintf("renamed    %s: %s in A is %s in B", quantity.Of(p.Count, "key"), visible(p.A+"*"), visible(p.B+"*"))
}

// diffJSON prints all there is to know, but for the tensors that are equal.
func diffJSON(a *app, plans [2]*view.Plan, c *diff.Comparison, entries []diff.Entry) error {
	type prefix struct {
		A     string `json:"a"`
		B     string `json:"b"`
		Count int    `json:"count"`
	}
	out := struct {
		A       string       `json:"a"`
		B       string       `json:"b"`
		Notes   []string     `json:"notes"`
		Same    bool         `json:"same"`
		Prefix  *prefix      `json:"prefix,omitempty"`
		Counts  diff.Counts  `json:"counts"`
		Tensors []diff.Entry `json:"tensors"`
	}{plans[0].Model.Path, plans[1].Model.Path, append([]string{}, mergedNotes(plans)...), !c.Differs(), nil, diff.Count(entries), []diff.Entry{}}
	if p := c.Prefix; p != nil {
		out.Prefix = &prefix{p.A, p.B, p.Count}
	}
	for _, e := range entries {
		if e.Kind != diff.KindEqual && e.Kind != diff.KindIdentical {
			out.Tensors = append(out.Tensors, e)
		}
	}
	return json.NewEncoder(a.stdout).Encode(out)
}

// statLines is how many lines --stat prints where --depth does not say it.
const statLines = 40

// printStat prints a line for each prefix.
func printStat(a *app, opt *DiffOptions, c *diff.Comparison, entries []diff.Entry) {
	depth := opt.Depth
	if depth == 0 {
		for depth = 1; depth < 16 && len(groups(entries, depth+1)) <= statLines; depth++ {
		}
	}
	if p := c.Prefix; p != nil {
		fmt.Fprintln(a.stdout, prefixText(p))
	}
	list := groups(entries, depth)
	width := len("PREFIX")
	for _, g := range list {
		width = max(width, utf8.RuneCountInString(visible(g.prefix)))
	}
	pad := func(s string) string { return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) }
	fmt.Fprintf(a.stdout, "%s  TENSORS  DIFFER  %12s  %12s  WHAT\n", pad("PREFIX"), "MAX", "MEAN")
	for _, g := range list {
		largest, mean := "-", "-"
		if g.elements > 0 {
			largest, mean = fmt.Sprintf("%.6g", g.max), fmt.Sprintf("%.6g", g.sum/float64(g.elements))
		}
		fmt.Fprintf(a.stdout, "%s  %7d  %6d  %12s  %12s  %s\n", pad(visible(g.prefix)), g.tensors, g.differ, largest, mean, diff.Count(g.entries))
	}
	fmt.Fprintln(a.stdout, diff.Count(entries))
}

// group is what lies below a prefix.
type group struct {
	prefix          string
	tensors, differ int
	elements        int64 // of those whose values differ
	max, sum        float64
	entries         []diff.Entry
}

// groups are the prefixes of so many parts, in the order of the entries.
func groups(entries []diff.Entry, depth int) []*group {
	var list []*group
	at := map[string]*group{}
	for _, e := range entries {
		prefix := e.Key
		for i, parts := 0, 0; i < len(prefix); i++ {
			if prefix[i] == '.' || prefix[i] == '/' {
				if parts++; parts == depth {
					prefix = prefix[:i]
				}
			}
		}
		g := at[prefix]
		if g == nil {
			g = &group{prefix: prefix}
			at[prefix] = g
			list = append(list, g)
		}
		g.tensors++
		g.entries = append(g.entries, e)
		if !e.Same() {
			g.differ++
		}
		if v := e.Values; v != nil {
			g.elements += v.Elements
			g.max = max(g.max, float64(v.MaxAbs))
			g.sum += float64(v.MeanAbs) * float64(v.Elements)
		}
	}
	return list
}
