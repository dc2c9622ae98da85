package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"wfs/fs"
)

var umountCommand = command{
	name: "umount", args: "[--lazy] MOUNTPOINT...", summary: "end a mount and its daemon",
	help: `
Returns when the daemon has ended. While files are open in the mount it is busy;
--lazy frees the name at once and lets the open files go on until they are closed.
A mount whose daemon was killed is cleaned up.

  wfs umount /mnt/model

exit codes: 0 unmounted, 1 failure, 2 wrong usage`,
	new: func(flags *pflag.FlagSet) func([]string) error {
		lazy := flags.BoolP("lazy", "l", false, "detach a busy mount")
		return func(args []string) error {
			if len(args) == 0 {
				return usagef("umount takes a MOUNTPOINT")
			}
			for _, mountpoint := range args {
				if err := umount(mountpoint, *lazy); err != nil {
					return fmt.Errorf("%s: %w", mountpoint, err)
				}
			}
			return nil
		}
	},
}

// exitTimeout is how long umount waits for a daemon to end.
const exitTimeout = 10 * time.Second

func umount(mountpoint string, lazy bool) error {
	m, ok := mountAt(mountpoint)
	if !ok || m.fsType != fsType {
		return errors.New("no wfs mount is there")
	}
	status, alive := findStatus(m.path)
	err := fs.Unmount(m.path, lazy || !alive)
	if errors.Is(err, syscall.EBUSY) {
		return errors.New("the mount is busy: close the files in it, or use --lazy")
	}
	if err != nil || !alive || lazy {
		return err
	}
	for end := time.Now().Add(exitTimeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		// A process that has ended, and that its parent has not yet asked for, has no
		// program any more.
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", status.PID)); err != nil {
			return nil
		}
	}
	return fmt.Errorf("it is unmounted, but its daemon (pid %d) has not ended", status.PID)
}
