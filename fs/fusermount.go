package fs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// fusermount mounts for those who are not root (fusermount3(1)).
const fusermount = "fusermount3"

func haveFusermount() error {
	if _, err := exec.LookPath(fusermount); err != nil {
		return errors.New("fusermount3 is missing: install the package fuse3, or mount as root")
	}
	return nil
}

// mayAllowOther reports whether users may ask for allow_other. fusermount3 says it too,
// and by a name that is not a flag of ours.
func mayAllowOther(conf string) error {
	f, err := os.Open(conf)
	if err == nil {
		defer f.Close()
		for scan := bufio.NewScanner(f); scan.Scan(); {
			if strings.TrimSpace(scan.Text()) == "user_allow_other" {
				return nil
			}
		}
	}
	return fmt.Errorf("--allow-other is for root, unless %s has a line user_allow_other", conf)
}

// newServer mounts. What fusermount3 has to say it writes to stderr, which a daemon
// does not have, and go-fuse reports an exit code alone; so its words are caught here
// and made the error.
func newServer(fs *fileSystem, mountpoint string, root bool, opt *fuse.MountOptions) (*fuse.Server, error) {
	if root {
		return fuse.NewServer(fs, mountpoint, opt)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	words := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(r, 1<<10))
		r.Close()
		words <- strings.Join(strings.Fields(string(b)), " ")
	}()
	stderr := os.Stderr
	os.Stderr = w
	server, err := fuse.NewServer(fs, mountpoint, opt)
	os.Stderr = stderr
	w.Close()
	if text := <-words; err != nil && text != "" {
		err = errors.New(text)
	}
	return server, err
}
