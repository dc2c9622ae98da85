package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"wfs/formats/quantity"
)

// Policy is the Content-Security-Policy of a page: nothing but its own style and script.
func Policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'"
}

// maxLong is how much is shown of a remark.
const maxLong = 4 << 10

// long is a remark or a value from a source.
func long(s string) string {
	if len(s) > maxLong {
		return visible(s[:maxLong]) + fmt.Sprintf("… (%d bytes)", len(s))
	}
	return visible(s)
}

// visible escapes what changes the direction of a text, or cannot be seen.
func visible(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return r != '\n' && r != '\t' && r != utf8.RuneError && !unicode.IsPrint(r)
}

func shape(dims []int64) string {
	const most = 16
	var b strings.Builder
	for i, n := range dims {
		if i > 0 {
			b.WriteString(" × ")
		}
		if i == most {
			b.WriteString("…")
			break
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	if len(dims) == 0 {
		return "scalar"
	}
	return b.String()
}

// elements is the number of elements of a shape that a reader has checked.
func elements(dims []int64) int64 {
	n := int64(1)
	for _, dim := range dims {
		n *= dim
	}
	return n
}

// count is a number with narrow spaces between its thousands.
func count(n int64) string { return quantity.Grouped(n, "\u202f") }

// exact is a statistic with all of its digits.
func exact(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// number is a statistic, with four significant digits.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }
