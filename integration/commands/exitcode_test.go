package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestExitCodes runs every command to success, to failure and with wrong usage.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	source := harness.Small(t)
	mountpoint := filepath.Join(dir, "mnt")
	payload := filepath.Join(dir, "evil.pkl")
	harness.Must(t, os.WriteFile(payload, []byte("cos\nsystem\n(S'true'\ntR."), 0o644))
	strange := filepath.Join(dir, "strange.pkl")
	harness.Must(t, os.WriteFile(strange, []byte("csome.module\nThing\n."), 0o644))
	other := filepath.Join(dir, "other.pt")
	harness.WriteTorch(t, other, nil, harness.SmallTensors()[1:]...)
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })

	const success, failure, differs, usage, trouble, unknown, dangerous = 0, 1, 1, 2, 2, 2, 3
	for _, c := range []struct {
		code int
		args []string
	}{
		{success, []string{"mount", source, mountpoint}},
		{failure, []string{"mount", source, mountpoint}}, // something is mounted there
		{failure, []string{"mount", dir + "/missing", dir + "/new"}},
		{failure, []string{"mount", payload + ".txt", dir + "/new"}},
		{failure, []string{"mount", "--refuse-unsafe", payload, dir + "/new"}},
		{usage, []string{"mount", source}},
		{usage, []string{"mount", source, ""}},
		{usage, []string{"mount", "", mountpoint}},
		{usage, []string{"mount", "--bogus", source, mountpoint}},
		{usage, []string{"mount", "-o", "ro,rw", source, mountpoint}},
		{usage, []string{"mount", "--uid", "4294967296", source, mountpoint}},
		{success, []string{"ls", source}},
		{failure, []string{"ls", dir + "/missing"}},
		{usage, []string{"ls"}},
		{success, []string{"sum", source}},
		{failure, []string{"sum", dir + "/missing"}},
		{failure, []string{"sum", "--check", dir + "/missing", source}},
		{failure, []string{"sum", "--check", strange, source}},
		{usage, []string{"sum"}},
		{usage, []string{"sum", "--quiet", source}},
		{success, []string{"diff", source, source}},
		{differs, []string{"diff", "--quick", source, other}},
		{trouble, []string{"diff", source, dir + "/missing"}},
		{trouble, []string{"diff", dir + "/missing", source}},
		{trouble, []string{"diff", "--root", "nothing", source, source}},
		{trouble, []string{"diff", source, source, "no such key"}},
		{usage, []string{"diff", source}},
		{usage, []string{"diff", "--atol", "-1", source, source}},
		{usage, []string{"diff", "--bogus", source, source}},
		{success, []string{"scan", source}},
		{failure, []string{"scan", dir + "/missing"}},
		{unknown, []string{"scan", strange}},
		{dangerous, []string{"scan", payload}},
		{dangerous, []string{"scan", dir + "/missing", strange, payload, source}},
		{usage, []string{"scan"}},
		{success, []string{"status"}},
		{success, []string{"status", "--json"}},
		{usage, []string{"status", "x"}},
		{success, []string{"umount", mountpoint}},
		{failure, []string{"umount", mountpoint}},
		{failure, []string{"umount", "/"}},
		{failure, []string{"umount", ""}},
		{usage, []string{"umount"}},
		{success, []string{"completion", "zsh"}},
		{usage, []string{"completion", "tcsh"}},
		{success, []string{"man"}},
		{usage, []string{"man", "x"}},
		{success, []string{"version"}},
		{usage, []string{"version", "x"}},
		{success, []string{"--help"}},
		{success, []string{"help", "mount"}},
		{usage, []string{"help", "bogus"}},
		{usage, []string{"bogus"}},
		{usage, nil},
	} {
		r := harness.WFS(t, c.args...)
		if r.Code != c.code {
			t.Errorf("wfs %q: exit code %d, want %d\n%s", c.args, r.Code, c.code, r.Stderr)
		}
		if c.code == failure && c.args[0] != "diff" || c.code == usage && c.args != nil && c.args[0] != "scan" {
			harness.CheckOneLine(t, r)
		}
		if c.code == success && r.Stderr != "" {
			t.Errorf("wfs %q succeeds and says\n%s", c.args, r.Stderr)
		}
	}
	help := harness.WFS(t, "--help").Stdout
	page := harness.WFS(t, "man").Stdout
	for _, words := range []string{"0 success, 1 failure, 2 wrong usage", "0 clean, 2 ", "3 "} {
		if !strings.Contains(help, words) || !strings.Contains(page, words) {
			t.Errorf("%q is not in the help, or not in the manual", words)
		}
	}
}

// TestFullDiskDiff is TestFullDisk for wfs diff, whose exit code 1 says something else.
func TestFullDiskDiff(t *testing.T) {
	for _, flags := range []string{"", "--json", "--stat"} {
		r := harness.Run(t, time.Minute, exec.Command("sh", "-c", "exec "+harness.Binary()+" diff "+flags+" "+harness.Small(t)+" "+harness.Small(t)+" > /dev/full"))
		if r.Code != 2 {
			t.Errorf("wfs diff %s: exit code %d, want 2", flags, r.Code)
		}
		harness.CheckOneLine(t, r, "no space")
	}
}

// TestFullDisk writes to a device that is full: what did not arrive is no success.
func TestFullDisk(t *testing.T) {
	for _, args := range []string{"ls " + harness.Small(t), "scan " + harness.Small(t), "sum " + harness.Small(t), "sum --json " + harness.Small(t), "status", "status --json", "version", "man", "completion bash", "--help", "mount --help"} {
		r := harness.Run(t, time.Minute, exec.Command("sh", "-c", "exec "+harness.Binary()+" "+args+" > /dev/full"))
		if r.Code != 1 {
			t.Errorf("wfs %s: exit code %d, want 1", args, r.Code)
		}
		harness.CheckOneLine(t, r, "no space")
	}
}
