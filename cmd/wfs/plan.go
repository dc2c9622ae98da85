package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
	"wfs/formats/rules"
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
	View             string
	Root             string
	Dequantize       string
	Rename           []string
	Lora             []string
	Include, Exclude []string
	DType            string
	Keep             []string
	Overflow         string
	Tied             string
	ShardSize        string
	MergeShards      bool
	RemoteOptions
	file *ruleFile // that of View, once it was read
}

// ruleFile is a file of rules.
type ruleFile struct {
	text  []byte
	rules *rules.File
}

// AddFlags registers the flags. What is set already is their default.
func (o *ViewOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.View, "view", o.View, "`file` of rules for the view (TOML; wfs view tells more); flags add to it")
	flags.StringVar(&o.Root, "root", o.Root, "`key` of the state dict that the view takes; . takes everything")
	flags.StringVar(&o.Dequantize, "dequantize", o.Dequantize, "show quantized weights as plain ones; =f32, =f16 or =bf16 says which `dtype`")
	flags.Lookup("dequantize").NoOptDefVal = ownDType
	flags.StringArrayVar(&o.Rename, "rename", o.Rename, "`rule` that gives keys other names: s/REGEX/NEW/, strip:PREFIX (repeatable)")
	flags.StringArrayVar(&o.Lora, "lora", o.Lora, "`adapter` to merge into the weights, and its weight: DIR, FILE, DIR:0.7 (repeatable)")
	flags.StringArrayVar(&o.Include, "include", o.Include, "`pattern` of the keys that the view has (repeatable)")
	flags.StringArrayVar(&o.Exclude, "exclude", o.Exclude, "`pattern` of keys that the view lacks (repeatable)")
	flags.StringVar(&o.DType, "dtype", o.DType, "cast floating-point tensors to this `dtype`: f32, bf16, f16, f8_e4m3 or f8_e5m2")
	flags.StringArrayVar(&o.Keep, "keep", o.Keep, "`pattern` of keys that --dtype leaves as they are (repeatable)")
	flags.StringVar(&o.Overflow, "overflow", o.Overflow, "what --dtype f8_e4m3 makes of numbers that are too `large`: saturate (as torch does) or nan")
	flags.StringVar(&o.Tied, "tied", o.Tied, "keep, or drop all names but the first of tied tensors")
	flags.StringVar(&o.ShardSize, "shard-size", o.ShardSize, "split the view into files of this `size` of tensors: 5GB, 512MiB")
	flags.BoolVar(&o.MergeShards, "merge-shards", o.MergeShards, "make one file of the shards of the source")
	o.RemoteOptions.AddFlags(flags)
}

// completeFlags has the shell complete the values. It is called after AddFlags.
func (o *ViewOptions) completeFlags(cmd *cobra.Command) {
	completeFlag(cmd, "root", completeRoot)
	completeFlag(cmd, "dtype", cobra.FixedCompletions([]string{"bf16", "f16", "f32", "f8_e4m3", "f8_e5m2"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "overflow", cobra.FixedCompletions([]string{rules.Saturate, rules.NaN}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "tied", cobra.FixedCompletions([]string{"keep", "drop"}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the flags, and what the file of rules says.
func (o *ViewOptions) Validate() error {
	if err := o.RemoteOptions.Validate(); err != nil {
		return err
	}
	_, err := o.rules()
	return err
}

// rules is what the file of rules and the flags ask of a view.
func (o *ViewOptions) rules() (view.Rules, error) {
	f, err := o.flags()
	if err == nil && o.View != "" {
		if o.file == nil {
			o.file, err = readRules(o.View)
		}
		if err == nil {
			f = o.file.rules.With(f)
		}
	}
	if err == nil && len(f.CastKeep) > 0 && !f.Cast.Set {
		err = usagef("--keep is for --dtype, which is not given")
	}
	if err == nil && f.ShardSize.Set && f.Merge.Value {
		err = usagef("--shard-size splits the view, and --merge-shards makes one file: take one of them")
	}
	open := func(name string) (*checkpoint.Model, error) { return o.sources().Open(name) }
	return view.Rules{File: f, Open: open}, err
}

// flags is the rules that flags make.
func (o *ViewOptions) flags() (*rules.File, error) {
	f := &rules.File{
		Include: rules.Globs("--include", o.Include), Exclude: rules.Globs("--exclude", o.Exclude), CastKeep: rules.Globs("--keep", o.Keep),
	}
	if o.Root != "" {
		f.Root = rules.Flag("--root", o.Root)
	}
	for _, text := range o.Rename {
		r, err := rules.ParseRename("--rename", text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		f.Renames = append(f.Renames, r)
	}
	for _, text := range o.Lora {
		f.Loras = append(f.Loras, parseLora(text))
	}
	if o.DType != "" {
		to, err := rules.DType(o.DType)
		if err != nil {
			return nil, usagef("--dtype: %v", err)
		}
		f.Cast = rules.Flag("--dtype", to)
	}
	if o.Dequantize != "" {
		to, err := checkpoint.Invalid, error(nil)
		if o.Dequantize != ownDType {
			to, err = rules.DType(o.Dequantize)
		}
		if err != nil || to.Bits() == 8 {
			return nil, usagef("--dequantize is for f32, f16 or bf16, not %q", o.Dequantize)
		}
		f.Dequantize = rules.Flag("--dequantize", to)
	}
	for _, word := range []struct {
		flag, value, one, other string
		set                     *rules.Setting[string]
	}{
		{"--overflow", o.Overflow, rules.Saturate, rules.NaN, &f.Overflow},
		{"--tied", o.Tied, rules.Keep, rules.Drop, &f.Tied},
	} {
		switch word.value {
		case "":
		case word.one, word.other:
			*word.set = rules.Flag(word.flag, word.value)
		default:
			return nil, usagef("%s is %s or %s, not %q", word.flag, word.one, word.other, word.value)
		}
	}
	if o.ShardSize != "" {
		size, err := quantity.ParseBytes(o.ShardSize)
		if err == nil && size == 0 {
			err = errors.New("a file holds more than 0 bytes")
		}
		if err != nil {
			return nil, usagef("--shard-size: %v", err)
		}
		f.ShardSize = rules.Flag("--shard-size", size)
	}
	if o.MergeShards {
		f.Merge = rules.Flag("--merge-shards", true)
	}
	return f, nil
}

// ownDType is --dequantize without a dtype.
const ownDType = "auto"

// parseLora reads ADAPTER or ADAPTER:WEIGHT.
func parseLora(text string) rules.Lora {
	l := rules.Lora{Path: text, Weight: 1, Pos: rules.Pos{Name: "--lora"}}
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		if w, err := strconv.ParseFloat(text[i+1:], 64); err == nil {
			l.Path, l.Weight = text[:i], w
		}
	}
	return l
}

// maxRules bounds a file of rules: Parse has a bound of its own for what one means.
const maxRules = 16 << 20

// readRules reads a file of rules.
func readRules(path string) (*ruleFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, shortPath(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRules+1))
	if err != nil {
		return nil, shortPath(err)
	}
	parsed, err := rules.Parse(path, text)
	if err != nil {
		return nil, err
	}
	return &ruleFile{text, parsed}, nil
}

// changed reports whether the flags ask for another view than that of the source alone:
// then its keys are those to list.
func (o *ViewOptions) changed() bool {
	return !reflect.DeepEqual(o.asked(), ViewOptions{})
}

// asked is what the flags ask of a view, without how it is to be read.
func (o *ViewOptions) asked() ViewOptions {
	asked := *o
	asked.RemoteOptions, asked.file = RemoteOptions{}, nil
	return asked
}

// identity is the same where the same is asked of a view, whoever asks, and when: the flags,
// and the text of the file of rules.
func (o *ViewOptions) identity() string {
	var text []byte
	if o.file != nil {
		text = o.file.text
	}
	return fmt.Sprintf("%+v %s", o.asked(), text)
}

// open opens a source and plans its view. Who gets the plan closes it.
func (o *ViewOptions) open(source string) (*view.Plan, error) {
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	return openPlan(o.sources(), source, rules)
}

// openPlan opens a source and plans the view that rules say.
func openPlan(sources *formats.Sources, source string, rules view.Rules) (*view.Plan, error) {
	model, err := sources.Open(source)
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
