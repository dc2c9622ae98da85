package pickle

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// pythonSpace is what int() and float() of Python strip off.
const pythonSpace = " \t\n\r\f\v\x1c\x1d\x1e\x1f"

// integer reads a decimal line as CPython does: INT and LONG in base 0, in which 0x10, 010
// and 1_0 are numbers, memo indices in base 10 (Modules/_pickle.c, load_int, load_long,
// load_get). C ends the line at its first NUL.
func (op *Op) integer(text string, base int) error {
	if !op.Held {
		op.Opaque = true // longer than any number that is worth a look
		return nil
	}
	text, _, cut := strings.Cut(text, "\x00")
	if text = strings.Trim(text, pythonSpace); text == "" && cut {
		return nil
	}
	if base == 10 {
		text = joinDigits(text)
	}
	v, err := strconv.ParseInt(text, base, 64)
	if err == nil {
		op.Int = v
		return nil
	}
	if len(text) > maxDigits {
		if strings.Trim(text, "0123456789abcdefABCDEFxXoO_+-") != "" {
			return fmt.Errorf("%.40q is not a number", text)
		}
		op.Opaque = true
		return nil
	}
	n, ok := new(big.Int).SetString(text, base)
	if !ok {
		return fmt.Errorf("%.40q is not a number", text)
	}
	op.Big = n
	return nil
}

// decimal reads a FLOAT as CPython does, in C or in Python.
func (op *Op) decimal(text string) error {
	if !op.Held {
		op.Opaque = true
		return nil
	}
	text, _, _ = strings.Cut(text, "\x00")
	trimmed := joinDigits(strings.Trim(text, pythonSpace))
	if strings.EqualFold(strings.TrimLeft(trimmed, "+-"), "nan") && len(trimmed) <= 4 {
		op.Float = math.NaN()
		return nil
	}
	v, err := strconv.ParseFloat(trimmed, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil // Python reads 1e999 as inf
	}
	if err != nil || strings.ContainsAny(trimmed, "xX") {
		return fmt.Errorf("%.40q is not a number", text)
	}
	op.Float = v
	return nil
}

// joinDigits takes out the underscores between digits.
func joinDigits(text string) string {
	if !strings.Contains(text, "_") {
		return text
	}
	var out []byte
	for i := range len(text) {
		if text[i] == '_' && i > 0 && i+1 < len(text) && isDigit(text[i-1]) && isDigit(text[i+1]) {
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// twosComplement decodes little-endian bytes; the big.Int is nil when an int64 does.
func twosComplement(b []byte) (int64, *big.Int) {
	if len(b) == 0 {
		return 0, nil
	}
	negative := b[len(b)-1]&0x80 != 0
	if len(b) <= 8 {
		var v uint64
		if negative {
			v = math.MaxUint64
		}
		for i := len(b) - 1; i >= 0; i-- {
			v = v<<8 | uint64(b[i])
		}
		return int64(v), nil
	}
	be := make([]byte, len(b))
	for i := range b {
		be[len(b)-1-i] = b[i]
	}
	v := new(big.Int).SetBytes(be)
	if negative {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if v.IsInt64() {
		return v.Int64(), nil
	}
	return 0, v
}
