package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// daemonMark tells the copy of wfs that it is the daemon, and what descriptors it has.
const daemonMark = "WFS_DAEMON"

// inherited is the descriptors that a daemon has of the command that started it.
type inherited struct {
	ready     int // a pipe for its one message
	directory int // the mountpoint, open and locked
	source    int // the descriptor that SOURCE names, or -1
}

// inherit numbers the descriptors. That of the source stays what it is.
func inherit(source string) inherited {
	in := inherited{source: descriptorIn(source)}
	in.ready = max(3, in.source+1)
	in.directory = in.ready + 1
	return in
}

func (in inherited) String() string {
	return fmt.Sprintf("ready=%d directory=%d source=%d", in.ready, in.directory, in.source)
}

// ofDaemon is what a daemon has inherited.
func ofDaemon() (in inherited, err error) {
	_, err = fmt.Sscanf(os.Getenv(daemonMark), "ready=%d directory=%d source=%d", &in.ready, &in.directory, &in.source)
	if err != nil {
		err = fmt.Errorf("%s is set, and not by wfs", daemonMark)
	}
	return in, err
}

// pass gives a command that is not started the files by their numbers.
func (in inherited) pass(cmd *exec.Cmd, ready, directory *os.File, source string) {
	cmd.Env = append(os.Environ(), daemonMark+"="+in.String())
	cmd.ExtraFiles = make([]*os.File, in.directory-2) // nil is closed
	cmd.ExtraFiles[in.ready-3], cmd.ExtraFiles[in.directory-3] = ready, directory
	switch in.source {
	case -1:
	case 0:
		cmd.Stdin = os.Stdin
	case 1:
		cmd.Stdout = os.Stdout
	case 2:
		cmd.Stderr = os.Stderr
	default:
		cmd.ExtraFiles[in.source-3] = os.NewFile(uintptr(in.source), source)
	}
}

// startTimeout is how long the command waits for its daemon: a header of 100 000
// tensors on a slow disk takes seconds.
const startTimeout = 5 * time.Minute

// started is what a daemon says when it is ready, or why it is not.
type started struct {
	Error string   `json:"error,omitempty"`
	Usage bool     `json:"usage,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// endedEarly is the error of a daemon that said nothing.
const endedEarly = "the daemon ended before it was ready"

func isDaemon() bool { return os.Getenv(daemonMark) != "" }

// startDaemon runs this command again and waits until it says that the mount answers.
func (a *app) startDaemon(source string, directory *os.File) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(exe, a.argv[1:]...)
	cmd.Args[0] = a.argv[0] // mount.wfs stays mount.wfs
	inherit(source).pass(cmd, w, directory, source)
	// What the caller has open, such as a lock or a pipe, is not the daemon's to keep.
	unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	interrupted := endings() // from here on: what was made is removed
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	w.Close()

	answer := make(chan started, 1)
	go func() {
		var s started
		line, err := bufio.NewReader(r).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &s)
		}
		if err != nil {
			s.Error = endedEarly
		}
		answer <- s
	}()
	var s started
	select {
	case s = <-answer:
	case <-interrupted:
		s.Error = "interrupted: nothing is mounted"
		cmd.Process.Signal(syscall.SIGTERM)
	case <-time.After(startTimeout):
		s.Error = fmt.Sprintf("the daemon was not ready after %s", startTimeout)
		cmd.Process.Signal(syscall.SIGTERM)
	}
	a.printNotes(s.Notes)
	if s.Error == "" {
		return cmd.Process.Release()
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		if s.Error == endedEarly { // "signal: killed" is all that is left of some
			s.Error += ": " + cmd.ProcessState.String()
		}
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
	}
	if s.Usage {
		return usageError{errors.New(s.Error)}
	}
	return errors.New(s.Error)
}

// serveDaemon is the daemon's side.
func (a *app) serveDaemon(opt *MountOptions, source, mountpoint string) error {
	in, err := ofDaemon()
	if err != nil {
		return err
	}
	os.Unsetenv(daemonMark)
	for _, fd := range []int{in.ready, in.directory, in.source} {
		if fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	pipe, directory := os.NewFile(uintptr(in.ready), "ready"), os.NewFile(uintptr(in.directory), absolutePath(mountpoint))
	opt.Foreground = false
	if opt.Diff {
		opt.other = absolutePath(opt.other)
	}
	tell := func(s started) error {
		defer pipe.Close()
		return json.NewEncoder(pipe).Encode(s)
	}
	if opt.LogFile != "" {
		opt.LogFile = absolutePath(opt.LogFile)
	}
	err = a.serve(opt, absolutePath(nameOf(source)), directory, func(notes []string) error {
		if in.source >= 0 {
			dropDescriptor(in.source)
		}
		// From here on the daemon holds no directory busy, and has no terminal. Not before:
		// autofs lets only the automounter's process group reach what it is mounting, and
		// makes everybody else wait for the mount (Documentation/filesystems/autofs.rst).
		os.Chdir("/")
		unix.Setsid()
		return tell(started{Notes: notes})
	})
	if err != nil {
		var usage usageError
		tell(started{Error: err.Error(), Usage: errors.As(err, &usage)}) // no use after the first time
		return exitError(exitFailure)
	}
	return nil
}
