package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/fs"
)

// UmountOptions are the flags of wfs umount.
type UmountOptions struct{ Lazy bool }

// AddFlags registers the flags. What is set already is their default.
func (o *UmountOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(&o.Lazy, "lazy", "l", o.Lazy, "detach a busy mount")
}

// Validate checks the command line.
func (o *UmountOptions) Validate(args []string) error {
	if len(args) == 0 {
		return usagef("umount takes a MOUNTPOINT")
	}
	return nil
}

func newUmount(a *app) *cobra.Command {
	opt := &UmountOptions{}
	cmd := &cobra.Command{
		Use:        "umount [--lazy] MOUNTPOINT...",
		SuggestFor: []string{"unmount", "umnt", "detach", "eject", "stop", "fusermount", "fusermount3"},
		Short:      "end a mount and its daemon",
		Long: `
Returns when the daemon has ended, or at once where the mount can be seen elsewhere
too: by a bind mount, in a container, or below an overlay. While files are open in the
mount it is busy, and the processes that have them open are named; --lazy frees the name
at once and lets the open files go on until they are closed. A mount whose daemon was
killed is cleaned up.`,
		Example:           "  wfs umount /mnt/model",
		Annotations:       exitCodes("0 unmounted, 1 failure, 2 wrong usage"),
		ValidArgsFunction: completeMountpoint,
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.umount(opt, args) },
	}
	opt.AddFlags(cmd.Flags())
	return cmd
}

// umount ends every mount that it can.
func (a *app) umount(opt *UmountOptions, mountpoints []string) error {
	failed := false
	for _, mountpoint := range mountpoints {
		note, err := umount(mountpoint, opt.Lazy)
		if err != nil {
			a.complain(fmt.Errorf("%s: %w", mountpoint, err))
			failed = true
		}
		if note != "" {
			a.printNotes([]string{mountpoint + ": " + note})
		}
	}
	if failed {
		return exitError(exitFailure)
	}
	return nil
}

const (
	// exitTimeout is how long umount waits for a daemon to end.
	exitTimeout = 10 * time.Second
	// lookTimeout is how long it waits before it looks for less usual reasons.
	lookTimeout = 200 * time.Millisecond
)

// umount ends one mount. note is what is left of it, and no failure.
func umount(mountpoint string, lazy bool) (note string, err error) {
	if mountpoint == "" { // it would be the working directory
		return "", errors.New("no wfs mount is there")
	}
	m, ok := mountAt(mountpoint)
	if !ok || m.fsType != fsType {
		return "", errors.New("no wfs mount is there")
	}
	if err := m.mayUnmount(os.Geteuid()); err != nil {
		return "", err
	}
	status, alive := m.of(daemons())
	binds := m.binds(mounts())
	// A mount whose daemon is gone can have open files, and never close them.
	err = fs.Unmount(m.path, lazy || !alive && stale(m.path))
	if errors.Is(err, syscall.EBUSY) {
		return "", m.busy()
	}
	if err != nil || !alive || lazy {
		return "", err
	}
	// umount(2) has ended the file system, and its daemon with it, unless it is mounted
	// elsewhere too.
	where := elsewhere(binds)
	for began, looked := time.Now(), false; where == "" && time.Since(began) < exitTimeout; time.Sleep(5 * time.Millisecond) {
		if ended(status.PID) {
			return "", nil
		}
		if !looked && time.Since(began) > lookTimeout {
			looked, where = true, cmp.Or(m.overlays(mounts()), m.inNamespaces())
		}
	}
	if where == "" {
		return "", fmt.Errorf("it is unmounted, but its daemon (pid %d) has not ended", status.PID)
	}
	return fmt.Sprintf("its daemon (pid %d) goes on: %s", status.PID, where), nil
}

// mayUnmount says who can unmount what another user has mounted.
func (m mountEntry) mayUnmount(uid int) error {
	switch {
	case uid == 0 || m.user < 0 || m.user == uid:
		return nil
	case m.user == 0:
		return errors.New("root mounted it, and only root can unmount it")
	}
	name := strconv.Itoa(m.user)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return fmt.Errorf("user %s mounted it, and only that user or root can unmount it", name)
}

// ended reports whether a process is gone, or is a zombie that nobody waits for: the
// first process of a container often does not.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	}
	// The name of the command is in parentheses, and may hold some (proc_pid_stat(5)).
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
