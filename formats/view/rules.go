package view

import (
	"wfs/formats/checkpoint"
)

// Rules are what the user wants of a view. They are carried out in the order of the fields.
type Rules struct {
	// Root is the key of the state dict that the view takes, without which its tensors are
	// called; "." takes everything, "" lets the plan choose.
	Root string
	Dequantize
	Select
	Cast
	// DropTied leaves out tensors that are tied to another one of the view.
	DropTied bool
	Shards
}

// Select picks tensors by their keys in the view, or by those with the directory of their
// set in front ("unet/conv_in.weight"). The patterns are those of package keys; one that
// matches nothing is an error.
type Select struct {
	// Include is what is taken: without a pattern everything.
	Include []string
	// Exclude is what of that is left out.
	Exclude []string
}

// Cast gives floating-point tensors another dtype. Integers and booleans stay.
type Cast struct {
	// To is the dtype, Invalid for none.
	To checkpoint.DType
	// Keep is patterns for the keys of tensors that stay as they are.
	Keep []string
}

// Shards says how the tensors of a set are spread over the files of its view: as in the
// source, unless one of the fields is set.
type Shards struct {
	// Size is the most bytes that the tensors of a file have. A larger tensor has a file for
	// itself.
	Size int64
	// Merge makes one file.
	Merge bool
}

// derives reports whether the view has other tensors, or other files, than the source below
// its root.
func (r Rules) derives() bool {
	return r.Dequantize.Wanted || len(r.Include)+len(r.Exclude) > 0 || r.Cast.To != checkpoint.Invalid || r.DropTied || r.Size > 0 || r.Merge
}
