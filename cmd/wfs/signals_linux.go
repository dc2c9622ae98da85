package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"

	"wfs/fs"
)

// wait returns when the mount has ended: by umount, or by a signal. The first signal
// unmounts, lazily when the mount is busy; a second one ends the process, and with it
// what is still open.
func wait(server *fs.Server, at mountEntry, signals <-chan os.Signal, log *slog.Logger) {
	for n := 0; ; n++ {
		select {
		case <-server.Done():
			return
		case s := <-signals:
			if n > 0 {
				log.Warn("ended by a second signal while files were open")
				return
			}
			notify("STOPPING=1")
			log.Info("unmounting", "signal", s.String())
			binds := at.binds(mounts())
			err := server.Unmount(false)
			if errors.Is(err, syscall.EBUSY) {
				log.Warn("the mount is busy: it is detached, and ends when its files are closed")
				err = server.Unmount(true)
			}
			if err != nil {
				log.Error("cannot unmount; a second signal ends the daemon all the same", "error", err)
			} else if where := elsewhere(binds); where != "" {
				log.Warn("unmounted, and the daemon goes on; a second signal ends it", "where", where)
			}
		}
	}
}

// notify tells systemd what state the service is in (sd_notify(3)).
func notify(state string) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	if strings.HasPrefix(address, "@") {
		address = "\x00" + address[1:]
	}
	conn, err := net.Dial("unixgram", address)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(state))
}
