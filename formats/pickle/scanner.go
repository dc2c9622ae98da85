package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
)

// Bounds of one argument. Every length is checked against the bytes that are left
// before anything is allocated; what is longer than these is not held in memory.
const (
	windowSize = 32 << 10
	maxInline  = 16 << 10 // longer bytes and texts stay in the file, as Bytes and Text
	headSize   = 512      // of a payload that is not held: the header of a tar
	maxLine    = 1 << 20  // of a text opcode
	lineHead   = 6 * headSize
	maxDigits  = 4300    // of a number in text, as CPython's int() has it
	maxLong    = 8 << 10 // bytes of a binary integer
)

// Op is one opcode with its argument.
type Op struct {
	Code   Code
	Offset int64 // of the opcode in the file
	// Int is a number, a memo index, a protocol, a frame length.
	Int   int64
	Big   *big.Int // where a number does not fit into Int
	Float float64
	Bool  bool // an INT of 00 or 01, which is a bool: Int tells which
	// Opaque is a number that is too long to be held.
	Opaque bool
	// Text is a short payload, or a line; Name the second line of GLOBAL and INST.
	Text, Name string
	// At and Len are where a payload lies in the file. Held says that Text has it
	// whole; else it has the beginning.
	At, Len int64
	Held    bool
}

// Frames says what is to become of an argument that goes on past the end of the
// frame that it begins in, which no writer makes. CPython's C unpickler reads it as a
// whole from memory; from a file it drops the part in the frame and reads all of it from
// after the end (Modules/_pickle.c, _Unpickler_ReadImpl and _Unpickler_Readline;
// cpython#154848). So one pickle can name two different functions.
type Frames uint8

const (
	FramesIgnored Frames = iota // read as a whole
	FramesCut                   // read as from a file
	FramesRefused               // an error
)

var errOpcode = errors.New("is not a pickle opcode")

// Scanner reads the opcodes of one pickle, within bounds.
type Scanner struct {
	r        io.ReaderAt
	end      int64
	window   []byte
	start    int64 // offset of window[0]
	pos      int   // in window
	readSize int
	frames   Frames
	skims    bool  // no texts are wanted
	frame    int64 // where the frame ends that was announced last, 0 for none
}

// NewScanner reads opcodes from offset off; the bytes at end and past it are none
// of its business.
func NewScanner(r io.ReaderAt, off, end int64) *Scanner {
	// The first window is small: a legacy file holds many tiny pickles.
	return &Scanner{r: r, start: off, end: end, readSize: 512}
}

// Offset is where the next opcode begins.
func (s *Scanner) Offset() int64 { return s.start + int64(s.pos) }

// left is the number of bytes up to the end.
func (s *Scanner) left() int64 { return s.end - s.Offset() }

// need returns the next n bytes without moving, n at most windowSize. The slice
// holds until the next call.
func (s *Scanner) need(n int) ([]byte, error) {
	if len(s.window)-s.pos >= n {
		return s.window[s.pos:], nil
	}
	off := s.Offset()
	size := int64(max(s.readSize, n))
	s.readSize = windowSize
	if size > s.end-off {
		size = s.end - off
	}
	if size < int64(n) {
		return nil, io.ErrUnexpectedEOF
	}
	if int64(cap(s.window)) < size {
		s.window = make([]byte, size)
	}
	s.window = s.window[:size]
	got, err := s.r.ReadAt(s.window, off)
	if int64(got) < size {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		s.window = s.window[:0]
		s.start, s.pos = off, 0
		return nil, err
	}
	s.start, s.pos = off, 0
	return s.window, nil
}

// Next reads one opcode into op. The error names the opcode and its offset.
func (s *Scanner) Next(op *Op) error {
	at := s.Offset()
	b, err := s.need(1)
	if err != nil {
		return fmt.Errorf("pickle ends at byte %d without STOP: %w", at, err)
	}
	code := Code(b[0])
	s.pos++
	info := &opcodes[code]
	op.Code, op.Offset = code, at
	if info.arg == none {
		if info.name == "" {
			return fmt.Errorf("byte %#02x at %d %w", byte(code), at, errOpcode)
		}
		return nil
	}
	op.Big, op.Bool, op.Opaque, op.Int = nil, false, false, 0
	if err := s.argument(op, info.arg); err != nil {
		return fmt.Errorf("opcode %s at byte %d: %w", info.name, at, err)
	}
	return nil
}

func (s *Scanner) argument(op *Op, arg argument) error {
	switch arg {
	case uint1:
		return s.number(op, 1)
	case uint2:
		return s.number(op, 2)
	case uint4:
		return s.number(op, 4)
	case int4:
		err := s.number(op, 4)
		op.Int = int64(int32(op.Int))
		return err
	case frame:
		if err := s.number(op, 8); err != nil {
			return err
		}
		if op.Int >= 0 && op.Int <= s.left() {
			if err := s.enter(op.Int); err != nil {
				return err
			}
			s.frame = s.Offset() + op.Int
		}
		return nil
	case float8:
		if err := s.enter(8); err != nil {
			return err
		}
		b, err := s.need(8)
		if err != nil {
			return err
		}
		op.Float = math.Float64frombits(binary.BigEndian.Uint64(b))
		s.pos += 8
		return nil
	case bytes1:
		return s.payload(op, 1)
	case bytes4:
		return s.payload(op, 4)
	case bytes4signed:
		b, err := s.need(4)
		if err != nil {
			return err
		}
		if n := int32(binary.LittleEndian.Uint32(b)); n < 0 {
			return fmt.Errorf("negative length %d", n)
		}
		return s.payload(op, 4)
	case bytes8:
		return s.payload(op, 8)
	case long1, long4:
		return s.long(op, arg)
	}
	return s.line(op, arg)
}

// enter is called before n bytes of an argument are read.
func (s *Scanner) enter(n int64) error {
	at := s.Offset()
	if s.frame <= at || s.frame-at >= n || s.frames == FramesIgnored {
		return nil
	}
	if s.frames == FramesRefused {
		return ErrCut
	}
	s.skip(s.frame - at)
	return nil
}

// number reads n bytes, little endian.
func (s *Scanner) number(op *Op, n int) error {
	if err := s.enter(int64(n)); err != nil {
		return err
	}
	b, err := s.need(n)
	if err != nil {
		return err
	}
	var v uint64
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	op.Int = int64(v)
	s.pos += n
	return nil
}

// payload reads a length of n bytes and what follows: into Text when it is short,
// else only where it lies.
func (s *Scanner) payload(op *Op, n int) error {
	if err := s.number(op, n); err != nil {
		return err
	}
	if op.Int < 0 || op.Int > s.left() {
		return fmt.Errorf("claims %d bytes, %d are left", uint64(op.Int), s.left())
	}
	switch op.Code {
	case BinBytes, ShortBinBytes, BinBytes8, ByteArray8: // read piece by piece (_Unpickler_ReadInto)
	default:
		if err := s.enter(op.Int); err != nil {
			return err
		}
		if op.Int > s.left() {
			return io.ErrUnexpectedEOF
		}
	}
	op.At, op.Len, op.Held = s.Offset(), op.Int, op.Int <= maxInline
	held := int(op.Len)
	if !op.Held {
		held = headSize
	}
	b, err := s.need(held)
	if err != nil {
		return err
	}
	if !s.skims {
		op.Text = string(b[:held])
	}
	s.skip(op.Len)
	return nil
}

func (s *Scanner) skip(n int64) {
	if n <= int64(len(s.window)-s.pos) {
		s.pos += int(n)
		return
	}
	s.start, s.pos, s.window = s.Offset()+n, 0, s.window[:0]
}

// long reads a two's complement integer of any length; an empty one is 0.
func (s *Scanner) long(op *Op, arg argument) error {
	width := 1
	if arg == long4 {
		width = 4
	}
	if err := s.number(op, width); err != nil {
		return err
	}
	n := op.Int
	if arg == long4 {
		n = int64(int32(n))
	}
	if n < 0 || n > s.left() {
		return fmt.Errorf("claims %d bytes, %d are left", n, s.left())
	}
	if err := s.enter(n); err != nil {
		return err
	}
	if n > s.left() {
		return io.ErrUnexpectedEOF
	}
	if n > maxLong {
		op.Opaque, op.At, op.Len = true, s.Offset(), n
		s.skip(n)
		return nil
	}
	b, err := s.need(int(n))
	if err != nil {
		return err
	}
	op.Int, op.Big = twosComplement(b[:n])
	s.pos += int(n)
	return nil
}
