package fs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
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

// fusermountOn has fusermount3 mount on the directory dir, and returns the descriptor that
// the file system is served by. Its words are the error: a daemon has no stderr.
func fusermountOn(dir *os.File, opt *fuse.MountOptions) (device int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "fusermount3"), os.NewFile(uintptr(pair[1]), "fusermount3")
	defer ours.Close()
	// It resolves "." by itself, as it does any path, and mounts on what it has entered.
	cmd := exec.Command(fusermount, "-o", fusermountOptions(opt), "--", ".")
	cmd.Dir = descriptorPath(dir)
	cmd.Env = []string{"_FUSE_COMMFD=3"}
	cmd.ExtraFiles = []*os.File{theirs}
	words, err := cmd.CombinedOutput()
	theirs.Close()
	if err != nil {
		if text := strings.Join(strings.Fields(string(words)), " "); text != "" {
			err = errors.New(text[:min(len(text), 1<<10)])
		}
		return 0, err
	}
	return receive(ours)
}

// fusermountOptions is the value of -o, where commas and backslashes are escaped.
func fusermountOptions(opt *fuse.MountOptions) string {
	all := append([]string{}, opt.Options...)
	if opt.AllowOther {
		all = append(all, "allow_other")
	}
	all = append(all, "fsname="+opt.FsName, "subtype="+opt.Name, fmt.Sprintf("max_read=%d", opt.MaxWrite))
	for i, option := range all {
		all[i] = strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(option)
	}
	return strings.Join(all, ",")
}

// receive is the descriptor that was sent over a socket (unix(7), SCM_RIGHTS).
func receive(socket *os.File) (int, error) {
	message, control := make([]byte, 4), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), message, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err == nil && len(messages) == 1 {
		if sent, err := unix.ParseUnixRights(&messages[0]); err == nil && len(sent) == 1 {
			return sent[0], nil
		}
	}
	return 0, errors.New("fusermount3 has sent no descriptor")
}
