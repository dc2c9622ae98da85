package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestMount8 mounts with harness.Mount(8), from its command line and from an fstab, and ends it
// with umount(8), which knows nothing of wfs.
func TestMount8(t *testing.T) {
	source := filepath.Join(t.TempDir(), "a model, of mine.pt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
	mountpoint := filepath.Join(t.TempDir(), "a mount, of mine")
	harness.Must(t, os.Mkdir(mountpoint, 0o755))
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
		sbin := harness.HelperDir(t)
		harness.Must(t, os.Symlink(harness.Binary(), filepath.Join(sbin, "mount.fuse.wfs")))
		fstab := filepath.Join(t.TempDir(), "fstab")
		line := strings.ReplaceAll(source+"\t"+mountpoint, " ", `\040`) + "\twfs\t" + c.fstab + "\t0\t0\n"
		harness.Must(t, os.WriteFile(fstab, []byte(line), 0o644))
		r := harness.InNamespace(t, strings.ReplaceAll(strings.Replace(script, "%s", c.command, 1), "%%", "%"), sbin, source, mountpoint, fstab)
		if r.Code != 0 {
			t.Errorf("mount %s, %q: exit code %d\n%s%s", c.command, c.fstab, r.Code, r.Stdout, r.Stderr)
			continue
		}
		list, rest, _ := strings.Cut(r.Stdout, c.stat+"\n")
		if list != c.list {
			t.Errorf("mount %s, %q: shows\n%s, want %sand %s", c.command, c.fstab, r.Stdout, c.list, c.stat)
		}
		for _, option := range c.options {
			if !strings.Contains(","+strings.TrimSpace(rest)+",", ","+option+",") {
				t.Errorf("mount %s, %q: mounted with %s, want %s", c.command, c.fstab, rest, option)
			}
		}
		if !harness.Gone(mountpoint) {
			t.Errorf("mount %s: daemons %v are left", c.command, harness.Daemons(mountpoint))
		}
	}
}

// TestMount8Refused checks what harness.Mount(8) passes on of a refusal.
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
		r := harness.InNamespace(t, `mount --bind "$1" /sbin; exec mount `+c.args, harness.HelperDir(t), harness.Small(t), mountpoint)
		if r.Code != c.code {
			t.Errorf("mount %s: exit code %d, want %d", c.args, r.Code, c.code)
		}
		harness.CheckOneLine(t, r, c.words...)
	}
}

// TestFstabUser has a user mount what fstab lets users mount, with no PATH for the
// helper to find fusermount3 by.
func TestFstabUser(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "fstab")
	harness.Must(t, os.Chmod(dir, 0o777))
	source, mountpoint := filepath.Join(dir, "model.pt"), filepath.Join(dir, "mnt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
	if r := harness.Run(t, time.Minute, harness.AsNobody(t, "mkdir", "-p", mountpoint)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	fstab := filepath.Join(t.TempDir(), "fstab")
	harness.Must(t, os.WriteFile(fstab, []byte(source+" "+mountpoint+" wfs ro,user,noauto,layout=hf 0 0\n"), 0o644))
	user := harness.OrdinaryUser("env", "-i", "sh", "-ec", `/bin/mount "$0"; /bin/ls "$0"; /bin/umount "$0"`, mountpoint)
	args := append([]string{harness.HelperDir(t), fstab}, user...)
	r := harness.InNamespace(t, `mount --bind "$1" /sbin; mount --bind "$2" /etc/fstab; shift 2; exec "$@"`, args...)
	if r.Code != 0 || r.Stdout != "model.safetensors\n" || r.Stderr != "" {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if !harness.Gone(mountpoint) {
		t.Errorf("daemons %v are left", harness.Daemons(mountpoint))
	}
}

// TestAutofs is mounted by an automounter when somebody looks at the mountpoint, as
// x-systemd.automount does it: who is not of the automounter's process group waits for
// the mount, and the daemon must not be one of them.
func TestAutofs(t *testing.T) {
	mountpoint := t.TempDir()
	script := harness.Script("automount.py")
	r := harness.InNamespace(t, `exec "$@"`, harness.Interpreter(harness.System), script, mountpoint, harness.Binary(), "mount", harness.Small(t), mountpoint)
	if r.Code != 0 || !strings.Contains(r.Stdout, "model.safetensors\n") {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if !harness.Gone(mountpoint) {
		t.Errorf("daemons %v are left", harness.Daemons(mountpoint))
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
			mountpoint := harness.Mountpoint(t)
			script := c.script + `shift; exec "$@"`
			r := harness.InNamespace(t, script, t.TempDir(), harness.Binary(), "mount", harness.Small(t), mountpoint)
			if r.Code != 1 {
				t.Errorf("exit code %d, want 1", r.Code)
			}
			harness.CheckOneLine(t, r, append(c.words, mountpoint)...)
			if _, err := os.Stat(mountpoint); err == nil {
				t.Error("the mountpoint that was made is left")
			}
			for _, command := range []string{"ls", "scan"} {
				if r := harness.InNamespace(t, script, t.TempDir(), harness.Binary(), command, harness.Small(t)); r.Code != 0 || r.Stdout == "" {
					t.Errorf("%s: exit code %d\n%s%s", command, r.Code, r.Stdout, r.Stderr)
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
	harness.Must(t, err)
	defer socket.Close()
	harness.Must(t, os.Chmod(filepath.Join(dev, "log"), 0o777))
	source, mountpoint := harness.Large(t), t.TempDir()
	const script = `touch "$1/fuse"; mount --bind /dev/fuse "$1/fuse"; ` + bareDev + `
"$2" mount "$3" "$4"
truncate --size 1M "$3"
! cat "$4/raw/layer.3.weight.bin"
"$2" umount "$4"`
	r := harness.InNamespace(t, script, dev, harness.Binary(), source, mountpoint)
	if r.Code != 0 || r.Stdout != "" || !strings.Contains(strings.ToLower(r.Stderr), "stale") {
		t.Fatalf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	const info, errorLevel = "<30>", "<27>" // syslog(3): LOG_DAEMON and the severity
	for _, want := range [][]string{
		{info, "wfs[", "level=INFO msg=mounted", source},
		{errorLevel, "wfs[", "level=ERROR", "read failed", source, "offset=", "error="},
		{info, "wfs[", "msg=unmounted", mountpoint},
	} {
		harness.Must(t, socket.SetReadDeadline(time.Now().Add(20*time.Second)))
		b := make([]byte, 8192)
		n, err := socket.Read(b)
		harness.Must(t, err)
		for _, words := range want {
			if !strings.Contains(string(b[:n]), words) {
				t.Errorf("syslog was told %q, which lacks %q", b[:n], words)
			}
		}
	}
}
