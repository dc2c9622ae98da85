package daemon

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestSignals ends daemons with signals, and reads in their logs what they did.
func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		log := filepath.Join(t.TempDir(), "log")
		m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t), "--log-file", log)
		harness.Must(t, syscall.Kill(m.PID, signal))
		if !harness.Gone(m.Path) {
			t.Errorf("%v: the mount is there, or its daemon", signal)
		}
		harness.CheckText(t, log, "msg=mounted", "msg=unmounting", "signal="+signal.String(), "msg=unmounted")
	}
}

// TestSignalBusy ends a daemon whose files are open: the name is free at once, what is
// open goes on, and the log says so. A second signal ends that too.
func TestSignalBusy(t *testing.T) {
	for _, again := range []bool{false, true} {
		log := filepath.Join(t.TempDir(), "log")
		m := harness.MountAt(t, harness.Large(t), harness.Mountpoint(t), "--log-file", log)
		file, err := os.Open(filepath.Join(m.Path, "model.safetensors"))
		harness.Must(t, err)
		defer file.Close()
		harness.Must(t, syscall.Kill(m.PID, syscall.SIGTERM))
		if !harness.Eventually(30*time.Second, func() bool { return !harness.IsMounted(m.Path) }) {
			t.Fatal("the busy mount is still there")
		}
		harness.CheckText(t, log, "level=WARN", "busy", "detached")
		harness.DropCache(file)
		if _, err := file.ReadAt(make([]byte, 1<<20), 8<<20); err != nil {
			t.Errorf("an open file of a detached mount: %v", err)
		}
		if again {
			harness.Must(t, syscall.Kill(m.PID, syscall.SIGTERM))
			if !harness.Gone(m.Path) {
				t.Error("the second signal does not end the daemon")
			}
			harness.DropCache(file)
			if _, err := file.ReadAt(make([]byte, 1<<20), 16<<20); err == nil {
				t.Error("a file reads without its daemon")
			}
			harness.CheckText(t, log, "second signal")
		}
		file.Close() // its daemon is gone, or it is well
		if !harness.Gone(m.Path) {
			t.Error("the daemon does not end with its last file")
		}
	}
}

// TestSignalCovered ends a daemon on whose mount another file system is mounted: that is
// not what it unmounts.
func TestSignalCovered(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t), "--log-file", log)
	if r := harness.Run(t, time.Minute, harness.AsRoot("mount", "-t", "tmpfs", "none", m.Path)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGTERM))
	harness.CheckText(t, log, "cannot unmount", "another file system")
	if r := harness.Run(t, time.Minute, harness.AsRoot("umount", m.Path)); r.Code != 0 || !harness.IsMounted(m.Path) {
		t.Errorf("the file system above is gone, or the one below: exit code %d\n%s", r.Code, r.Stderr)
	}
	harness.ReadAll(t, m.Path)
}

// TestNohup has a daemon ignore the signal that its starter ignored.
func TestNohup(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	mountpoint := harness.Mountpoint(t)
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" "$@"`, harness.Binary(), "mount", "--log-file", log, harness.Small(t), mountpoint)
	if r := harness.Run(t, time.Minute, cmd); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	for _, pid := range harness.Daemons(mountpoint) {
		harness.Must(t, syscall.Kill(pid, syscall.SIGHUP))
		harness.Must(t, syscall.Kill(pid, syscall.SIGINT))
	}
	if !harness.Gone(mountpoint) {
		t.Error("SIGINT does not end it")
	}
	harness.CheckText(t, log, "msg=unmounting signal=interrupt", "msg=unmounted")
}

// TestMountAgain mounts where a busy mount was detached: the daemon that lives on
// under the same path is taken for no other.
func TestMountAgain(t *testing.T) {
	source := harness.Small(t)
	old := harness.MountAt(t, source, harness.Mountpoint(t))
	file, err := os.Open(filepath.Join(old.Path, "model.safetensors"))
	harness.Must(t, err)
	defer file.Close()
	harness.Refused(t, []string{"umount", old.Path}, old.Path, "busy", "--lazy")
	if r := harness.WFS(t, "umount", "--lazy", old.Path); r.Code != 0 || harness.IsMounted(old.Path) {
		t.Fatalf("umount --lazy: exit code %d\n%s", r.Code, r.Stderr)
	}
	if r := harness.WFS(t, "mount", source, old.Path); r.Code != 0 {
		t.Fatalf("mount again: exit code %d\n%s", r.Code, r.Stderr)
	}
	if s := harness.StatusOf(t, old.Path); !s.Alive || s.PID == old.PID {
		t.Errorf("status shows pid %d, which serves the detached mount", s.PID)
	}
	if r := harness.WFS(t, "umount", old.Path); r.Code != 0 || r.Stderr != "" {
		t.Errorf("umount: exit code %d\n%s", r.Code, r.Stderr)
	}
	harness.Must(t, file.Close())
	if !harness.Gone(old.Path) {
		t.Error("the daemon of the detached mount is left")
	}
}

// TestLog checks where the log goes, and what --log-level lets through.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	run := func(flags ...string) string {
		mountpoint := filepath.Join(dir, "mnt")
		cmd := harness.Command(append(append([]string{"mount"}, flags...), harness.Small(t), mountpoint)...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		harness.Start(t, cmd)
		defer harness.Unmount(t, mountpoint)
		if !harness.Eventually(30*time.Second, func() bool { return harness.IsReady(t, mountpoint) }) {
			t.Fatalf("%q does not mount", flags)
		}
		harness.Unmount(t, mountpoint)
		harness.Must(t, cmd.Wait())
		return stderr.String()
	}
	if text := run("-f"); !strings.Contains(text, "level=INFO msg=mounted") {
		t.Errorf("in the foreground, stderr has\n%s", text)
	}
	if text := run("-f", "--log-level", "warn"); text != "" {
		t.Errorf("with --log-level warn, stderr has\n%s", text)
	}
	if text := run("-f", "--log-level", "debug", "--debug-fuse"); !strings.Contains(text, "level=DEBUG") || !strings.Contains(text, "INIT") {
		t.Errorf("with --debug-fuse, stderr has\n%s", text)
	}
	if text := run("--log-file", "relative.log"); text != "" {
		t.Errorf("in the background, stderr has\n%s", text)
	}
	harness.CheckText(t, filepath.Join(dir, "relative.log"), "level=INFO msg=mounted", "msg=unmounted")
	harness.Refused(t, []string{"mount", "--log-file", dir, harness.Small(t), filepath.Join(dir, "mnt")}, dir, "is a directory")
	if _, err := os.Stat(filepath.Join(dir, "mnt")); err != nil {
		t.Error("a mountpoint that was there was removed") // made by the mounts above
	}
}

// TestNotify is systemd's side of sd_notify(3): READY=1 comes when the root answers,
// STOPPING=1 when the daemon begins to end, also while files are open.
func TestNotify(t *testing.T) {
	for name, address := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": "@wfs-notify-" + strconv.Itoa(os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			harness.Must(t, err)
			defer socket.Close()
			said := func() string {
				harness.Must(t, socket.SetReadDeadline(time.Now().Add(20*time.Second)))
				b := make([]byte, 4096)
				n, err := socket.Read(b)
				harness.Must(t, err)
				return string(b[:n])
			}
			mountpoint := harness.Mountpoint(t)
			cmd := harness.Command("mount", "-f", harness.Small(t), mountpoint)
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
			harness.Start(t, cmd)
			defer harness.Unmount(t, mountpoint)
			if s := said(); s != "READY=1" {
				t.Errorf("said %q", s)
			}
			file, err := os.Open(filepath.Join(mountpoint, "model.safetensors"))
			if err != nil {
				t.Errorf("it is said to be ready: %v", err)
			}
			harness.Must(t, cmd.Process.Signal(syscall.SIGTERM))
			if s := said(); s != "STOPPING=1" {
				t.Errorf("said %q", s)
			}
			harness.Must(t, file.Close())
			if err := cmd.Wait(); err != nil {
				t.Errorf("exit: %v", err)
			}
		})
	}
}

// TestStartInterrupted interrupts, hangs up and kills the command while its daemon
// starts, which strace makes slow: neither a mount nor a daemon nor a directory is left.
func TestStartInterrupted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			mountpoint := filepath.Join(dir, "made", "mnt")
			cmd := harness.Strace(t, os.DevNull, "execve", "-e", "inject=execve:delay_exit=3s", harness.Binary(), "mount", harness.Small(t), mountpoint)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			harness.Start(t, cmd)
			var parent int
			if !harness.Eventually(30*time.Second, func() bool {
				pids := harness.Daemons(mountpoint)
				for _, pid := range pids {
					if parentOf(pid) == cmd.Process.Pid {
						parent = pid
					}
				}
				return len(pids) == 2 && parent != 0
			}) {
				t.Error("no daemon was started")
			}
			harness.Must(t, syscall.Kill(parent, signal))
			kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
			cmd.Wait()
			kill.Stop()
			if !harness.Gone(mountpoint) {
				t.Error("a mount or a daemon is left")
			}
			if signal == syscall.SIGKILL {
				return
			}
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(stderr.String(), "wfs: interrupted") {
				t.Errorf("exit code %d\n%s", code, stderr.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "made")); err == nil {
				t.Error("the directories that were made are left")
			}
		})
	}
}

func parentOf(pid int) int {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, after, _ := strings.Cut(string(status), "\nPPid:\t")
	line, _, _ := strings.Cut(after, "\n")
	parent, _ := strconv.Atoi(line)
	return parent
}
