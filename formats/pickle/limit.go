package pickle

import (
	"errors"
	"fmt"
)

// LimitError is where wfs stops and Python may go on: a bound of wfs, or a place that the
// unpicklers of Python read differently.
type LimitError struct{ message string }

// Error implements error.
func (e *LimitError) Error() string { return e.message }

// Limitf makes a LimitError.
func Limitf(format string, args ...any) error { return &LimitError{fmt.Sprintf(format, args...)} }

// ErrCut says that a frame ends within an argument: readers disagree on what that is
// (Frames).
var ErrCut = errors.New("its argument crosses the end of a FRAME: readers disagree on what it is")
