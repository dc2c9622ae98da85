//go:build linux || darwin

package source

import (
	"os"
	"syscall"
)

func stampOf(f *os.File) (stamp, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return stamp{}, err
	}
	modified, changed := times(&st)
	return stamp{
		size: st.Size, modified: modified.Nano(), changed: changed.Nano(), device: uint64(st.Dev), inode: st.Ino,
		owner: owner{uint64(st.Nlink), uint64(st.Mode), uint64(st.Uid), uint64(st.Gid)},
	}, nil
}
