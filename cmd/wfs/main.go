// Command wfs mounts weight files as directories of tensors.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit codes, documented in the help and in README.md.
const (
	exitOK        = 0
	exitFailure   = 1
	exitUsage     = 2
	exitUnknown   = 2 // scan only
	exitDangerous = 3 // scan only
	exitDiffers   = 1 // diff only
	exitTrouble   = 2 // diff only: a failure
)

// usageError is a mistake on the command line: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// troubleError is a failure of a command whose exit code 1 says something else.
type troubleError struct{ error }

// exitError ends with a code and prints nothing.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ensurePath()
	collectLate()
	code := make(chan int)
	go func() { code <- run(os.Args, os.Stdout, os.Stderr) }()
	os.Exit(<-code)
}

// app is what a command has of the process that runs it.
type app struct {
	argv   []string
	stdout *bufio.Writer // remembers its first error, which run reports
	stderr io.Writer
}

// run is the whole program: it runs one command line and returns the exit code.
func run(argv []string, stdout, stderr io.Writer) int {
	a := &app{argv: argv, stdout: bufio.NewWriterSize(stdout, 1<<16), stderr: stderr}
	err := a.dispatch()
	if lost := a.stdout.Flush(); err == nil {
		err = lost
	}
	var code exitError
	var usage usageError
	var trouble troubleError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &trouble):
		a.complain(err)
		return exitTrouble
	case errors.As(err, &usage):
		a.complain(fmt.Errorf("%w (try wfs --help)", err))
		return exitUsage
	}
	a.complain(err)
	return exitFailure
}

// complain prints an error: one line, whatever it says.
func (a *app) complain(err error) { fmt.Fprintf(a.stderr, "wfs: %s\n", oneLine(err.Error())) }

func (a *app) printNotes(notes []string) {
	for _, n := range notes {
		fmt.Fprintf(a.stderr, "wfs: note: %s\n", oneLine(n))
	}
}

// maxMessage is the longest message, in bytes: names in a file can have any length.
const maxMessage = 4 << 10

// oneLine keeps a message on one line and a terminal from obeying a file's names.
func oneLine(s string) string {
	if n := len(s); n > maxMessage {
		s = fmt.Sprintf("%s ... (%d bytes)", strings.ToValidUTF8(s[:maxMessage-64], "?"), n)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
