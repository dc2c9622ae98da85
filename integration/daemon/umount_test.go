package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// bind makes a bind mount of path for the time of a test.
func bind(t *testing.T, path string) string {
	t.Helper()
	target := t.TempDir()
	if r := harness.Run(t, time.Minute, harness.AsRoot("mount", "--bind", path, target)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	t.Cleanup(func() {
		if harness.IsMounted(target) {
			harness.Run(t, time.Minute, harness.AsRoot("umount", target))
		}
	})
	return target
}

// TestUmountBind takes down a bind mount, or the mount that it was made of: the name that
// was given is free at once, and a note says where the file system is besides.
func TestUmountBind(t *testing.T) {
	for _, of := range []string{"", "tensors"} {
		for _, original := range []bool{false, true} {
			m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t))
			ends := bind(t, filepath.Join(m.Path, of))
			stays := m.Path
			if original {
				ends, stays = stays, ends
			}
			began := time.Now()
			r := harness.WFS(t, "umount", ends)
			if took := time.Since(began); r.Code != 0 || took > 9*time.Second {
				t.Errorf("exit code %d after %v", r.Code, took)
			}
			harness.CheckOneLine(t, r, "note: "+ends, "it is mounted at "+stays+" too", fmt.Sprintf("pid %d", m.PID))
			if harness.IsMounted(ends) || !harness.IsMounted(stays) {
				t.Errorf("%s is mounted, or %s is not", ends, stays)
			}
			if _, err := os.ReadDir(stays); err != nil {
				t.Error(err)
			}
			if r := harness.WFS(t, "umount", stays); r.Code != 0 || r.Stderr != "" || !harness.Gone(m.Path) {
				t.Errorf("the last of them: exit code %d\n%s", r.Code, r.Stderr)
			}
		}
	}
}

// TestSignalBind ends a daemon whose mount has a bind: its log says where it goes on, and
// the second signal ends it.
func TestSignalBind(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t), "--log-file", log)
	other := bind(t, m.Path)
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGTERM))
	harness.CheckText(t, log, "level=WARN", "the daemon goes on", "it is mounted at "+other+" too")
	if harness.IsMounted(m.Path) || !harness.IsMounted(other) {
		t.Error("the wrong mount was taken down")
	}
	if _, err := os.ReadDir(other); err != nil {
		t.Error(err)
	}
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGTERM))
	if !harness.Gone(m.Path) {
		t.Error("the second signal does not end the daemon")
	}
}

// TestUmountNamespace takes a mount down that another mount namespace has too, as that of a
// container has.
func TestUmountNamespace(t *testing.T) {
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t))
	cmd := harness.AsRoot("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 600")
	out, err := cmd.StdoutPipe()
	harness.Must(t, err)
	harness.Start(t, cmd)
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	r := harness.WFS(t, "umount", m.Path)
	if r.Code != 0 || harness.IsMounted(m.Path) {
		t.Errorf("exit code %d, mounted %v", r.Code, harness.IsMounted(m.Path))
	}
	harness.CheckOneLine(t, r, "note: "+m.Path, fmt.Sprintf("pid %d", m.PID), "it is mounted at "+m.Path+" too, for process")
	harness.Must(t, cmd.Process.Kill())
	cmd.Wait()
	if !harness.Gone(m.Path) {
		t.Error("the daemon has not ended with the namespace")
	}
}

// TestUmountBusy names what keeps a mount busy.
func TestUmountBusy(t *testing.T) {
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t))
	for _, script := range []string{`exec 9< "$0/model.safetensors"; `, `cd "$0/tensors"; `} {
		cmd := exec.Command("sh", "-c", script+"echo ready; read line", m.Path)
		in, err := cmd.StdinPipe()
		harness.Must(t, err)
		out, err := cmd.StdoutPipe()
		harness.Must(t, err)
		harness.Start(t, cmd)
		if _, err := out.Read(make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		harness.Refused(t, []string{"umount", m.Path}, m.Path, "busy", fmt.Sprintf("process %d (sh)", cmd.Process.Pid), "--lazy")
		in.Close()
		cmd.Wait()
	}
}

// TestUmountForeign has a user unmount what root has mounted, and a bind mount of it.
func TestUmountForeign(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root and another user")
	}
	dir := harness.Dir(t, "foreign")
	m := harness.MountAt(t, harness.Small(t), filepath.Join(dir, "mnt"), "--allow-other")
	for _, path := range []string{m.Path, bind(t, m.Path)} {
		harness.RefusedCommand(t, harness.AsNobody(t, harness.Binary(), "umount", path), path, "root mounted it")
		harness.RefusedCommand(t, harness.AsNobody(t, harness.Binary(), "umount", "--lazy", path), path, "root mounted it")
		if !harness.IsMounted(path) {
			t.Errorf("%s is unmounted", path)
		}
	}
}
