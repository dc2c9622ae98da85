package formats

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// changing are the system calls that no file may make wfs do while it lists or scans:
// to run, connect, delete, rename or create.
const changing = "execve,execveat,fork,vfork,connect,sendto,bind,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir," +
	"symlink,symlinkat,link,linkat,creat,open,openat,truncate,ftruncate,chmod,fchmodat,chown,fchownat,mount,ptrace,kill"

// harmlessCall is a call of the program's own start, or an open that reads; the second
// half of a call, whose first half was judged; or a thread that ended with the process
// before strace knew what it was about to call (strace(1): "???").
var harmlessCall = regexp.MustCompile(`^\d*\s*(execve\("[^"]*wfs"|open(at)?\([^,]*,? ?"[^"]*", O_RDONLY|<\.\.\. \w+ resumed>|\?\?\?\(( <unfinished|\) += \?)|\+\+\+|---|strace:)`)

// TestPayloads gives wfs pickles that would leave a mark, connect or delete, in every
// position of every container, under strace: it reports them and does none of it. The
// mounted files show the tensors beside the payload.
func TestPayloads(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	var cases []struct {
		Name, Source, Verdict string
		Mounts                bool
	}
	harness.Python(t, harness.Torch, "write_payloads.py", nil, &cases, dir, mark)
	if len(cases) < 60 {
		t.Fatalf("%d files were written", len(cases))
	}
	codes := map[string]int{"allowed": 0, "unknown": 2, "dangerous": 3}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			r := harness.WFS(t, "scan", c.Source)
			if r.Code != codes[c.Verdict] {
				t.Errorf("scan: exit code %d, want %d\n%s%s", r.Code, codes[c.Verdict], r.Stdout, r.Stderr)
			}
			if strings.Contains(r.Stdout, "safe") {
				t.Errorf("the report claims that something is safe:\n%s", r.Stdout)
			}
			var report struct {
				Verdict string `json:"verdict"`
			}
			if err := json.Unmarshal([]byte(harness.WFS(t, "scan", "--json", c.Source).Stdout), &report); err != nil || report.Verdict != c.Verdict {
				t.Errorf("scan --json: %v, verdict %q", err, report.Verdict)
			}
			for _, command := range []string{"scan", "ls"} {
				trace(t, command, c.Source)
			}
			mountpoint := harness.Mountpoint(t)
			r = harness.WFS(t, "mount", "--refuse-unsafe", c.Source, mountpoint)
			if refused := r.Code != 0; refused != (c.Verdict == "dangerous" || !c.Mounts) {
				t.Errorf("mount --refuse-unsafe: exit code %d\n%s", r.Code, r.Stderr)
			}
			if r.Code == 0 {
				harness.Unmount(t, mountpoint)
			}
		})
	}
	m := harness.Mount(t, filepath.Join(dir, "value-Payload.pt"))
	if b, err := os.ReadFile(filepath.Join(m, "raw", "w.bin")); err != nil || len(b) != 16 {
		t.Errorf("the tensor beside the payload: %d bytes, %v", len(b), err)
	}
	if b, err := os.ReadFile(filepath.Join(m, "meta", "pickle.txt")); err != nil || !strings.Contains(string(b), "dangerous") {
		t.Errorf("meta/pickle.txt: %v\n%s", err, b)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a payload ran")
	}
	if _, err := os.Stat(filepath.Join(dir, "victim")); err != nil {
		t.Error("a payload deleted a directory")
	}
}

// TestPayloadsMounted mounts files with payloads under strace and reads everything in
// the mount. The daemon makes the calls that it makes for a clean file, and no others.
func TestPayloadsMounted(t *testing.T) {
	dir := t.TempDir()
	var cases []struct{ Name, Source string }
	harness.Python(t, harness.Torch, "write_payloads.py", nil, &cases, dir, filepath.Join(dir, "mark"))
	names := []string{"clean.pt", "value-Payload.pt", "value-Network.pt", "value-Remove.pt", "value-State.pt", "deep.pt", "key.pt",
		"legacy.pt", "plain-0.pkl", "plain-5.pkl", "nested-latin1.pkl", "opener.pkl", "record-0.pt", "record-1.pt", "zip-in-zip.pt",
		"objects-in-zip.pt", "legacy-tail.pt", "tar.pt", "flag.pt", "local-name.pt"}
	work := t.TempDir()
	clean := map[string]bool{}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		harness.Must(t, err)
		source := filepath.Join(work, "model")
		harness.Must(t, os.WriteFile(source, b, 0o644))
		for _, call := range traceMount(t, source, filepath.Join(work, "mnt"), filepath.Join(work, "trace")) {
			if name == "clean.pt" {
				clean[call] = true
			} else if !clean[call] {
				t.Errorf("%s: the daemon calls what it does not call for a clean file: %s", name, call)
			}
		}
	}
	if len(clean) < 3 {
		t.Errorf("the trace of a clean mount is too short: %v", clean)
	}
	if _, err := os.Stat(filepath.Join(dir, "mark")); err == nil {
		t.Error("a payload ran")
	}
	if _, err := os.Stat(filepath.Join(dir, "victim")); err != nil {
		t.Error("a payload deleted a directory")
	}
}

var (
	pidOrNumber = regexp.MustCompile(`0x[0-9a-f]+|\d+`)
	// The second half of a call that another thread's call cut in two, the end of a thread,
	// a signal, and an open that reads.
	noChange = regexp.MustCompile(`<\.\.\. \w+ resumed>|\?\?\?\(( <unfinished|\) += \?)|<detached|\+\+\+|---|O_RDONLY`)
	// What follows the arguments: the result, or that it comes in a line of its own.
	afterArguments = regexp.MustCompile(`(\) += | <unfinished ).*`)
)

// traceMount mounts under strace, reads all files of the mount and unmounts. It
// returns the calls that change anything, numbers left out.
func traceMount(t *testing.T, source, mountpoint, log string) []string {
	t.Helper()
	cmd := harness.Strace(t, log, changing, harness.Binary(), "mount", "-f", source, mountpoint)
	harness.Start(t, cmd)
	defer harness.Unmount(t, mountpoint)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if !harness.Eventually(time.Minute, func() bool { return len(ended) > 0 || harness.IsReady(t, mountpoint) }) || len(ended) > 0 {
		cmd.Process.Kill()
		t.Fatalf("%s did not mount", source)
	}
	harness.ReadAll(t, mountpoint)
	if r := harness.WFS(t, "umount", mountpoint); r.Code != 0 {
		t.Fatalf("umount: %s", r.Stderr)
	}
	<-ended
	b, err := os.ReadFile(log)
	harness.Must(t, err)
	if !strings.Contains(string(b), source) {
		t.Fatalf("the trace does not show that the file was opened:\n%s", b)
	}
	var calls []string
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if !noChange.MatchString(line) {
			call := afterArguments.ReplaceAllString(line, "")
			calls = append(calls, strings.TrimSpace(pidOrNumber.ReplaceAllString(call, "")))
		}
	}
	return calls
}

// trace runs a command under strace and looks for calls that change anything.
func trace(t *testing.T, command, source string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "trace")
	cmd := harness.Strace(t, log, changing, harness.Binary(), command, source)
	if r := harness.Run(t, time.Minute, cmd); r.Code < 0 {
		t.Fatalf("strace: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	b := harness.ReadFile(t, log)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if !strings.Contains(lines[0], "execve(") {
		t.Fatalf("the trace does not begin with execve:\n%s", b)
	}
	opened := false
	for i, line := range lines {
		opened = opened || strings.Contains(line, source)
		if i > 0 && strings.Contains(line, "execve(") || !harmlessCall.MatchString(line) {
			t.Errorf("%s %s: %s", command, source, line)
		}
	}
	if !opened {
		t.Errorf("the trace does not show that the file was opened:\n%s", b)
	}
}
