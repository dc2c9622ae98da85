package hdf5

import (
	"errors"
	"fmt"
)

// ErrNotHDF5 says that the file has no HDF5 signature where one may be.
var ErrNotHDF5 = errors.New("not an HDF5 file")

// FormatError says that the file breaks the format, or uses a part of it that is
// outside this package's bounds.
type FormatError struct {
	// Offset is where in the file the structure begins.
	Offset int64
	// What names the structure and the fault.
	What string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("hdf5: %s at offset %d", e.What, e.Offset)
}

// UnsupportedError says why a dataset's values cannot be shown. The rest of the
// file is not touched by it.
type UnsupportedError struct {
	Reason string
}

func (e *UnsupportedError) Error() string { return "hdf5: not supported: " + e.Reason }
