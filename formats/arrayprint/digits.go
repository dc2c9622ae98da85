package arrayprint

import (
	"math"
	"strconv"
	"strings"
)

// shortest is the fewest digits, by strconv's format 'e' or 'f', that tell a value from all
// others of its precision, as Dragon4 has them (numpy/_core/src/multiarray/dragon4.c).
func shortest(v float64, format byte, bits int) string {
	if bits != 16 {
		return strconv.FormatFloat(v, format, -1, bits)
	}
	for digits := range 5 {
		text := strconv.FormatFloat(v, 'e', digits, 64)
		// Below a power of two, halves lie closer together: where the nearest number of so
		// many digits is not within reach, the next one can be.
		for _, text := range []string{text, nextUp(text)} {
			if back, err := strconv.ParseFloat(text, 64); err == nil && toHalf(back) == v {
				return strconv.FormatFloat(back, format, -1, 64)
			}
		}
	}
	return strconv.FormatFloat(v, format, -1, 64)
}

// nextUp is a number like 1.562e-02 with its last digit one higher, 1.563e-02.
func nextUp(text string) string {
	mantissa, exponent, _ := strings.Cut(text, "e")
	last := len(mantissa) - 1
	if mantissa[last] == '9' {
		return text
	}
	return mantissa[:last] + string(mantissa[last]+1) + "e" + exponent
}

// cut is a value with at most so many digits after the point, the integer's and the
// fraction's, and for 'e' what follows the e. No zeros are at the end of the fraction.
func cut(v float64, format byte, precision, bits int) (whole, fraction, exponent string) {
	text := shortest(v, format, bits)
	whole, fraction, exponent = split(text)
	if len(fraction) > precision {
		whole, fraction, exponent = split(strconv.FormatFloat(v, format, precision, 64))
	}
	return whole, strings.TrimRight(fraction, "0"), exponent
}

func split(text string) (whole, fraction, exponent string) {
	text, exponent, _ = strings.Cut(text, "e")
	whole, fraction, _ = strings.Cut(text, ".")
	return whole, fraction, exponent
}

// defaults of numpy.set_printoptions.
const (
	precision = 8
	threshold = 1000
	edgeItems = 3
	lineWidth = 75
)

// floatFormat is FloatingFormat of NumPy: how the floats of one array are written.
type floatFormat struct {
	bits                  int
	plus                  bool // positive ones have a sign too: imaginary parts
	scientific            bool
	precision             int
	left, right, exponent int // widths
}

// decimals is numpy.finfo(dtype).precision.
func decimals(bits int) float64 {
	switch bits {
	case 16:
		return 3
	case 32:
		return 6
	}
	return 15
}

func newFloatFormat(values []float64, bits int, plus bool) *floatFormat {
	f := &floatFormat{bits: bits, plus: plus, precision: precision, exponent: -1}
	largest, smallest := 0.0, math.Inf(1)
	finite, negativeInfinity := 0, false
	for _, v := range values {
		if math.IsInf(v, -1) {
			negativeInfinity = true
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			continue
		}
		finite++
		if a := math.Abs(v); a != 0 {
			largest, smallest = max(largest, a), min(smallest, a)
		}
	}
	if largest != 0 { // all of it in the precision of the array
		f.scientific = largest >= math.Pow(10, min(8, decimals(bits))) || smallest < round(0.0001, bits) || round(largest/smallest, bits) > 1000
	}
	format, longest := byte('f'), 0
	if f.scientific {
		format = 'e'
	}
	for _, v := range values {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			continue
		}
		whole, fraction, exponent := cut(v, format, precision, bits)
		f.left = max(f.left, len(f.signed(whole)))
		longest = max(longest, len(fraction))
		if f.scientific {
			f.exponent = max(f.exponent, len(exponent)-1)
		}
	}
	f.right = longest
	if f.scientific {
		f.precision = longest
		f.right = f.exponent + 2 + longest
	}
	if finite < len(values) {
		infinity := len("inf")
		if plus || negativeInfinity {
			infinity++
		}
		f.left = max(f.left, len("nan")-f.right-1, infinity-f.right-1)
	}
	return f
}

// signed puts a sign before what has none, where that is wanted.
func (f *floatFormat) signed(text string) string {
	if f.plus && !strings.HasPrefix(text, "-") {
		return "+" + text
	}
	return text
}

func (f *floatFormat) word(v float64) string {
	switch {
	case math.IsNaN(v):
		return padLeft(f.signed("nan"), f.left+f.right+1)
	case math.IsInf(v, 1):
		return padLeft(f.signed("inf"), f.left+f.right+1)
	case math.IsInf(v, -1):
		return padLeft("-inf", f.left+f.right+1)
	case f.scientific:
		// All have the same number of digits, those of their exact values (min_digits).
		whole, fraction, exponent := split(strconv.FormatFloat(v, 'e', f.precision, 64))
		exponent = exponent[:1] + strings.Repeat("0", max(0, f.exponent-len(exponent)+1)) + exponent[1:]
		return padLeft(f.signed(whole), f.left) + "." + fraction + "e" + exponent
	}
	whole, fraction, _ := cut(v, 'f', f.precision, f.bits)
	return padLeft(f.signed(whole), f.left) + "." + fraction + strings.Repeat(" ", f.right-len(fraction))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-len(text))) + text
}

// scalar is a float as str() of a NumPy scalar has it.
func scalar(v float64, bits int) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'f', -1, 64), "+"))
	case a == 0 || a >= 1e-4 && a < scalarCutoff(bits):
		whole, fraction, _ := split(shortest(v, 'f', bits))
		if fraction == "" {
			fraction = "0"
		}
		return whole + "." + fraction
	}
	return shortest(v, 'e', bits)
}

// scalarCutoff is from where on a scalar is written with an exponent.
func scalarCutoff(bits int) float64 {
	switch bits {
	case 16:
		return 1e3
	case 32:
		return 1e6
	}
	return 1e16
}
