// Command wfs mounts weight files as directories of tensors.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Exit codes, documented in the help and in README.md.
const (
	exitOK        = 0
	exitFailure   = 1
	exitUsage     = 2
	exitUnknown   = 2 // scan only
	exitDangerous = 3 // scan only
)

// usageError is a mistake on the command line: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends with a code and prints nothing.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// The first thread is for the main goroutine, which does nothing but wait. A thread that
// hangs in a source cannot end, not even by SIGKILL (fs/fuse/dev.c, request_wait_answer),
// and a process whose first thread has not ended looks alive to ps and to wfs umount.
func init() { runtime.LockOSThread() }

func main() {
	ensurePath()
	collectLate()
	code := make(chan int)
	go func() { code <- run(os.Args, os.Stdout, os.Stderr) }()
	os.Exit(<-code)
}

// defaultPath is for fusermount3 where nothing says what PATH is, as for the helper of a
// mount unit (systemd.exec(5)).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func ensurePath() {
	if os.Getenv("PATH") == "" {
		os.Setenv("PATH", defaultPath)
	}
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
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		a.complain(fmt.Errorf("%w (try wfs --help)", err))
		return exitUsage
	}
	a.complain(err)
	return exitFailure
}

func (a *app) dispatch() error {
	switch filepath.Base(a.argv[0]) {
	case "mount.wfs", "mount.fuse.wfs": // mount(8) and fstab
		return a.mountHelper(a.argv[1:])
	}
	return a.execute(a.argv[1:])
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
