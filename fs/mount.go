package fs

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"wfs/formats/tree"
)

// The read path as it was measured: splice gains nothing, and asynchronous reads
// are 1.6 times as fast as synchronous ones. With the read-ahead of raiseReadAhead, requests of 256 KiB to 1 MiB are
// equally fast, and smaller ones need smaller buffers.
const (
	maxRequest    = 512 << 10
	maxBackground = 64
	// maxInflight bounds the buffers of requests: each pins one of maxRequest.
	maxInflight = 8 << 20
)

// Server is a live mount.
type Server struct {
	fs         *fileSystem
	mountpoint string
	device     uint64 // of the mount, 0 where it could not be asked for
	done       chan struct{}
}

// counters are what wfs status shows.
type counters struct{ bytes, reads, opens, errors, prefetched atomic.Int64 }

// served counts a read of n bytes.
func (c *counters) served(n int, prefetch bool) {
	c.reads.Add(1)
	c.bytes.Add(int64(n))
	if prefetch {
		c.prefetched.Add(int64(n))
	}
}

// Stats are the counters of a mount.
type Stats struct {
	Started    time.Time `json:"started"`
	Bytes      int64     `json:"bytes"`      // prefetched ones too
	Prefetched int64     `json:"prefetched"` // bytes
	Reads      int64     `json:"reads"`
	Opens      int64     `json:"opens"`
	Errors     int64     `json:"errors"`
}

// Mount serves tree at mountpoint, an existing directory. It returns when the root
// answers. Root mounts by itself, everybody else through fusermount3; both on the
// directory that was opened, whatever its path leads to meanwhile.
func Mount(tree *tree.Tree, mountpoint string, opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	fs := newFileSystem(tree, opt)
	options := []string{}
	root := os.Geteuid() == 0
	if !root {
		options = append(options, "ro", "nosuid", "nodev")
		if err := haveFusermount(); err != nil {
			return nil, err
		}
	}
	if opt.AllowOther {
		options = append(options, "default_permissions")
		if err := mayAllowOther("/etc/fuse.conf"); err != nil && !root {
			return nil, err
		}
	}
	var without uint64                 // capabilities of the kernel that are not used
	if !root || !passesThrough(tree) { // passthrough takes CAP_SYS_ADMIN
		fs.noPassthrough.Store(true)
		without = fuse.CAP_PASSTHROUGH
	}
	dir := opt.Directory
	if dir == nil {
		var err error
		if dir, err = os.Open(mountpoint); err != nil {
			return nil, err
		}
		defer dir.Close()
	}
	server, err := newServer(fs, dir, root, &fuse.MountOptions{
		FsName:                  deviceName(opt.Source),
		Name:                    "wfs",
		Options:                 options,
		AllowOther:              opt.AllowOther,
		DirectMountStrict:       root,
		DirectMountFlags:        unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV,
		MaxWrite:                maxRequest,
		MaxReadAhead:            readAheadKiB << 10,
		MaxBackground:           maxBackground,
		MaxInflightRequestBytes: maxInflight,
		DisableSplice:           true,
		DisableXAttrs:           !opt.XAttr,
		MaxStackDepth:           stackDepth,
		ExtraCapabilities:       fuse.CAP_DIRECT_IO_ALLOW_MMAP,
		DisabledCapabilities:    without,
		Debug:                   opt.Debug,
		Logger:                  log.New(logWriter{opt.Log}, "", 0),
		PanicHandler:            fs.panicked,
	})
	if err != nil {
		return nil, explain(err)
	}
	s := &Server{fs: fs, mountpoint: mountpoint, done: make(chan struct{})}
	go func() {
		server.Serve()
		fs.ahead.stop()
		close(s.done)
	}()
	if err := await(mountpoint); err != nil {
		Unmount(pathOf(dir, mountpoint), true)
		return nil, explain(err)
	}
	if s.device = deviceAt(mountpoint); s.device != 0 {
		readAhead := fs.raiseReadAhead(s.device)
		if !opt.NoPrefetch {
			fs.ahead.start(mountpoint, s.device, readAhead, &fs.memory, opt.Log)
		}
	}
	return s, nil
}

// deviceName is what /proc/mounts shows as the device; programs may go by it.
// mount(2) takes a page of text at most.
func deviceName(source string) string {
	name := "wfs:" + source
	return name[:min(len(name), unix.PathMax-1)]
}

// explain says what to do about the usual reasons for which a mount fails.
func explain(err error) error {
	_, device := os.Stat("/dev/fuse")
	switch {
	case device != nil, errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("there is no /dev/fuse: load the fuse module, or start the container with --device /dev/fuse (%w)", err)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("mounting is not permitted: in a container it takes --cap-add SYS_ADMIN --device /dev/fuse (%w)", err)
	}
	return fmt.Errorf("mount: %w", err)
}

// Done is closed when the file system is unmounted.
func (s *Server) Done() <-chan struct{} { return s.done }

// Unmount ends the mount. While files are open in it that is only possible lazily:
// the name is free at once, and the open files go on until they are closed.
func (s *Server) Unmount(lazy bool) error {
	// umount(2) takes what was mounted there last.
	if top := deviceAt(s.mountpoint); top != 0 && s.device != 0 && top != s.device {
		return fmt.Errorf("another file system is there: %w", unix.EINVAL)
	}
	return Unmount(s.mountpoint, lazy)
}

// deviceAt is the device number of the file system that a path is on, or 0.
func deviceAt(path string) uint64 {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return 0
	}
	return st.Dev
}

// Stats are the counters so far.
func (s *Server) Stats() Stats {
	c := &s.fs.counters
	return Stats{s.fs.started, c.bytes.Load(), c.prefetched.Load(), c.reads.Load(), c.opens.Load(), c.errors.Load()}
}

// logWriter passes go-fuse's messages on.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(p)))
	return len(p), nil
}
