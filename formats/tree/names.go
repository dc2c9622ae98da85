package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Names longer than maxName bytes are cut: programs assume that 255 are the limit,
// and a suffix is to come.
const (
	maxName = 200
	cutMark = "%~"
	hashLen = 16
)

// EncodeName codes a tensor's key as a file name. '%', '/', NUL, control characters
// and bytes that are not UTF-8 become %XX; "." and ".." have their dots coded and
// an empty key is a lone '%'. What is too long is cut and ends in "%~" and 16 hex
// digits of the key's SHA-256. No two keys have the same name.
func EncodeName(key string) string {
	switch key {
	case "":
		return "%"
	case ".", "..":
		return strings.Repeat("%2E", len(key))
	}
	name := key
	if !plain(key) {
		name = percent(key)
	}
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(key))
	keep := maxName - len(cutMark) - hashLen
	for keep > 0 && (!utf8.RuneStart(name[keep]) || strings.Contains(name[max(keep-2, 0):keep], "%")) {
		keep-- // neither within a rune nor within a %XX
	}
	return name[:keep] + cutMark + hex.EncodeToString(sum[:hashLen/2])
}

// plain reports whether a key is its own name.
func plain(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; c < ' ' || c == '/' || c == '%' || c >= 0x7f {
			return false
		}
	}
	return true
}

func percent(key string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for len(key) > 0 {
		r, n := utf8.DecodeRuneInString(key)
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f || r == '/' || r == '%' || r >= 0x80 && r < 0xa0 {
			for i := 0; i < n; i++ {
				b.WriteString("%")
				b.WriteByte(digits[key[i]>>4])
				b.WriteByte(digits[key[i]&15])
			}
		} else {
			b.WriteString(key[:n])
		}
		key = key[n:]
	}
	return b.String()
}

// encodeDir is EncodeName for a directory beside files that all end in suffix: a
// directory does not.
func encodeDir(part, suffix string) string {
	name := EncodeName(part)
	if suffix != "" && strings.HasSuffix(name, suffix) {
		at := len(name) - len(suffix)
		name = name[:at] + "%2E" + name[at+1:]
	}
	return name
}
