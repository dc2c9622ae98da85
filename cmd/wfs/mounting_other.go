//go:build !linux

package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// ensurePath is for programs that only Linux's commands run.
func ensurePath() {}

// mountManual and mountFiles are parts of the manual page on mounts.
const mountManual, mountFiles = "", ""

// mountCommands are the commands that need FUSE: none.
func mountCommands(*app) []*cobra.Command { return nil }

// mountedAt is what to say of a directory that something is mounted on, which is not known.
func mountedAt(string) string { return "" }

// notHere is why a command of other systems is not one of this system, "" where it is.
func notHere(name string) string {
	switch name {
	case "mount", "umount", "status":
		return fmt.Sprintf("wfs mounts on Linux only; its other commands need no mount and work on %s too", runtime.GOOS)
	}
	return ""
}

func (a *app) dispatch() error { return execute(newRoot(a), a.argv[1:]) }
