package integration

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
)

// gone says whether the mount and its daemon are, within a while.
func (m mounted) gone() bool {
	return eventually(30*time.Second, func() bool { return !isMounted(m.path) && len(daemons(m.path)) == 0 })
}

// checkText waits for a file to say all of words.
func checkText(t *testing.T, path string, words ...string) {
	t.Helper()
	var text []byte
	if !eventually(30*time.Second, func() bool {
		text, _ = os.ReadFile(path)
		for _, word := range words {
			if !bytes.Contains(text, []byte(word)) {
				return false
			}
		}
		return true
	}) {
		t.Errorf("%s does not say all of %q:\n%s", filepath.Base(path), words, text)
	}
}

// TestSignals ends daemons with signals, and reads in their logs what they did.
func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		log := filepath.Join(t.TempDir(), "log")
		m := mountAt(t, small(t), filepath.Join(t.TempDir(), "mnt"), "--log-file", log)
		must(t, syscall.Kill(m.pid, signal))
		if !m.gone() {
			t.Errorf("%v: the mount is there, or its daemon", signal)
		}
		checkText(t, log, "msg=mounted", "msg=unmounting", "signal="+signal.String(), "msg=unmounted")
	}
}

// TestSignalBusy ends a daemon whose files are open: the name is free at once, what is
// open goes on, and the log says so. A second signal ends that too.
func TestSignalBusy(t *testing.T) {
	for _, again := range []bool{false, true} {
		log := filepath.Join(t.TempDir(), "log")
		m := mountAt(t, large(t), filepath.Join(t.TempDir(), "mnt"), "--log-file", log)
		file, err := os.Open(filepath.Join(m.path, "model.safetensors"))
		must(t, err)
		defer file.Close()
		must(t, syscall.Kill(m.pid, syscall.SIGTERM))
		if !eventually(30*time.Second, func() bool { return !isMounted(m.path) }) {
			t.Fatal("the busy mount is still there")
		}
		checkText(t, log, "level=WARN", "busy", "detached")
		dropCache(file)
		if _, err := file.ReadAt(make([]byte, 1<<20), 8<<20); err != nil {
			t.Errorf("an open file of a detached mount: %v", err)
		}
		if again {
			must(t, syscall.Kill(m.pid, syscall.SIGTERM))
			if !m.gone() {
				t.Error("the second signal does not end the daemon")
			}
			dropCache(file)
			if _, err := file.ReadAt(make([]byte, 1<<20), 16<<20); err == nil {
				t.Error("a file reads without its daemon")
			}
			checkText(t, log, "second signal")
		}
		file.Close() // its daemon is gone, or it is well
		if !m.gone() {
			t.Error("the daemon does not end with its last file")
		}
	}
}

// TestSignalCovered ends a daemon on whose mount another file system is mounted: that is
// not what it unmounts.
func TestSignalCovered(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	m := mountAt(t, small(t), filepath.Join(t.TempDir(), "mnt"), "--log-file", log)
	if r := execute(t, time.Minute, asRoot("mount", "-t", "tmpfs", "none", m.path)); r.code != 0 {
		t.Fatal(r.stderr)
	}
	must(t, syscall.Kill(m.pid, syscall.SIGTERM))
	checkText(t, log, "cannot unmount", "another file system")
	if r := execute(t, time.Minute, asRoot("umount", m.path)); r.code != 0 || !isMounted(m.path) {
		t.Errorf("the file system above is gone, or the one below: exit code %d\n%s", r.code, r.stderr)
	}
	readAll(t, m.path)
}

// TestNohup has a daemon ignore the signal that its starter ignored.
func TestNohup(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	t.Cleanup(func() { unmount(t, mountpoint) })
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" "$@"`, binary, "mount", "--log-file", log, small(t), mountpoint)
	if r := execute(t, time.Minute, cmd); r.code != 0 {
		t.Fatal(r.stderr)
	}
	for _, pid := range daemons(mountpoint) {
		must(t, syscall.Kill(pid, syscall.SIGHUP))
		must(t, syscall.Kill(pid, syscall.SIGINT))
	}
	if !(mounted{path: mountpoint}).gone() {
		t.Error("SIGINT does not end it")
	}
	checkText(t, log, "msg=unmounting signal=interrupt", "msg=unmounted")
}

// TestMountAgain mounts where a busy mount was detached: the daemon that lives on
// under the same path is taken for no other.
func TestMountAgain(t *testing.T) {
	source := small(t)
	old := mountAt(t, source, filepath.Join(t.TempDir(), "mnt"))
	file, err := os.Open(filepath.Join(old.path, "model.safetensors"))
	must(t, err)
	defer file.Close()
	refused(t, []string{"umount", old.path}, old.path, "busy", "--lazy")
	if r := wfs(t, "umount", "--lazy", old.path); r.code != 0 || isMounted(old.path) {
		t.Fatalf("umount --lazy: exit code %d\n%s", r.code, r.stderr)
	}
	if r := wfs(t, "mount", source, old.path); r.code != 0 {
		t.Fatalf("mount again: exit code %d\n%s", r.code, r.stderr)
	}
	if s := statusOf(t, old.path); !s.Alive || s.PID == old.pid {
		t.Errorf("status shows pid %d, which serves the detached mount", s.PID)
	}
	if r := wfs(t, "umount", old.path); r.code != 0 || r.stderr != "" {
		t.Errorf("umount: exit code %d\n%s", r.code, r.stderr)
	}
	must(t, file.Close())
	if !old.gone() {
		t.Error("the daemon of the detached mount is left")
	}
}

// TestLog checks where the log goes, and what --log-level lets through.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	run := func(flags ...string) string {
		mountpoint := filepath.Join(dir, "mnt")
		cmd := exec.Command(binary, append(append([]string{"mount"}, flags...), small(t), mountpoint)...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		must(t, cmd.Start())
		defer unmount(t, mountpoint)
		if !eventually(30*time.Second, func() bool { return isReady(t, mountpoint) }) {
			t.Fatalf("%q does not mount", flags)
		}
		unmount(t, mountpoint)
		must(t, cmd.Wait())
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
	checkText(t, filepath.Join(dir, "relative.log"), "level=INFO msg=mounted", "msg=unmounted")
	refused(t, []string{"mount", "--log-file", dir, small(t), filepath.Join(dir, "mnt")}, dir, "is a directory")
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
			must(t, err)
			defer socket.Close()
			said := func() string {
				must(t, socket.SetReadDeadline(time.Now().Add(20*time.Second)))
				b := make([]byte, 4096)
				n, err := socket.Read(b)
				must(t, err)
				return string(b[:n])
			}
			mountpoint := filepath.Join(t.TempDir(), "mnt")
			cmd := exec.Command(binary, "mount", "-f", small(t), mountpoint)
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
			must(t, cmd.Start())
			defer unmount(t, mountpoint)
			if s := said(); s != "READY=1" {
				t.Errorf("said %q", s)
			}
			file, err := os.Open(filepath.Join(mountpoint, "model.safetensors"))
			if err != nil {
				t.Errorf("it is said to be ready: %v", err)
			}
			must(t, cmd.Process.Signal(syscall.SIGTERM))
			if s := said(); s != "STOPPING=1" {
				t.Errorf("said %q", s)
			}
			must(t, file.Close())
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
			cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=execve", "-e", "inject=execve:delay_exit=3s",
				binary, "mount", small(t), mountpoint)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			must(t, cmd.Start())
			var parent int
			if !eventually(30*time.Second, func() bool {
				pids := daemons(mountpoint)
				for _, pid := range pids {
					if parentOf(pid) == cmd.Process.Pid {
						parent = pid
					}
				}
				return len(pids) == 2 && parent != 0
			}) {
				t.Error("no daemon was started")
			}
			must(t, syscall.Kill(parent, signal))
			kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
			cmd.Wait()
			kill.Stop()
			if !(mounted{path: mountpoint}).gone() {
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
