package main

import (
	"iter"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/safetensors"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// layouts are the words that --layout takes.
var layouts = []string{tree.Full, tree.HF, tree.Tensors}

func checkLayout(layout string) error {
	if !slices.Contains(layouts, layout) {
		return usagef("--layout is full, hf or tensors, not %q", layout)
	}
	return nil
}

// ViewOptions are the flags that say which view of a source a command works on. Every
// command that opens a source embeds them: a rule is a field, a flag and a line of rules
// here, and then each command has it.
type ViewOptions struct {
	Root string
}

// AddFlags registers the flags. What is set already is their default.
func (o *ViewOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Root, "root", o.Root, "`key` of the state dict that the view takes; . takes everything")
}

// completeFlags has the shell complete the values. It is called after AddFlags.
func (o *ViewOptions) completeFlags(cmd *cobra.Command) {
	completeFlag(cmd, "root", completeRoot)
}

// Validate checks the flags and touches nothing.
func (o *ViewOptions) Validate() error { return nil }

// rules is what the flags ask of a view.
func (o *ViewOptions) rules() view.Rules { return view.Rules{Root: o.Root} }

// changed reports whether the flags ask for another view than that of the source alone:
// then its keys are those to list.
func (o *ViewOptions) changed() bool { return *o != ViewOptions{} }

// open opens a source and plans its view. Who gets the plan closes its Model.
func (o *ViewOptions) open(source string) (*view.Plan, error) { return openPlan(source, o.rules()) }

// openPlan opens a source and plans the view that rules say.
func openPlan(source string, rules view.Rules) (*view.Plan, error) {
	model, err := formats.Open(source)
	if err != nil {
		return nil, err
	}
	plan, err := view.New(model, rules)
	if err != nil {
		model.Close()
	}
	return plan, err
}

// viewEntries goes over the tensors of the views of a plan and the files that they are from,
// under the keys that they have in the files of the views: a file that was written from one
// has the same.
func viewEntries(plan *view.Plan) iter.Seq2[checkpoint.Entry, source.Source] {
	return func(yield func(checkpoint.Entry, source.Source) bool) {
		for _, set := range plan.Sets {
			for _, f := range set.Files {
				for i, key := range safetensors.HeaderKeys(f.Entries) {
					if !yield(checkpoint.Entry{Key: set.Qualify(key), Tensor: f.Entries[i].Tensor}, f.Source) {
						return
					}
				}
			}
		}
	}
}
