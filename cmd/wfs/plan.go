package main

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
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
	Root             string
	Dequantize       string
	Include, Exclude []string
	DType            string
	Keep             []string
	Tied             string
	ShardSize        string
	MergeShards      bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *ViewOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Root, "root", o.Root, "`key` of the state dict that the view takes; . takes everything")
	flags.StringVar(&o.Dequantize, "dequantize", o.Dequantize, "show quantized weights as plain ones; =f32, =f16 or =bf16 says which `dtype`")
	flags.Lookup("dequantize").NoOptDefVal = "auto"
	flags.StringArrayVar(&o.Include, "include", o.Include, "`pattern` of the keys that the view has (repeatable)")
	flags.StringArrayVar(&o.Exclude, "exclude", o.Exclude, "`pattern` of keys that the view lacks (repeatable)")
	flags.StringVar(&o.DType, "dtype", o.DType, "cast floating-point tensors to this `dtype`: f32, bf16, f16, f8_e4m3 or f8_e5m2")
	flags.StringArrayVar(&o.Keep, "keep", o.Keep, "`pattern` of keys that --dtype leaves as they are (repeatable)")
	flags.StringVar(&o.Tied, "tied", o.Tied, "keep, or drop all names but the first of tied tensors")
	flags.StringVar(&o.ShardSize, "shard-size", o.ShardSize, "split the view into files of this `size` of tensors: 5GB, 512MiB")
	flags.BoolVar(&o.MergeShards, "merge-shards", o.MergeShards, "make one file of the shards of the source")
}

// completeFlags has the shell complete the values. It is called after AddFlags.
func (o *ViewOptions) completeFlags(cmd *cobra.Command) {
	completeFlag(cmd, "root", completeRoot)
	completeFlag(cmd, "dtype", cobra.FixedCompletions([]string{"bf16", "f16", "f32", "f8_e4m3", "f8_e5m2"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "tied", cobra.FixedCompletions([]string{"keep", "drop"}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the flags and touches nothing.
func (o *ViewOptions) Validate() error {
	_, err := o.rules()
	return err
}

// castable are the dtypes that --dtype takes.
var castable = map[string]checkpoint.DType{
	"f32": checkpoint.F32, "float32": checkpoint.F32, "bf16": checkpoint.BF16, "bfloat16": checkpoint.BF16, "f16": checkpoint.F16, "float16": checkpoint.F16,
	"f8_e4m3": checkpoint.F8E4M3, "float8_e4m3fn": checkpoint.F8E4M3, "f8_e5m2": checkpoint.F8E5M2, "float8_e5m2": checkpoint.F8E5M2,
}

// rules is what the flags ask of a view.
func (o *ViewOptions) rules() (view.Rules, error) {
	r := view.Rules{Root: o.Root, Select: view.Select{Include: o.Include, Exclude: o.Exclude}, DropTied: o.Tied == "drop"}
	r.Keep, r.Merge = o.Keep, o.MergeShards
	if o.Dequantize != "" {
		r.Dequantize.Wanted, r.Dequantize.To = true, castable[strings.ToLower(o.Dequantize)]
		if to := r.Dequantize.To; to.Bits() == 8 || to == checkpoint.Invalid && o.Dequantize != "auto" {
			return r, usagef("--dequantize is for f32, f16 or bf16, not %q", o.Dequantize)
		}
	}
	if o.DType != "" {
		if r.Cast.To = castable[strings.ToLower(o.DType)]; r.Cast.To == checkpoint.Invalid {
			return r, usagef("--dtype is f32, bf16, f16, f8_e4m3 or f8_e5m2, not %q", o.DType)
		}
	} else if len(o.Keep) > 0 {
		return r, usagef("--keep is for --dtype, which is not given")
	}
	if o.Tied != "" && o.Tied != "keep" && o.Tied != "drop" {
		return r, usagef("--tied is keep or drop, not %q", o.Tied)
	}
	if o.ShardSize != "" {
		var err error
		if r.Size, err = quantity.ParseBytes(o.ShardSize); err != nil {
			return r, usagef("--shard-size: %v", err)
		}
		if r.Size == 0 || o.MergeShards {
			return r, usagef("--shard-size is more than 0, and not for --merge-shards, which makes one file")
		}
	}
	return r, nil
}

// changed reports whether the flags ask for another view than that of the source alone:
// then its keys are those to list.
func (o *ViewOptions) changed() bool { return !reflect.DeepEqual(*o, ViewOptions{}) }

// open opens a source and plans its view. Who gets the plan closes it.
func (o *ViewOptions) open(source string) (*view.Plan, error) {
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	return openPlan(source, rules)
}

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
