package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const mountinfo = `22 1 0:20 / /proc rw - proc proc rw
40 1 0:50 / /mnt/a\040b ro,nosuid,nodev - fuse.wfs wfs:/m.pt ro,user_id=1000,group_id=0
41 1 0:50 /tensors /srv/bind ro - fuse.wfs wfs:/m.pt ro,user_id=1000,group_id=0
42 1 0:51 / /overlay rw - overlay overlay rw,lowerdir=/etc:/mnt/a\040b,upperdir=/u,workdir=/w
43 1 0:52 / /overlay2 rw - overlay overlay rw,lowerdir+=/mnt/a\040b/sub,upperdir=/u,workdir=/w
44 1 0:53 / /overlay3 rw - overlay overlay rw,lowerdir=/mnt/a\040bc,upperdir=/mnt/a\040b
broken
`

// TestElsewhere reads a list of mounts, and says where a file system of it is besides.
func TestElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mountinfo")
	put(t, path, mountinfo)
	list := mountsIn(path)
	if len(list) != 6 {
		t.Fatalf("%d mounts", len(list))
	}
	m := list[1]
	if m.id != 40 || m.device != "0:50" || m.path != "/mnt/a b" || m.fsType != fsType || m.source != "wfs:/m.pt" || m.user != 1000 {
		t.Errorf("%+v", m)
	}
	if got := atPaths(m.binds(list)); got != "it is mounted at /srv/bind too" {
		t.Errorf("binds: %q", got)
	}
	if got := m.overlays(list); got != "the overlay at /overlay and /overlay2 lies on it" {
		t.Errorf("overlays: %q", got)
	}
	if got := atPaths(m.binds(list[:2])) + m.overlays(list[:2]) + elsewhere(m.binds(list)); got != "" {
		t.Errorf("by itself: %q", got)
	}
	other := m
	other.source = "wfs:/other.pt"
	if got := other.binds(list); len(got) != 0 {
		t.Errorf("another source on a device that is used again: %v", got)
	}
	if mountsIn(path+"x") != nil {
		t.Error("mounts of a list that is not there")
	}
}

func TestMayUnmount(t *testing.T) {
	for _, c := range []struct {
		mounted, uid int
		words        string
	}{
		{0, 0, ""}, {1000, 0, ""}, {1000, 1000, ""}, {-1, 1000, ""}, {0, 1000, "root mounted it"},
		{987654, 1000, "user 987654 mounted it"},
	} {
		err := mountEntry{user: c.mounted}.mayUnmount(c.uid)
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("mounted by %d, unmounted by %d: %v", c.mounted, c.uid, err)
		}
	}
}

func TestSome(t *testing.T) {
	list := strings.Split("a b c d e f g", " ")
	for n, want := range map[int]string{0: "", 1: "a", 2: "a and b", 3: "a, b and c", 5: "a, b, c, d and e", 7: "a, b, c, d, e and 2 more"} {
		if got := some(list[:n]); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestBusy finds processes that hold a file system in each way there is, and no others.
func TestBusy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	m, ok := mountAt(dir)
	if !ok {
		t.Fatal("it is not mounted")
	}
	if err := m.busy(); !strings.HasSuffix(err.Error(), "busy: close the files in it, or use --lazy") {
		t.Errorf("held by nobody: %v", err)
	}
	file := filepath.Join(dir, "file")
	put(t, file, strings.Repeat("x", 4096))
	for name, script := range map[string]string{"open": `exec 9< "$0"; `, "directory": `cd "$(dirname "$0")"; `} {
		cmd := exec.Command("sh", "-c", script+"echo ready; read line", file)
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 6))
		if err := m.busy(); !strings.Contains(err.Error(), "process "+strconv.Itoa(cmd.Process.Pid)+" (sh)") {
			t.Errorf("%s: %v", name, err)
		}
		in.Close()
		cmd.Wait()
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	self := "/proc/" + strconv.Itoa(os.Getpid())
	if !m.heldBy(self) {
		t.Error("a file that is mapped holds nothing")
	}
	unix.Munmap(mapped)
	if m.heldBy(self) {
		t.Error("a file that was mapped holds it")
	}
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", inner, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := m.busy(); !strings.Contains(err.Error(), "what is mounted at "+inner) {
		t.Errorf("a mount in it: %v", err)
	}
	if err := unix.Unmount(inner, 0); err != nil {
		t.Error(err)
	}
}
