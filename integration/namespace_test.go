package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asRoot is a command that runs as root, by sudo where the tests do not.
func asRoot(args ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n", "--"}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// inNamespace runs a script of bash as root in a mount namespace of its own: what it
// mounts over /sbin, /dev and /etc/fstab nobody else sees, and ends with it. $1, $2 …
// are args.
func inNamespace(t testing.TB, script string, args ...string) result {
	t.Helper()
	return execute(t, time.Minute, asRoot(append([]string{"unshare", "--mount", "bash", "-euc", script, "bash"}, args...)...))
}

// helperDir is a directory with mount.wfs alone, to stand in for /sbin.
func helperDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Symlink(binary, filepath.Join(dir, "mount.wfs")))
	return dir
}

// TestMount8 mounts with mount(8), from its command line and from an fstab, and ends it
// with umount(8), which knows nothing of wfs.
func TestMount8(t *testing.T) {
	source := filepath.Join(t.TempDir(), "a model, of mine.pt")
	must(t, os.WriteFile(source, readFile(t, small(t)), 0o644))
	mountpoint := filepath.Join(t.TempDir(), "a mount, of mine")
	must(t, os.Mkdir(mountpoint, 0o755))
	const all, view = "f32\nmeta\nmodel.safetensors\nraw\ntensors\ntree\n", "model.safetensors\n"
	// $1 SBIN $2 SOURCE $3 MOUNTPOINT $4 FSTAB
	const script = `
mount --bind "$1" /sbin
mount %s > /dev/null
ls "$3"
stat -c '%%u %%g %%a' "$3"
awk '$3 == "fuse.wfs" { print $4 }' /proc/self/mounts | tail -n 1
umount "$3"
! mountpoint -q "$3"`
	for _, c := range []struct {
		fstab, command string
		list, stat     string
		options        []string
	}{
		{"", `-t wfs -o ro "$2" "$3"`, all, "0 0 555", []string{"ro", "nosuid", "nodev"}},
		{"", `-r -t wfs "$2" "$3"`, all, "0 0 555", nil},
		{"", `-t wfs -o ro,allow_other,uid=1000,gid=100,umask=027,layout=hf "$2" "$3"`, view, "1000 100 550", []string{"allow_other", "default_permissions"}},
		{"", `-t fuse.wfs -o ro "$2" "$3"`, all, "0 0 555", nil},
		{"ro,nofail,_netdev,user,noauto,x-systemd.automount,X-mine=1,comment=yes,noatime", `--fstab "$4" "$3"`, all, "0 0 555", []string{"ro"}},
		{"ro,nofail,layout=hf", `--fstab "$4" --all`, view, "0 0 555", nil},
		{"ro,defaults", `--fstab "$4" --all --verbose`, all, "0 0 555", nil},
	} {
		sbin := helperDir(t)
		must(t, os.Symlink(binary, filepath.Join(sbin, "mount.fuse.wfs")))
		fstab := filepath.Join(t.TempDir(), "fstab")
		line := strings.ReplaceAll(source+"\t"+mountpoint, " ", `\040`) + "\twfs\t" + c.fstab + "\t0\t0\n"
		must(t, os.WriteFile(fstab, []byte(line), 0o644))
		r := inNamespace(t, strings.ReplaceAll(strings.Replace(script, "%s", c.command, 1), "%%", "%"), sbin, source, mountpoint, fstab)
		if r.code != 0 {
			t.Errorf("mount %s, %q: exit code %d\n%s%s", c.command, c.fstab, r.code, r.stdout, r.stderr)
			continue
		}
		list, rest, _ := strings.Cut(r.stdout, c.stat+"\n")
		if list != c.list {
			t.Errorf("mount %s, %q: shows\n%s, want %sand %s", c.command, c.fstab, r.stdout, c.list, c.stat)
		}
		for _, option := range c.options {
			if !strings.Contains(","+strings.TrimSpace(rest)+",", ","+option+",") {
				t.Errorf("mount %s, %q: mounted with %s, want %s", c.command, c.fstab, rest, option)
			}
		}
		if !(mounted{path: mountpoint}).gone() {
			t.Errorf("mount %s: daemons %v are left", c.command, daemons(mountpoint))
		}
	}
}

// TestMount8Refused checks what mount(8) passes on of a refusal.
func TestMount8Refused(t *testing.T) {
	mountpoint := t.TempDir()
	for _, c := range []struct {
		args  string
		code  int
		words []string
	}{
		{`-t wfs "$2" "$3"`, 2, []string{"rw", "read-only"}},
		{`-t wfs -o rw "$2" "$3"`, 2, []string{"rw", "read-only"}},
		{`-t wfs -o defaults "$2" "$3"`, 2, []string{"rw", "write ro"}},
		{`-t wfs -o ro,bogus=1 "$2" "$3"`, 2, []string{`unknown mount option "bogus=1"`}},
		{`-t wfs -o ro,umask=9 "$2" "$3"`, 2, []string{"umask"}},
		{`-t wfs -o ro "$2.missing" "$3"`, 1, []string{"no such file"}},
		{`-t wfs -o ro "$2" "$2"`, 1, []string{"not a directory"}},
	} {
		r := inNamespace(t, `mount --bind "$1" /sbin; exec mount `+c.args, helperDir(t), small(t), mountpoint)
		if r.code != c.code {
			t.Errorf("mount %s: exit code %d, want %d", c.args, r.code, c.code)
		}
		checkOneLine(t, r, c.words...)
	}
}

// TestFstabUser has a user mount what fstab lets users mount, with no PATH for the
// helper to find fusermount3 by.
func TestFstabUser(t *testing.T) {
	openDevice(t)
	dir := sampleDir(t, "fstab")
	must(t, os.Chmod(dir, 0o777))
	source, mountpoint := filepath.Join(dir, "model.pt"), filepath.Join(dir, "mnt")
	must(t, os.WriteFile(source, readFile(t, small(t)), 0o644))
	if r := execute(t, time.Minute, asNobody(t, "mkdir", "-p", mountpoint)); r.code != 0 {
		t.Fatal(r.stderr)
	}
	fstab := filepath.Join(t.TempDir(), "fstab")
	must(t, os.WriteFile(fstab, []byte(source+" "+mountpoint+" wfs ro,user,noauto,layout=hf 0 0\n"), 0o644))
	user := ordinaryUser("env", "-i", "sh", "-ec", `/bin/mount "$0"; /bin/ls "$0"; /bin/umount "$0"`, mountpoint)
	args := append([]string{helperDir(t), fstab}, user...)
	r := inNamespace(t, `mount --bind "$1" /sbin; mount --bind "$2" /etc/fstab; shift 2; exec "$@"`, args...)
	if r.code != 0 || r.stdout != "model.safetensors\n" || r.stderr != "" {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if !(mounted{path: mountpoint}).gone() {
		t.Errorf("daemons %v are left", daemons(mountpoint))
	}
}

// TestAutofs is mounted by an automounter when somebody looks at the mountpoint, as
// x-systemd.automount does it: who is not of the automounter's process group waits for
// the mount, and the daemon must not be one of them.
func TestAutofs(t *testing.T) {
	mountpoint := t.TempDir()
	script := filepath.Join(root, "integration", "py", "automount.py")
	r := inNamespace(t, `exec "$@"`, interpreter("torch"), script, mountpoint, binary, "mount", small(t), mountpoint)
	if r.code != 0 || !strings.Contains(r.stdout, "model.safetensors\n") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if !(mounted{path: mountpoint}).gone() {
		t.Errorf("daemons %v are left", daemons(mountpoint))
	}
}

// bareDev puts a /dev in place of the real one that has null and what $1 has.
const bareDev = `touch "$1/null"; mount --bind /dev/null "$1/null"; mount --rbind "$1" /dev; `

// TestContainer has what a container lacks: the device, then the capability. Mounting
// says what is missing, and what needs no FUSE works.
func TestContainer(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		words  []string
	}{
		"device":     {bareDev, []string{"/dev/fuse", "--device /dev/fuse"}},
		"capability": {"set -- \"$1\" setpriv --bounding-set=-sys_admin -- \"${@:2}\"; ", []string{"not permitted", "--cap-add SYS_ADMIN"}},
	} {
		t.Run(name, func(t *testing.T) {
			mountpoint := filepath.Join(t.TempDir(), "mnt")
			script := c.script + `shift; exec "$@"`
			r := inNamespace(t, script, t.TempDir(), binary, "mount", small(t), mountpoint)
			if r.code != 1 {
				t.Errorf("exit code %d, want 1", r.code)
			}
			checkOneLine(t, r, append(c.words, mountpoint)...)
			if _, err := os.Stat(mountpoint); err == nil {
				t.Error("the mountpoint that was made is left")
			}
			for _, command := range []string{"ls", "scan"} {
				if r := inNamespace(t, script, t.TempDir(), binary, command, small(t)); r.code != 0 || r.stdout == "" {
					t.Errorf("%s: exit code %d\n%s%s", command, r.code, r.stdout, r.stderr)
				}
			}
		})
	}
}

// TestSyslog reads what a daemon says to syslog, with severities: the mount, a read
// that failed, and the end.
func TestSyslog(t *testing.T) {
	dev := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dev, "log"), Net: "unixgram"})
	must(t, err)
	defer socket.Close()
	must(t, os.Chmod(filepath.Join(dev, "log"), 0o777))
	source, mountpoint := large(t), t.TempDir()
	const script = `touch "$1/fuse"; mount --bind /dev/fuse "$1/fuse"; ` + bareDev + `
"$2" mount "$3" "$4"
truncate --size 1M "$3"
! cat "$4/raw/layer.3.weight.bin"
"$2" umount "$4"`
	r := inNamespace(t, script, dev, binary, source, mountpoint)
	if r.code != 0 || r.stdout != "" || !strings.Contains(strings.ToLower(r.stderr), "stale") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	const info, errorLevel = "<30>", "<27>" // syslog(3): LOG_DAEMON and the severity
	for _, want := range [][]string{
		{info, "wfs[", "level=INFO msg=mounted", source},
		{errorLevel, "wfs[", "level=ERROR", "read failed", source, "offset=", "error="},
		{info, "wfs[", "msg=unmounted", mountpoint},
	} {
		must(t, socket.SetReadDeadline(time.Now().Add(20*time.Second)))
		b := make([]byte, 8192)
		n, err := socket.Read(b)
		must(t, err)
		for _, words := range want {
			if !strings.Contains(string(b[:n]), words) {
				t.Errorf("syslog was told %q, which lacks %q", b[:n], words)
			}
		}
	}
}
