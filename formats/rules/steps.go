package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/quantity"
)

const (
	// baseSource is the source of the command line, which no other can be called.
	baseSource = "base"
	// inputWord is the last dimension of the input, among numbers.
	inputWord = "in"
	// maxSteps is the most steps of a rule, and maxArguments the most arguments of a step.
	maxSteps, maxArguments = 64, 4096
)

// what an argument of an operator is.
type what int

const (
	anInteger  what = iota // a number of dimensions, sizes and counts: a literal, a name of [let], or in
	aWeight                // a number, or a name of [let]
	aReference             // SOURCE:KEY
	anAdapter              // the name of a source that is an adapter
	aDType
	aSlice // a:b or a:b:step
	theOf  // the word of
)

// operator is one row of the language.
type operator struct {
	// usage is how it is written, for errors and for the manual.
	usage string
	does  string
	args  []what
	// least is how many arguments there are at least; all of args for 0, none for -1.
	least int
	// more says that the last one can stand any number of times.
	more bool
}

func (o operator) min() int {
	switch o.least {
	case 0:
		return len(o.args)
	case -1:
		return 0
	}
	return o.least
}

// operators are all that a step can do. What computes does it in float32, and what comes of
// one or more such steps in turn is rounded once, to the dtype of the tensor of the first.
func operators() map[string]operator {
	return map[string]operator{
		"cast":           {"cast DTYPE", "another dtype, with torch's rounding", []what{aDType}, 0, false},
		"permute":        {"permute DIM...", "dimensions in another order", []what{anInteger}, 0, true},
		"transpose":      {"transpose", "swaps the last two dimensions", nil, 0, false},
		"reshape":        {"reshape N...", "another shape; one N may be -1", []what{anInteger}, 0, true},
		"slice":          {"slice DIM FROM:TO[:STEP]", "a part of a dimension, as in Python", []what{anInteger, aSlice}, 0, false},
		"shard":          {"shard DIM RANK of N [SIZE...]", "what rank RANK of N has of a tensor-parallel dimension, of each fused part of SIZE by itself", []what{anInteger, anInteger, theOf, anInteger, anInteger}, 4, true},
		"reorder":        {"reorder DIM BLOCKS I...", "block I of a dimension comes first, then the next: the gates of another library", []what{anInteger, anInteger, anInteger}, 0, true},
		"concat":         {"concat DIM", "joins what was collected, then what the patterns of from gave, along a dimension", []what{anInteger}, 0, false},
		"stack":          {"stack DIM", "the same as concat along a new dimension", []what{anInteger}, 0, false},
		"unstack":        {"unstack DIM", "takes a dimension apart, a tensor for each index", []what{anInteger}, 0, false},
		"split":          {"split DIM SIZE...", "cuts a dimension into parts of these sizes", []what{anInteger, anInteger}, 0, true},
		"chunk":          {"chunk DIM N", "cuts a dimension into N equal parts", []what{anInteger, anInteger}, 0, false},
		"scale":          {"scale W", "times W", []what{aWeight}, 0, false},
		"add":            {"add SOURCE:KEY [W]", "plus W (1) times a tensor of another source", []what{aReference, aWeight}, 1, false},
		"sub":            {"sub SOURCE:KEY [W]", "minus W (1) times a tensor of another source", []what{aReference, aWeight}, 1, false},
		"add_difference": {"add_difference SOURCE:KEY SOURCE:KEY [W]", "plus W (1) times what the first has learned since the second: x + W*(y-z)", []what{aReference, aReference, aWeight}, 2, false},
		"lerp":           {"lerp SOURCE:KEY T", "on the straight way to a tensor of another source: x + T*(y-x)", []what{aReference, aWeight}, 0, false},
		"slerp":          {"slerp SOURCE:KEY T", "on the arc to a tensor of another source, both taken as one vector, as mergekit's slerp", []what{aReference, aWeight}, 0, false},
		"slerp_rows":     {"slerp_rows SOURCE:KEY T", "slerp for each row of dimension 0 by itself", []what{aReference, aWeight}, 0, false},
		"nearswap":       {"nearswap SOURCE:KEY T", "nearer to a tensor of another source, all the way where both are near each other, as mergekit's nearswap", []what{aReference, aWeight}, 0, false},
		"mean":           {"mean [SOURCE:KEY...]", "the average with these in turn, or of what was collected, as torch's AveragedModel", []what{aReference}, -1, true},
		"weight_norm":    {"weight_norm", "makes g and v, the two patterns of from, one weight: g*v/|v|", nil, 0, false},
		"batch_norm":     {"batch_norm [EPS [DIM]]", "folds a BatchNorm into the layer before it, whose outputs are along DIM (0): from is its weight[, bias], then weight, bias, running_mean and running_var of the norm; to is weight and bias. EPS is 1e-5", []what{aWeight, anInteger}, -1, false},
		"lora":           {"lora SOURCE [W]", "merges the adapter's part for this tensor, if it has one", []what{anAdapter, aWeight}, 1, false},
		"dequant":        {"dequant [DTYPE]", "makes the parts of a quantized weight, the patterns of from, the weight", []what{aDType}, -1, false},
		"alias":          {"alias", "a further name of the tensor, which stays", nil, 0, false},
	}
}

// Step is one operation of a rule.
type Step struct {
	// Text is as the file has it.
	Text string
	Pos  Pos
	// Op is its first word.
	Op   string
	args []argument
}

// argument is one word after the operator.
type argument struct {
	what what
	pos  Pos
	text string
	// name is what [let] calls the number, or in; "" for a literal.
	name   string
	number float64
	dtype  checkpoint.DType
	bounds [3]*argument // of a slice, nil where nothing stands
	source string       // of a reference or an adapter
	key    *template
}

// word is a run of a step without spaces, or what stood in quotes.
type word struct {
	text string
	at   int
}

// words takes a step apart. What stands between two ' is one word.
func words(v *value) ([]word, error) {
	var all []word
	text := v.text
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		case '\'':
			n := strings.IndexByte(text[i+1:], '\'')
			if n < 0 {
				return nil, v.at(i).errorf("a quote is not closed in %s", quote(text))
			}
			all = append(all, word{text[i+1 : i+1+n], i})
			i += n + 2
		default:
			n := strings.IndexAny(text[i:], " \t\r\n")
			if n < 0 {
				n = len(text) - i
			}
			all = append(all, word{text[i : i+n], i})
			i += n
		}
	}
	return all, nil
}

// newStep reads a step. groups says whether $1 in a key is a group of a regular expression.
func newStep(v *value, groups bool) (Step, error) {
	step := Step{Text: v.text, Pos: v.pos}
	all, err := words(v)
	switch {
	case err != nil:
		return step, err
	case len(all) == 0:
		return step, v.pos.errorf("this step is empty")
	case len(v.text) > maxPattern*16 || len(all)-1 > maxArguments:
		return step, v.pos.errorf("this step has more than %d arguments", maxArguments)
	}
	table := operators()
	step.Op = all[0].text
	op, ok := table[step.Op]
	if !ok {
		hint := meant(keys.Nearest(step.Op, maps.Keys(table)))
		if hint == "" {
			hint = ": there are " + strings.Join(slices.Sorted(maps.Keys(table)), ", ")
		}
		return step, v.at(all[0].at).errorf("there is no operator %s%s", quote(step.Op), hint)
	}
	given := all[1:]
	if len(given) < op.min() || len(given) > len(op.args) && !op.more {
		return step, v.pos.errorf("%s has %s: it is written %s", quote(v.text), quantity.Of(len(given), "argument"), op.usage)
	}
	for i, w := range given {
		arg, err := newArgument(w, op.args[min(i, len(op.args)-1)], v.at(w.at), groups)
		if err != nil {
			return step, err
		}
		step.args = append(step.args, arg)
	}
	return step, nil
}

func newArgument(w word, kind what, pos Pos, groups bool) (argument, error) {
	arg := argument{what: kind, pos: pos, text: w.text}
	switch kind {
	case aDType:
		d, err := DType(w.text)
		if err != nil {
			return arg, pos.errorf("%v", err)
		}
		arg.dtype = d
	case theOf:
		if w.text != "of" {
			return arg, pos.errorf("%s stands where the word of is to stand: shard DIM RANK of N", quote(w.text))
		}
	case anAdapter:
		arg.source = w.text
	case aReference:
		source, key, ok := strings.Cut(w.text, ":")
		if !ok || source == "" || key == "" {
			return arg, pos.errorf("%s is not a tensor of a source: write SOURCE:KEY, as b:{k}", quote(w.text))
		}
		t, err := newTemplate(&value{pos: pos, text: key}, groups, false)
		if err != nil {
			return arg, err
		}
		arg.source, arg.key = source, t
	case aSlice:
		fields := strings.Split(w.text, ":")
		if len(fields) < 2 || len(fields) > 3 {
			return arg, pos.errorf("%s is not a part of a dimension: write FROM:TO or FROM:TO:STEP", quote(w.text))
		}
		for i, field := range fields {
			if field == "" {
				continue
			}
			bound, err := newArgument(word{field, w.at}, anInteger, pos, false)
			if err != nil {
				return arg, err
			}
			arg.bounds[i] = &bound
		}
	default:
		return arg, arg.count()
	}
	return arg, nil
}

// count reads a number, or the name of one.
func (a *argument) count() error {
	n, err := strconv.ParseFloat(a.text, 64)
	switch {
	case err == nil && (math.IsInf(n, 0) || math.IsNaN(n)):
		return a.pos.errorf("%s is not a number that can be counted with", quote(a.text))
	case err == nil && a.what == anInteger && (n != math.Trunc(n) || math.Abs(n) > 1<<53):
		return a.pos.errorf("%s is not a whole number", quote(a.text))
	case err == nil:
		a.number = n
	case name.MatchString(a.text):
		a.name = a.text
	default:
		return a.pos.errorf("%s is neither a number nor a name of [let]", quote(a.text))
	}
	return nil
}

// check holds the names of a step against those that the file has.
func (s *Step) check(f *File) error {
	for i := range s.args {
		if err := s.args[i].check(f); err != nil {
			return err
		}
	}
	return nil
}

func (a *argument) check(f *File) error {
	for _, bound := range a.bounds {
		if bound != nil {
			if err := bound.check(f); err != nil {
				return err
			}
		}
	}
	switch {
	case a.name != "" && (a.name != inputWord || a.what == aWeight):
		if !slices.ContainsFunc(f.Lets, func(l Let) bool { return l.Name == a.name }) {
			return a.pos.errorf("[let] has no number %s%s", quote(a.name), meant(keys.Nearest(a.name, names(f.Lets, func(l Let) string { return l.Name }))))
		}
	case a.source != "":
		i := slices.IndexFunc(f.Sources, func(s Source) bool { return s.Name == a.source })
		switch {
		case i < 0 && a.source == baseSource:
			return a.pos.errorf("a tensor of the base is an input of the rule: put its pattern into from")
		case i < 0:
			return a.pos.errorf("[sources] has no %s%s", quote(a.source), meant(keys.Nearest(a.source, names(f.Sources, func(s Source) string { return s.Name }))))
		case a.what == anAdapter && f.Sources[i].Kind == Weights:
			return a.pos.errorf("source %s is not an adapter: give it the kind peft, kohya or diffusers in [sources]", quote(a.source))
		case a.what == aReference && f.Sources[i].Kind != Weights:
			return a.pos.errorf("source %s is an adapter, whose tensors are merged: lora %s", quote(a.source), a.source)
		}
	}
	return nil
}

// names goes over what items are called.
func names[T any](items []T, name func(T) string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, item := range items {
			if !yield(name(item)) {
				return
			}
		}
	}
}

// Operators are the steps that there are, each as it is written and what it does, in
// alphabetical order: for the manual.
func Operators() []string {
	var lines []string
	table := operators()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		lines = append(lines, fmt.Sprintf("%s\t%s", table[name].usage, table[name].does))
	}
	return lines
}
