// Package diff compares two sets of tensors: by keys, dtypes and shapes, and by their
// values, whatever files hold them.
//
// New pairs the tensors of two sides (match.go): those with equal keys, and, where a prefix
// explains all keys that are left, those whose keys are equal without it. It reads nothing.
// FindRenames looks among the rest for tensors with the same bytes (rename.go). Compare
// reads the pairs (compare.go): blocks of both sides are compared as bytes by all
// processors, which for tensors that are equal is all there is to do. Values are computed
// of blocks that differ (values.go, float.go, integer.go), and then, of tensors with such
// blocks, of the others too, for the sums that need all of a tensor.
//
// # What is compared
//
// Numbers are widened exactly: F16, BF16, the F8, F4 and the block types of ggml to float32
// (package ops), and that to float64, in which differences are computed. Integers and booleans are compared as 64
// bits with or without a sign, complex numbers by their modulus. An integer and a
// floating-point number are compared in float64. What package ops does not widen (F6) is
// compared as bytes alone.
//
// Two NaNs at one place are equal, as two infinities of one sign are; so are 0 and -0.
// Differences are those of places where both sides are finite.
package diff
