package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// Bounds of a token: it has to be hard to guess, and to fit into a header.
const (
	minToken = 16
	maxToken = 4096
)

// token is what the token file holds, "" where there is no file. One that others can read
// is refused: its token is not a secret.
func (o *ServeOptions) token() (string, error) {
	if o.TokenFile == "" {
		return "", nil
	}
	f, err := os.Open(o.TokenFile)
	if err != nil {
		return "", shortPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", shortPath(err)
	}
	// Windows keeps no such bits.
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s: others can read or write this token: chmod 600 it", o.TokenFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", shortPath(err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case len(token) < minToken || len(text) > maxToken:
		return "", fmt.Errorf("%s: a token has %d to %d characters", o.TokenFile, minToken, maxToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%s: a token is one word of printable ASCII characters", o.TokenFile)
	}
	return token, nil
}
