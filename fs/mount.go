package fs

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"wfs/formats/view"
)

// The read path as it was measured (DESIGN §4): the size of a request is the lever,
// splice is none, and asynchronous reads are worth 1.6 times.
const (
	maxRequest    = 1 << 20
	maxBackground = 64
	// maxInflight bounds the buffers of requests: each pins one of maxRequest.
	maxInflight = 16 << 20
)

// Server is a live mount.
type Server struct {
	fs         *fileSystem
	mountpoint string
	done       chan struct{}
}

// counters are what wfs status shows.
type counters struct{ bytes, reads, opens, errors atomic.Int64 }

// Stats are the counters of a mount.
type Stats struct {
	Started time.Time `json:"started"`
	Bytes   int64     `json:"bytes"`
	Reads   int64     `json:"reads"`
	Opens   int64     `json:"opens"`
	Errors  int64     `json:"errors"`
}

// Mount serves tree at mountpoint, an existing directory. It returns when the root
// answers. Root mounts by itself, everybody else through fusermount3.
func Mount(tree *view.Tree, mountpoint string, opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	fs := newFileSystem(tree, opt)
	options := []string{}
	root := os.Geteuid() == 0
	if !root {
		options = append(options, "ro", "nosuid", "nodev")
		if _, err := exec.LookPath("fusermount3"); err != nil {
			return nil, errors.New("fusermount3 is missing: install the package fuse3, or mount as root")
		}
	}
	if opt.AllowOther {
		options = append(options, "default_permissions")
	}
	server, err := fuse.NewServer(fs, mountpoint, &fuse.MountOptions{
		FsName:                  "wfs:" + strings.NewReplacer(",", `\,`, "\n", " ").Replace(opt.Source),
		Name:                    "wfs",
		Options:                 options,
		AllowOther:              opt.AllowOther,
		DirectMountStrict:       root,
		DirectMountFlags:        unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV,
		MaxWrite:                maxRequest,
		MaxReadAhead:            maxRequest,
		MaxBackground:           maxBackground,
		MaxInflightRequestBytes: maxInflight,
		DisableSplice:           true,
		DisableXAttrs:           !opt.XAttr,
		MaxStackDepth:           stackDepth,
		ExtraCapabilities:       fuse.CAP_DIRECT_IO_ALLOW_MMAP,
		Debug:                   opt.Debug,
		Logger:                  log.New(logWriter{opt.Log}, "", 0),
	})
	if err != nil {
		return nil, explain(err)
	}
	s := &Server{fs: fs, mountpoint: mountpoint, done: make(chan struct{})}
	go func() {
		server.Serve()
		close(s.done)
	}()
	if err := server.WaitMount(); err != nil {
		server.Unmount()
		return nil, explain(err)
	}
	fs.raiseReadAhead(mountpoint)
	return s, nil
}

// explain says what to do about the usual reasons for which a mount fails.
func explain(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist) && strings.Contains(err.Error(), "/dev/fuse"), errors.Is(err, syscall.ENODEV):
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
func (s *Server) Unmount(lazy bool) error { return Unmount(s.mountpoint, lazy) }

// Unmount ends any FUSE mount at mountpoint, also one whose daemon is gone.
func Unmount(mountpoint string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := unix.UMOUNT_NOFOLLOW
		if lazy {
			flags |= unix.MNT_DETACH
		}
		return unix.Unmount(mountpoint, flags)
	}
	args := []string{"-u", mountpoint}
	if lazy {
		args = []string{"-u", "-z", mountpoint}
	}
	out, err := exec.Command("fusermount3", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if strings.Contains(strings.ToLower(text), "busy") {
		return syscall.EBUSY
	}
	if text == "" {
		text = err.Error()
	}
	return errors.New(text)
}

// Stats are the counters so far.
func (s *Server) Stats() Stats {
	c := &s.fs.counters
	return Stats{s.fs.started, c.bytes.Load(), c.reads.Load(), c.opens.Load(), c.errors.Load()}
}

// logWriter passes go-fuse's messages on.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(p)))
	return len(p), nil
}
