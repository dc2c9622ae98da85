// Package numpy reads arrays that NumPy wrote: .npy files of all versions, .npz files, and
// directories of .npy (numpy/lib/_format_impl.py).
//
// # How a byte travels
//
// A .npy file begins with a dict in the syntax of Python, of which no more is understood than
// such a header can hold (literal.go, header.go). Its descr says what an element is (descr.go):
// a number, or a record of fields, which become tensors of their own. An array is a
// segment.Range of its file; in Fortran order, or as a field of records, a segment.Strided; big
// endian, a segment.Swap around that (tensors.go).
//
// An .npz is a zip file of .npy (npz.go): what is stored in it is ranges of the file, what is
// deflated is inflated while it is read. A directory of .npy is one model, and each file a
// tensor under its path (directory.go).
//
// What NumPy pickled, arrays of objects, is never loaded: it is omitted, and package audit says
// what it would do.
package numpy
