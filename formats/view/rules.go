package view

import (
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/rules"
)

// Rules are what the user wants of a view.
type Rules struct {
	// File is the rules, of a file and of flags; nil for none.
	*rules.File
	// Open opens what rules name besides the source: other weights, adapters. Paths are as
	// the user wrote them, or next to the file of rules.
	Open func(path string) (*checkpoint.Model, error)
	// Explain has the plan remember why each tensor is what it is, which of 100 000 tensors
	// is some memory: Derivation.Why, Plan.Gone, Plan.Casts.
	Explain bool
}

// root is the root that the rules ask for, "" for none.
func (r Rules) root() string {
	if r.File == nil {
		return ""
	}
	return r.Root.Value
}

// derives reports whether the view has other tensors, or other files, than the source below
// its root.
func (r Rules) derives() bool {
	f := r.File
	return f != nil && (f.Dequantize.Set || len(f.Renames)+len(f.Tensors)+len(f.Loras)+len(f.Include)+len(f.Exclude) > 0 ||
		f.Cast.Set || f.ShardSize.Set || f.Merge.Value || f.Tied.Value == rules.Drop)
}

// fault is what is wrong with a rule.
func fault(at rules.Pos, format string, args ...any) error {
	return &rules.Error{Pos: at, Msg: fmt.Sprintf(format, args...)}
}

// named puts the name of the source in front of an error, which a place in a file of rules
// has already.
func named(path string, err error) error {
	var e *rules.Error
	if err == nil || errors.As(err, &e) && e.Pos.Line > 0 {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
