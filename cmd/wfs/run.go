package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"wfs/fs"
)

// endings is a channel for the signals that ask to end. What nohup(1), or a shell that
// runs wfs in the background, has it ignore stays ignored.
func endings() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// wait returns when the mount has ended: by umount, or by a signal. The first signal
// unmounts, lazily when the mount is busy; a second one ends the process, and with it
// what is still open.
func wait(server *fs.Server, signals <-chan os.Signal, log *slog.Logger) {
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
			err := server.Unmount(false)
			if errors.Is(err, syscall.EBUSY) {
				log.Warn("the mount is busy: it is detached, and ends when its files are closed")
				err = server.Unmount(true)
			}
			if err != nil {
				log.Error("cannot unmount; a second signal ends the daemon all the same", "error", err)
			}
		}
	}
}

// defaultPath is for fusermount3 where nothing says what PATH is, as for the helper of a
// mount unit (systemd.exec(5)).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func ensurePath() {
	if os.Getenv("PATH") == "" {
		os.Setenv("PATH", defaultPath)
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

// collectLate lets the heap grow while headers are read, which make little garbage
// and much that stays: collecting early costs a third of the time. The limit is soft,
// and keeps hostile files from using the freedom.
func collectLate() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(256 << 20)
}

// roomToServe is what serving may take beyond what the tree takes: decoded chunks (64 MiB
// at most), the buffers of requests, and garbage. With half of it, a full cache of chunks
// keeps the collector busy: a compressed dataset takes 1.6 times as long to read.
const roomToServe = 128 << 20

// collectTight is for serving: what reading the headers took goes back to the system,
// and what requests leave behind is collected before the daemon grows by much. The limit
// is soft.
func collectTight() {
	debug.SetGCPercent(25)
	debug.FreeOSMemory()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	debug.SetMemoryLimit(int64(now.Sys-now.HeapReleased) + roomToServe)
}

// raiseFileLimit allows as many open files as the hard limit does: a directory
// holds one descriptor for each of its files.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
