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

	"github.com/spf13/pflag"
)

// Exit codes, documented in the help and in README.md.
const (
	exitOK        = 0
	exitFailure   = 1
	exitUsage     = 2
	exitUnknown   = 2 // scan only
	exitDangerous = 3 // scan only
)

// command is one subcommand.
type command struct {
	name    string
	args    string // of the usage line
	summary string
	help    string // what the flags do not say, with examples
	// new registers the flags and returns what runs the command.
	new func(*pflag.FlagSet) func(args []string) error
}

// commands is every subcommand, in the order of the help. It is filled late because
// completion and man, which are on it, read it.
var commands []command

func init() {
	commands = []command{
		mountCommand, umountCommand, lsCommand, scanCommand, statusCommand, completionCommand, manCommand, versionCommand,
	}
}

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
	go func() { code <- run(os.Args) }()
	os.Exit(<-code)
}

func run(argv []string) int {
	err := dispatch(argv)
	var code exitError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "wfs: %s (try wfs --help)\n", oneLine(err.Error()))
		return exitUsage
	}
	complain(err)
	return exitFailure
}

// complain prints an error: one line, whatever it says.
func complain(err error) { fmt.Fprintf(os.Stderr, "wfs: %s\n", oneLine(err.Error())) }

func dispatch(argv []string) error {
	switch filepath.Base(argv[0]) {
	case "mount.wfs", "mount.fuse.wfs": // mount(8) and fstab
		return mountHelper(argv[1:])
	}
	if len(argv) < 2 {
		usage(os.Stderr)
		return exitError(exitUsage)
	}
	name, args := argv[1], argv[2:]
	switch name {
	case "-h", "--help":
		return toStdout(usage)
	case "-V", "--version":
		name = "version"
	case "help":
		if len(args) == 0 {
			return toStdout(usage)
		}
		name, args = args[0], []string{"--help"}
	}
	for _, c := range commands {
		if c.name == name {
			return c.run(args)
		}
	}
	return usagef("unknown command %q", name)
}

func (c command) run(args []string) error {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	run := c.new(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return toStdout(func(w io.Writer) { c.usage(w, flags) })
		}
		return usageError{fmt.Errorf("%s: %w", c.name, err)}
	}
	return run(flags.Args())
}

func (c command) usage(w io.Writer, flags *pflag.FlagSet) {
	fmt.Fprintf(w, "wfs %s: %s\n\nusage: wfs %s %s\n\n%s\n", c.name, c.summary, c.name, c.args, strings.TrimSpace(c.help))
	if text := flags.FlagUsages(); text != "" {
		fmt.Fprintf(w, "\nflags:\n%s", text)
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "wfs shows the weights of a model as files. Nothing is converted, no pickle is run.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  wfs %-42s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprint(w, `
wfs COMMAND --help tells more of each.

exit codes: 0 success, 1 failure, 2 wrong usage; scan: 0 clean, 2 unknown, 3 dangerous.
`)
}

// toStdout prints a text and says whether all of it arrived.
func toStdout(write func(io.Writer)) error {
	w := bufio.NewWriter(os.Stdout)
	write(w)
	return w.Flush()
}

// oneLine keeps a message on one line and a terminal from obeying a file's names.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
