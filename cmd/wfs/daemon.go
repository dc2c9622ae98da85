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

// daemonMark tells the copy of wfs that it is the daemon. The pipe on descriptor 3
// carries its one message to the command that the user typed.
const (
	daemonMark = "WFS_DAEMON"
	readyPipe  = 3
)

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
func (a *app) startDaemon() error {
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
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.ExtraFiles = []*os.File{w}
	// What the caller has open, such as a lock or a pipe, is not the daemon's to keep.
	unix.CloseRange(readyPipe, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
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
	os.Unsetenv(daemonMark)
	syscall.CloseOnExec(readyPipe)
	pipe := os.NewFile(readyPipe, "ready")
	opt.Foreground = false
	tell := func(s started) error {
		defer pipe.Close()
		return json.NewEncoder(pipe).Encode(s)
	}
	source, mountpoint = absolutePath(source), absolutePath(mountpoint)
	if opt.LogFile != "" {
		opt.LogFile = absolutePath(opt.LogFile)
	}
	err := a.serve(opt, source, mountpoint, func(notes []string) error {
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
