// Package adapter merges low-rank adapters into weights while they are read: LoRA and its
// kin as PEFT, kohya's sd-scripts and diffusers write them.
//
// # How a byte travels
//
// Open takes the tensors of an adapter, and the text of its adapter_config.json where it has
// one, and makes modules of them (names.go, config.go): the parts that belong to one layer,
// with the scale that is theirs. Match finds the tensor of the model that each module changes
// (resolve.go, underscores.go), holds the shapes against each other, and makes a Merge for
// each tensor (match.go, linear.go, parameters.go, lycoris.go). Nothing but scalars is read
// up to here.
//
// Merge.Apply makes an array whose elements are computed for each request (addition.go): the
// request's part of the weights is read into the reader's buffer, and the product is made
// beside it in tiles that stay in the processor's cache (matrix.go) and added in place.
// What the tiles of a module have in common, the smaller factor in float32, is held in a
// cache that is bounded, one for an adapter.
//
// # Arithmetic
//
// It is that of peft's merge_and_unload on a CPU: the factors in float32, sums by FMA with k
// ascending, the product times the scale, the weight plus that, each rounded to float32, and
// one rounding to the dtype of the weights. On x86 the bits are the same for ranks up to 192;
// DoRA's norms are summed in float64 here, and differ in the last bit. Each element depends
// on nothing but its row and column, so that any two requests agree.
package adapter
