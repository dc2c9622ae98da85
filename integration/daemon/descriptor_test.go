package daemon

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wfs/integration/harness"
)

// inShell runs a script of sh, in which $0 is the binary.
func inShell(t *testing.T, script string, args ...string) harness.Result {
	t.Helper()
	return harness.Run(t, time.Minute, exec.Command("bash", append([]string{"-c", script, harness.Binary()}, args...)...))
}

// TestDescriptorSource mounts what the caller has open, by each name that a descriptor has.
func TestDescriptorSource(t *testing.T) {
	source := filepath.Join(t.TempDir(), "mine.safetensors")
	harness.WriteSafetensors(t, source, nil, harness.SmallTensors()[0])
	want := harness.ReadFile(t, source)
	link := filepath.Join(t.TempDir(), "link")
	harness.Must(t, os.Symlink("/dev/fd/7", link))
	for _, c := range []struct{ source, script string }{
		{"/dev/fd/3", `exec 3< "$1"`}, {"/proc/self/fd/4", `exec 4< "$1"`}, {"/dev/fd/5", `exec 5< "$1"`}, {"/dev/fd/200", `exec 200< "$1"`},
		{"/dev/stdin", `exec < "$1"`}, {"/dev/fd/1", `exec 2>&1 1< "$1"`}, {link, `exec 7< "$1"`},
	} {
		mountpoint := harness.Mountpoint(t)
		t.Cleanup(func() { harness.Unmount(t, mountpoint) })
		if r := inShell(t, c.script+`; exec "$0" mount "$2" "$3"`, source, c.source, mountpoint); r.Code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", c.source, r.Code, r.Stdout, r.Stderr)
			continue
		}
		if !bytes.Equal(harness.ReadFile(t, mountpoint, "model.safetensors"), want) {
			t.Errorf("%s: other bytes", c.source)
		}
		if _, device, _ := harness.MountInfo(mountpoint); device != "wfs:"+source {
			t.Errorf("%s is mounted as %q", c.source, device)
		}
		harness.Unmount(t, mountpoint)
	}
}

// TestDescriptorDeleted mounts a file that has no name any more, and a directory; the
// daemon does not keep the caller's own descriptor, nor a lock that it holds.
func TestDescriptorDeleted(t *testing.T) {
	dir := t.TempDir()
	source, mountpoint := filepath.Join(dir, "mine.safetensors"), harness.Mountpoint(t)
	harness.WriteSafetensors(t, source, nil, harness.SmallTensors()[0])
	want := harness.ReadFile(t, source)
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	const locked = `exec 3< "$1"; flock 3; rm "$1"; "$0" mount /dev/fd/3 "$2" || exit; exec 4< /dev/fd/3 3<&-; flock --nonblock 4`
	if r := inShell(t, locked, source, mountpoint); r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	if files, err := filepath.Glob(filepath.Join(mountpoint, "*.safetensors")); len(files) != 1 || !bytes.Equal(harness.ReadFile(t, files[0]), want) {
		t.Errorf("%q, %v", files, err)
	}
	harness.Unmount(t, mountpoint)

	harness.WriteSafetensors(t, filepath.Join(dir, "model.safetensors"), nil, harness.SmallTensors()[0])
	harness.Must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644))
	if r := inShell(t, `exec 3< "$1"; exec "$0" mount /dev/fd/3 "$2"`, dir, mountpoint); r.Code != 0 {
		t.Fatalf("a directory: exit code %d\n%s", r.Code, r.Stderr)
	}
	if string(harness.ReadFile(t, mountpoint, "config.json")) != "{}" {
		t.Error("the directory is not shown")
	}
}

// TestDescriptorRefused has descriptors that cannot be mounted.
func TestDescriptorRefused(t *testing.T) {
	mountpoint := harness.Mountpoint(t)
	for script, words := range map[string]string{
		`exec 9<&-; exec "$0" mount /dev/fd/9 "$1"`:         "/dev/fd/9: no such file",
		`exec "$0" mount <(echo x) "$1"`:                    "a pipe can be read only once",
		`exec "$0" mount -f <(echo x) "$1"`:                 "a pipe can be read only once",
		`exec "$0" ls <(echo x)`:                            "a pipe can be read only once",
		`exec 3< /dev/null; exec "$0" mount /dev/fd/3 "$1"`: "not a regular file",
	} {
		r := inShell(t, script, mountpoint)
		if r.Code != 1 {
			t.Errorf("%s: exit code %d, want 1", script, r.Code)
		}
		harness.CheckOneLine(t, r, words)
	}
}

// TestMountpointMoved has the path of a mountpoint lead elsewhere while its daemon starts:
// what is mounted on is the directory that was looked at, for root and for a user.
func TestMountpointMoved(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "moved")
	harness.Must(t, os.Chmod(dir, 0o777))
	source := filepath.Join(dir, "pipe.safetensors")
	target, elsewhere := filepath.Join(dir, "mnt"), filepath.Join(dir, "elsewhere")
	for name, user := range map[string]func(...string) *exec.Cmd{
		"root": harness.AsRoot,
		"user": func(args ...string) *exec.Cmd { return harness.AsNobody(t, args...) },
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip("it takes root, whose strace lets fusermount3 be root")
			}
			if r := harness.Run(t, time.Minute, user("mkdir", target, elsewhere)); r.Code != 0 {
				t.Fatal(r.Stderr)
			}
			moved := target + "-" + name
			t.Cleanup(func() {
				harness.Unmount(t, moved)
				for _, path := range []string{moved, target, elsewhere} {
					os.Remove(path)
				}
			})
			harness.WriteSafetensors(t, source, nil, harness.SmallTensors()[0])
			harness.Must(t, os.Chmod(source, 0o644))
			// strace stops the daemon at the moment that it opens its source.
			trace := []string{"strace", "-f", "-o", os.DevNull, "-e", "trace=openat", "-P", source, "-e", "inject=openat:delay_enter=3000000"}
			if name == "user" {
				trace = append(trace, "-u", "nobody")
			}
			cmd := exec.Command(trace[0], append(trace[1:], harness.Binary(), "mount", source, target)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			harness.Start(t, cmd)
			if !harness.Eventually(30*time.Second, func() bool { return len(harness.Daemons(target)) > 1 }) {
				t.Fatalf("no daemon\n%s", stderr.String())
			}
			harness.Must(t, os.Rename(target, moved))
			harness.Must(t, os.Symlink(elsewhere, target))
			if !harness.Eventually(30*time.Second, func() bool { return harness.IsReady(t, moved) }) {
				list, _ := os.ReadFile("/proc/self/mountinfo")
				t.Fatalf("it is not mounted at %s\n%s%s", moved, list, stderr.String())
			}
			if harness.IsMounted(elsewhere) || harness.IsMounted(target) {
				t.Error("it is mounted where the path leads by now")
			}
			if r := harness.Run(t, time.Minute, user(harness.Binary(), "umount", moved)); r.Code != 0 {
				t.Errorf("umount: %+v", r)
			}
			harness.Must(t, harness.WaitFor(cmd, 30*time.Second))
		})
	}
}
