package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"sync"
	"syscall"
	"time"
)

// logger is where the messages of a mount go: stderr in the foreground, else the
// log file, else syslog.
func (o *MountOptions) logger(stderr io.Writer) (*slog.Logger, error) {
	level, err := o.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	out := stderr
	switch {
	case o.LogFile != "":
		f, err := openLog(o.LogFile)
		if err != nil {
			return nil, err
		}
		out = f
	case !o.Foreground:
		w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "wfs")
		if err != nil { // a container has none, and mounts all the same
			return slog.New(slog.DiscardHandler), nil
		}
		return slog.New(newSyslogHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(out, options)), nil
}

// openLog opens a log file to append to. A link is not followed: in a directory where others
// write, it could lead root to any file. What is logged, paths and keys, is for its owner.
// O_NONBLOCK: no mount waits for somebody to come and read a FIFO.
func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("%s: the log file is a symbolic link, which is not followed", path)
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("%s: nobody reads this pipe or socket: name a file", path)
	case err != nil:
		return nil, shortPath(err)
	}
	return f, nil
}

// syslogHandler gives each record the severity that journalctl -p and syslogd go by,
// and leaves the time to them.
type syslogHandler struct {
	slog.Handler // writes to line
	mu           *sync.Mutex
	line         *bytes.Buffer
	out          *syslog.Writer
}

func newSyslogHandler(out *syslog.Writer, options *slog.HandlerOptions) slog.Handler {
	line := &bytes.Buffer{}
	return syslogHandler{slog.NewTextHandler(line, options), &sync.Mutex{}, line, out}
}

// Handle writes one record.
func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.Reset()
	r.Time = time.Time{}
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	write := h.out.Debug
	switch {
	case r.Level >= slog.LevelError:
		write = h.out.Err
	case r.Level >= slog.LevelWarn:
		write = h.out.Warning
	case r.Level >= slog.LevelInfo:
		write = h.out.Info
	}
	return write(h.line.String())
}
