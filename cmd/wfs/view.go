package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/rules"
	"wfs/formats/view"
)

// RulesOptions are the flags of wfs view.
type RulesOptions struct {
	ViewOptions
	ProgressOptions
	Explain, Check, Schema, JSON bool
	Example                      string
}

// AddFlags registers the flags. What is set already is their default.
func (o *RulesOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Explain, "explain", o.Explain, "print what each key becomes and why (this is what it does without a flag too)")
	flags.BoolVar(&o.Check, "check", o.Check, "read the tensors that a cast changes, and count the numbers that do not fit and the NaNs")
	flags.BoolVar(&o.JSON, "json", o.JSON, "of --explain and --check: print JSON")
	flags.BoolVar(&o.Schema, "schema", o.Schema, "print the JSON schema of files of rules, for editors")
	flags.StringVar(&o.Example, "example", o.Example, "print the example of the manual that has this `name`, or the names: list")
	o.ProgressOptions.AddFlags(flags)
	o.ViewOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *RulesOptions) Validate(args []string) error {
	alone := 0
	for _, set := range []bool{o.Explain, o.Check, o.Schema, o.Example != ""} {
		if set {
			alone++
		}
	}
	switch {
	case alone > 1:
		return usagef("--explain, --check, --schema and --example contradict each other")
	case o.Schema || o.Example != "":
		if len(args) > 0 {
			return usagef("--schema and --example take no arguments")
		}
		return nil
	case len(args) == 0 || len(args) > 2 || slices.Contains(args, ""):
		return usagef("view takes a FILE of rules and a SOURCE, or a SOURCE and flags")
	case len(args) == 2 && o.View != "":
		return usagef("--view names the file of rules already: view takes a SOURCE beside it")
	}
	if len(args) == 2 {
		o.View = args[0]
	}
	if err := o.ProgressOptions.Validate(); err != nil {
		return err
	}
	return o.ViewOptions.Validate()
}

func newView(a *app) *cobra.Command {
	opt := &RulesOptions{}
	cmd := &cobra.Command{
		Use:        "view [flags] [FILE] SOURCE",
		SuggestFor: []string{"rules", "explain", "plan", "convert", "rename", "cast", "schema"},
		Short:      "tell what rules make of the keys of a model, and why",
		Long:       viewHelp(),
		Example: `
  wfs view rules.toml ~/models/llama                   # what becomes of each key, and why
  wfs view --rename strip:module. --dtype bf16 m.pt    # the same for flags
  wfs view --check --dtype f8_e4m3 ~/models/llama      # does every number fit?
  wfs view --example experts > rules.toml              # a file to begin with
  wfs mount --view rules.toml ~/models/llama /mnt/model
  wfs view --schema > wfs.schema.json                  # then "#:schema ./wfs.schema.json" in the first line of the file`,
		Annotations:       exitCodes("0 success, 1 failure, or of --check a number that does not fit, 2 wrong usage"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault, cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case opt.Schema:
				_, err := io.WriteString(a.stdout, rules.Schema())
				return err
			case opt.Example != "":
				return a.printExample(opt.Example)
			}
			return a.view(opt, args[len(args)-1])
		},
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	names := []string{"list"}
	for _, e := range rules.Examples() {
		names = append(names, e.Name)
	}
	completeFlag(cmd, "example", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// viewHelp is the language in short.
func viewHelp() string {
	var b strings.Builder
	b.WriteString(`
A view is a model under other names, in other dtypes, merged or cut, computed while it is read. Rules
say which: flags, the same for mount, cp, ls, cat, diff, sum, report and serve, or --view FILE, a TOML
file that can say all that flags can and more. Whatever the order in the file, they go
  root, dequantize, [[rename]], [[tensor]], [[lora]], [select], [cast], tied, [shards]
A flag counts instead of the same line of FILE. --rename, --lora, --include, --exclude and --keep add to
its lists. Paths in FILE are relative to its directory.

Patterns of from stand for whole keys: {x} is a run without a dot or a slash, {x*} any run, {x#} a number,
{a|b|c} one of these, {{ a brace. /REGEX/ is a regular expression (RE2), whose groups are $1 or ${name};
[[rename]] replaces its first match, /REGEX/g all. --rename takes strip:PREFIX, or s/REGEX/NEW/ and
s/REGEX/NEW/g as sed has it. include, exclude and keep have patterns as wfs ls: * is any run.

[[rename]] has from and to. All renames, in turn, go over all keys.

[[tensor]] makes tensors of tensors: from (one pattern or several), to, and do, a list of steps. A key goes
to the first rule that matches it. A placeholder in from and to is a loop. In from alone it collects: all
keys that differ in it, in the order of their numbers, which the steps join; a number that is missing is an
error, and so is a loop that collects others than the next. In to alone it spreads: the steps take the tensor
apart. keep = true leaves the inputs in the view. A rule that matches nothing is an error, unless it says
optional = true. A rule with the same from and to, and no steps, lets keys pass by those after it.

[let] has numbers for steps, from config.json (heads = "config.num_attention_heads") or as they are; in
is the last dimension of the input. [sources] has further sources: b = "../B", or { path = "lora", kind =
"peft" } for adapters (peft, kohya, diffusers).

Steps that compute do so in float32, by fused multiply-adds, and what comes of them is rounded once, to
the dtype that the tensor had. The steps:
`)
	for _, line := range rules.Operators() {
		usage, does, _ := strings.Cut(line, "\t")
		fmt.Fprintf(&b, "  %s\n", usage)
		for _, l := range wrap(does, 94) {
			fmt.Fprintf(&b, "      %s\n", l)
		}
	}
	b.WriteString(`
--check reads what [cast] or --dtype changes, and counts numbers too large for the dtype (which become an infinity,
the largest number, or NaN by --overflow nan), infinities and NaNs, and numbers that become zero.

--json prints one object: source, notes, tensors (key, dtype, shape, file, from: keys of the source,
why: a line for each rule), and gone (key, why). With --check: casts, each with key, from, to, elements,
overflow, infinite, nan and underflow.`)
	return b.String()
}

func (a *app) printExample(name string) error {
	var names []string
	for _, e := range rules.Examples() {
		switch {
		case name == "list":
			comment, _, _ := strings.Cut(strings.TrimPrefix(e.Text, "# "), "\n")
			fmt.Fprintf(a.stdout, "%-12s%s\n", e.Name, comment)
		case name == e.Name:
			_, err := io.WriteString(a.stdout, e.Text)
			return err
		}
		names = append(names, e.Name)
	}
	if name == "list" {
		return nil
	}
	return usagef("there is no example %q%s: there are %s", name, didYouMean(keys.Nearest(name, slices.Values(names))), some(names))
}

// view explains a view, or checks its casts.
func (a *app) view(opt *RulesOptions, from string) error {
	wanted, err := opt.rules()
	if err != nil {
		return err
	}
	wanted.Explain = true
	plan, err := openPlan(opt.sources(), from, wanted)
	if err != nil {
		return err
	}
	defer plan.Close()
	if opt.Check {
		return a.checkCasts(opt, plan)
	}
	if opt.JSON {
		return a.explainJSON(plan)
	}
	a.printNotes(plan.Notes())
	a.explain(plan)
	return nil
}

// explained is a tensor of a view.
type explained struct {
	Key   string   `json:"key"`
	DType string   `json:"dtype"`
	Shape []int64  `json:"shape"`
	File  string   `json:"file"`
	From  []string `json:"from"`
	Why   []string `json:"why"`
}

// explainedTensors are those of the files of a view, in their order.
func explainedTensors(plan *view.Plan) []explained {
	all := []explained{}
	for _, set := range plan.Sets {
		for _, f := range set.Files {
			for _, e := range f.Entries {
				x := explained{set.Qualify(e.Key), e.DType.String(), append([]int64{}, e.Shape...), set.Join(f.Name), []string{e.Tensor.Key}, []string{}}
				if d := e.Derived; d != nil {
					x.From, x.Why = d.From, append(x.Why, d.Why...)
				}
				all = append(all, x)
			}
		}
	}
	return all
}

// mostReasons is how many lines a tensor has on a terminal; --json has all.
const mostReasons = 12

// explain prints a tensor with what it is made of and why, then what is gone.
func (a *app) explain(plan *view.Plan) {
	for _, t := range explainedTensors(plan) {
		fmt.Fprintf(a.stdout, "%s  %s %s  %s\n", oneLine(t.Key), t.DType, checkpoint.ShapeText(t.Shape), oneLine(t.File))
		switch from := t.From; {
		case len(from) > 3:
			fmt.Fprintf(a.stdout, "    of %d tensors, %s to %s\n", len(from), oneLine(from[0]), oneLine(from[len(from)-1]))
		case len(from) != 1 || from[0] != t.Key:
			fmt.Fprintf(a.stdout, "    of %s\n", oneLine(some(from)))
		}
		a.reasons(t.Why)
	}
	for _, g := range plan.Gone {
		fmt.Fprintf(a.stdout, "%s  is not in the view\n", oneLine(g.Key))
		a.reasons(g.Why)
	}
}

func (a *app) reasons(lines []string) {
	for i, line := range lines {
		if more := len(lines) - mostReasons; more > 1 && i == mostReasons-1 {
			fmt.Fprintf(a.stdout, "    and %d lines more\n    %s\n", more, oneLine(lines[len(lines)-1]))
			return
		}
		fmt.Fprintf(a.stdout, "    %s\n", oneLine(line))
	}
}

// wrap breaks a text at spaces into lines of so many letters.
func wrap(text string, most int) (lines []string) {
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len(line)+1+len(w) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(lines, line)
}
