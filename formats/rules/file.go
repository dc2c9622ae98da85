package rules

import (
	"fmt"
	"strings"

	"wfs/formats/checkpoint"
)

// File is the rules of a view: those of a file, those that flags ask for, or both (With). It
// is a value; nobody changes it once it is made.
type File struct {
	// Root is the key of the state dict that the view takes, "." for everything.
	Root Setting[string]
	// Dequantize is the dtype that quantized weights become, Invalid for the checkpoint's own.
	Dequantize Setting[checkpoint.DType]
	Lets       []Let
	Sources    []Source
	Renames    []*Rename
	Tensors    []*TensorRule
	// Loras are merged one after the other, in this order.
	Loras []Lora
	// Include and Exclude pick keys of the view. Without an Include all are taken.
	Include, Exclude []Glob
	// Cast is the dtype of floating-point tensors, save those that CastKeep picks.
	Cast     Setting[checkpoint.DType]
	CastKeep []Glob
	// Overflow is what becomes of numbers that F8_E4M3 cannot hold: Saturate or NaN.
	Overflow Setting[string]
	// ShardSize is the most bytes of tensors in a file of the view.
	ShardSize Setting[int64]
	// Merge joins all shards to one file.
	Merge Setting[bool]
	// Tied is what becomes of the further names of a tensor: Keep or Drop.
	Tied Setting[string]
}

// Words of a file.
const (
	Saturate, NaN = "saturate", "nan"
	Keep, Drop    = "keep", "drop"
)

// Kinds of sources.
const (
	Weights   = "weights"
	PEFT      = "peft"
	Kohya     = "kohya"
	Diffusers = "diffusers"
)

// Setting is one value of a file that is set or not.
type Setting[T any] struct {
	Value T
	Pos   Pos
	Set   bool
}

// Flag is a setting that a flag made.
func Flag[T any](name string, v T) Setting[T] { return Setting[T]{v, Pos{Name: name}, true} }

// Let is a number with a name.
type Let struct {
	Name string
	// Config is the path of the number in config.json, "num_attention_heads" or
	// "text_config.hidden_size"; "" for one that is Number.
	Config string
	Number float64
	Pos    Pos
}

// Source is another source that rules take tensors of.
type Source struct {
	Name string
	// Path is as the file has it: relative to the directory of the file.
	Path string
	// Kind is Weights, or what kind of adapter it is.
	Kind string
	// Root is the key of the state dict that is taken, as of the base.
	Root string
	Pos  Pos
}

// Lora is an adapter that is merged into the whole view.
type Lora struct {
	Path   string
	Weight float64
	Pos    Pos
}

// Glob is a pattern of package keys.
type Glob struct {
	Text string
	Pos  Pos
}

// Globs are the patterns of a flag.
func Globs(flag string, patterns []string) []Glob {
	var globs []Glob
	for _, p := range patterns {
		globs = append(globs, Glob{p, Pos{Name: flag}})
	}
	return globs
}

// With is the rules of f and those of flags: a single value of the flags counts instead of
// that of f, and lists are appended, so that renames of flags go after those of the file and
// one more pattern includes, excludes or keeps more.
func (f *File) With(flags *File) *File {
	all := *f
	take(&all.Root, flags.Root)
	take(&all.Dequantize, flags.Dequantize)
	take(&all.Cast, flags.Cast)
	take(&all.Overflow, flags.Overflow)
	take(&all.ShardSize, flags.ShardSize)
	take(&all.Merge, flags.Merge)
	take(&all.Tied, flags.Tied)
	all.Lets = join(f.Lets, flags.Lets)
	all.Sources = join(f.Sources, flags.Sources)
	all.Renames = join(f.Renames, flags.Renames)
	all.Tensors = join(f.Tensors, flags.Tensors)
	all.Loras = join(f.Loras, flags.Loras)
	all.Include = join(f.Include, flags.Include)
	all.Exclude = join(f.Exclude, flags.Exclude)
	all.CastKeep = join(f.CastKeep, flags.CastKeep)
	return &all
}

func take[T any](to *Setting[T], from Setting[T]) {
	if from.Set {
		*to = from
	}
}

// join is a new list of both, so that no two files share the memory after their lists.
func join[T any](a, b []T) []T { return append(append([]T(nil), a...), b...) }

// dtypes are the words for dtypes that tensors can be cast to, beside their own names.
var dtypes = map[string]checkpoint.DType{
	"bf16": checkpoint.BF16, "bfloat16": checkpoint.BF16, "f16": checkpoint.F16, "fp16": checkpoint.F16, "float16": checkpoint.F16, "half": checkpoint.F16,
	"f32": checkpoint.F32, "fp32": checkpoint.F32, "float32": checkpoint.F32, "float": checkpoint.F32,
	"f8_e4m3": checkpoint.F8E4M3, "float8_e4m3fn": checkpoint.F8E4M3, "f8_e5m2": checkpoint.F8E5M2, "float8_e5m2": checkpoint.F8E5M2,
}

// DType is the dtype that a word names: "bf16" or, as torch has it, "bfloat16".
func DType(word string) (checkpoint.DType, error) {
	if d, ok := dtypes[strings.TrimPrefix(strings.ToLower(word), "torch.")]; ok {
		return d, nil
	}
	return checkpoint.Invalid, fmt.Errorf("%s is not a dtype that tensors can be cast to: take bf16, f16, f32, f8_e4m3 or f8_e5m2", quote(word))
}
