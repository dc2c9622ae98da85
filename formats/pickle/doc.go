// Package pickle reads Python pickles as data: nothing that one names is imported or called.
//
// How a byte travels:
//
//   - detect.go looks at the first bytes: would Python take them for a pickle, and would that
//     name anything? GuessAt runs them on a machine that knows of its stack how high it is.
//   - scanner.go reads one opcode after the other from an io.ReaderAt, and checks each length
//     against the bytes that are left before it allocates; opcode.go is its table, textargs.go
//     and numbers.go read the lines of protocol 0. Bytes and texts beyond a few KiB stay in
//     the file, so that a pickled array of gigabytes costs nothing to load.
//   - machine.go runs the opcodes on a stack of Values (value.go): dispatch.go what makes and
//     fills containers, calls.go what names globals and calls them. A call becomes an Object
//     that records it. expansion.go counts what shared values would take written out.
//   - payload.go remembers the bytes and texts that may be pickles themselves, or files and
//     streams that hold some, for package audit; latin1.go reads text that stands for bytes.
//   - Where the machine gives up, ScanGlobals (globals.go) reads on without a stack.
//
// The machine follows CPython's C unpickler (Modules/_pickle.c) in what it accepts; a load
// that is Lenient also goes on where pickle.py would. An error that Python would not make is
// a LimitError.
//
// gopickle's machine is the oracle of the tests and not the reader. A file of 13 bytes, a FRAME
// that claims 2^40, has it allocate that much: the process ends out of
// memory, which no recover catches. Six kinds of pickle make it panic: the byte 0xff, LONG1
// of no bytes (which Python writes for 0), DICT and SETITEMS of an odd number of items,
// BINBYTES8 of 2^62 bytes, bytes as the key of an OrderedDict. And its FindClass is never asked for
// collections.OrderedDict, copy_reg._reconstructor, __builtin__.object and others that are
// wired into it, so that a report made with it lacks them. See gopickle_test.go.
package pickle
