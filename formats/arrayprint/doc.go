// Package arrayprint writes tensors for people, as NumPy prints arrays
// (numpy/_core/arrayprint.py, version 2.4, with its default options), and as JSON. A dtype
// that NumPy does not have is printed as the float32 array that it widens to.
package arrayprint
