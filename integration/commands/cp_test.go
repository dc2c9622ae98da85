package commands

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/formats/export"
	"wfs/integration/harness"
)

// names is everything below a directory, hidden names too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for name := range harness.Files(t, dir) {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// TestCopyIsTheMount copies to a file, to directories and to a pipe what a mount shows.
func TestCopyIsTheMount(t *testing.T) {
	source, dir := harness.Large(t), t.TempDir()
	m := harness.Mount(t, source)
	view := harness.ReadFile(t, m, "model.safetensors")
	file := filepath.Join(dir, "x.safetensors")
	if r := harness.WFS(t, "cp", "--verify", source, file); r.Code != 0 || r.Stderr != "" || r.Stdout != "" {
		t.Errorf("exit code %d, %q, %q", r.Code, r.Stdout, r.Stderr)
	}
	if !bytes.Equal(harness.ReadFile(t, file), view) {
		t.Error("the file is not the view")
	}
	r := harness.Run(t, time.Minute, harness.Command("cp", source, "-"))
	if r.Code != 0 || r.Stdout != string(view) {
		t.Errorf("to a pipe: exit code %d, %d bytes, %s", r.Code, len(r.Stdout), r.Stderr)
	}
	for _, layout := range []string{"hf", "full", "tensors"} {
		copied, mounted := filepath.Join(dir, layout), harness.Mount(t, source, "--layout", layout)
		if r := harness.WFS(t, "cp", "--layout", layout, source, copied); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
		want := names(t, mounted)
		if got := names(t, copied); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", layout, got, want)
		}
		for _, name := range want {
			got := harness.ReadFile(t, copied, name)
			if name != "meta/source.json" && sha256.Sum256(got) != sha256.Sum256(harness.ReadFile(t, mounted, name)) {
				t.Errorf("%s: %s differs", layout, name)
			}
		}
		if layout == "hf" {
			continue
		}
		flat, err := os.Stat(filepath.Join(copied, "tensors/layer.3.weight.npy"))
		harness.Must(t, err)
		if n := flat.Sys().(*syscall.Stat_t).Nlink; n < 2 {
			t.Errorf("%s: a file that has two names in a mount has %d", layout, n)
		}
	}
}

// TestCopyPreserve keeps a time where that is wanted.
func TestCopyPreserve(t *testing.T) {
	source, dir := harness.Small(t), t.TempDir()
	old := time.Unix(1_000_000_000, 0)
	harness.Must(t, os.Chtimes(source, old, old))
	for flag, kept := range map[string]bool{"--no-progress": false, "--preserve": true} {
		for _, path := range []string{flag + ".safetensors", flag} {
			path = filepath.Join(dir, path)
			if r := harness.WFS(t, "cp", flag, source, path); r.Code != 0 {
				t.Fatal(r.Stderr)
			}
			if filepath.Ext(path) == "" {
				path = filepath.Join(path, "model.safetensors")
			}
			info, err := os.Stat(path)
			harness.Must(t, err)
			if info.ModTime().Equal(old) != kept || info.Mode().Perm()&^0o022 != 0o644 {
				t.Errorf("%s: %v %v", path, info.Mode(), info.ModTime())
			}
		}
	}
}

// TestCopyRefused refuses what cannot be meant, and leaves everything as it was.
func TestCopyRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	source := at("model.safetensors")
	harness.WriteSafetensors(t, source, nil, harness.SmallTensors()...)
	harness.Must(t, os.Link(source, at("hard.safetensors")))
	harness.Must(t, os.Symlink(source, at("soft.safetensors")))
	harness.Must(t, os.Symlink(at("nothing"), at("dangling.safetensors")))
	harness.Must(t, os.WriteFile(at("there.safetensors"), []byte("old"), 0o644))
	harness.Must(t, os.WriteFile(at("notes.txt"), []byte("old"), 0o644))
	harness.Must(t, syscall.Mkfifo(at("pipe.safetensors"), 0o644))
	for _, d := range []string{"full", "model", "empty.safetensors"} {
		harness.Must(t, os.Mkdir(at(d), 0o755))
	}
	harness.Must(t, os.WriteFile(at("full/mine.txt"), []byte("mine"), 0o644))
	harness.Must(t, os.WriteFile(at("full/model.safetensors"), []byte("old"), 0o644))
	harness.WriteSafetensors(t, at("model/model.safetensors"), nil, harness.SmallTensors()...)
	mount := harness.Mount(t, source)
	before := names(t, dir)
	for _, c := range []struct {
		args  string
		words []string
	}{
		{source + " " + source, []string{"is the source itself"}},
		{"-f " + source + " " + at("hard.safetensors"), []string{"hard.safetensors: is the source itself"}},
		{"-f " + source + " " + at("soft.safetensors"), []string{"soft.safetensors: is the source itself"}},
		{"-f " + at("model") + " " + at("model"), []string{"is the source itself"}},
		{at("model") + " " + at("model/sub"), []string{"lies inside the source", "another directory"}},
		{at("model") + " " + at("model/other.safetensors"), []string{"lies inside the source", "name a weight file"}},
		{"-f " + at("model/model.safetensors") + " " + at("model"), []string{"lies inside it"}},
		{source + " " + at("there.safetensors"), []string{"is there already", "--force"}},
		{source + " " + at("there.safetensors") + "/", []string{"is not a directory"}},
		{source + " " + at("notes.txt"), []string{"is not a directory", ".safetensors"}},
		{source + " " + at("dangling.safetensors"), []string{"is a link to what is not there"}},
		{"-f " + source + " " + at("pipe.safetensors"), []string{"is not a regular file"}},
		{source + " " + at("empty.safetensors"), []string{"is a directory: name a file in it"}},
		{source + " " + at("no/where.safetensors"), []string{at("no") + ": no such directory", "mkdir -p"}},
		{source + " " + at("notes.txt/x.safetensors"), []string{"not a directory"}},
		{source + " " + at("full"), []string{"is not empty", "--force"}},
		{"-f " + source + " " + at("full"), []string{`"mine.txt"`, "move it away"}},
		{source + " " + mount + "/x.safetensors", []string{mount, "read-only file system", "mount of wfs"}},
		{"-f " + source + " " + mount, []string{"is a mount of wfs"}},
		{source + " /proc", []string{"something is mounted there"}},
		{at("nothing") + " " + at("x.safetensors"), []string{"no such file"}},
		{"--root nothing " + source + " " + at("x.safetensors"), []string{`"nothing"`}},
	} {
		harness.Refused(t, append([]string{"cp"}, strings.Fields(c.args)...), c.words...)
	}
	if after := names(t, dir); !slices.Equal(after, before) {
		t.Errorf("%q, before it was %q", after, before)
	}
	if text := string(harness.ReadFile(t, at("there.safetensors"))); text != "old" {
		t.Errorf("a file that was there is %q", text)
	}
	for _, c := range [][]string{
		{}, {source}, {source, ""}, {source, at("x.bin")}, {source, at("x.gguf")}, {source, at("x.PT")}, {"--layout", "all", source, at("x")},
		{"--layout", "hf", source, at("x.safetensors")}, {"--verify", source, "-"}, {"--progress", "--no-progress", source, at("x")},
	} {
		r := harness.WFS(t, append([]string{"cp"}, c...)...)
		if r.Code != 2 {
			t.Errorf("%q: exit code %d, want 2", c, r.Code)
		}
		harness.CheckOneLine(t, r)
	}
	// What is allowed, beside it.
	for _, args := range [][]string{
		{"-f", source, at("there.safetensors")}, {at("model/model.safetensors"), at("model/copy.safetensors")}, {source, at("new") + "/"},
		{"-f", source, at("new")}, {"--root", ".", source, at("llama-3.1")},
	} {
		if r := harness.WFS(t, append([]string{"cp"}, args...)...); r.Code != 0 {
			t.Errorf("%q: %s", args, r.Stderr)
		}
	}
	harness.Must(t, os.Remove(at("full/mine.txt")))
	if r := harness.WFS(t, "cp", "-f", source, at("full")); r.Code != 0 || !bytes.Equal(harness.ReadFile(t, at("full/model.safetensors")), harness.ReadFile(t, source)) {
		t.Errorf("an older copy is not replaced: %s", r.Stderr)
	}
}

// TestCopyFull copies to a disk that is full before, or that fills up meanwhile.
func TestCopyFull(t *testing.T) {
	source, disk := harness.Large(t), t.TempDir()
	if r := harness.Run(t, time.Minute, harness.AsRoot("mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "none", disk)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	t.Cleanup(func() { harness.Run(t, time.Minute, harness.AsRoot("umount", "-l", disk)) })
	for _, dest := range []string{"x.safetensors", "x"} {
		harness.Refused(t, []string{"cp", source, filepath.Join(disk, dest)}, dest, "no space", "8.0 MiB")
	}
	// Of a sparse source nobody knows.
	sparse := filepath.Join(t.TempDir(), "sparse.safetensors")
	harness.Must(t, os.WriteFile(sparse, harness.ReadFile(t, source), 0o644))
	harness.WriteSafetensors(t, sparse, nil, harness.Tensor{Key: "a", DType: "U8", Shape: []int64{12 << 20}, Data: bytes.Repeat([]byte{1}, 12<<20)})
	data := harness.ReadFile(t, sparse)
	harness.Must(t, os.WriteFile(sparse, data[:len(data)-1<<20], 0o644))
	harness.Must(t, os.Truncate(sparse, int64(len(data))))
	for _, dest := range []string{"x.safetensors", "x"} {
		harness.Refused(t, []string{"cp", sparse, filepath.Join(disk, dest)}, dest, "no space left on device")
	}
	if left := names(t, disk); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// begun reports whether a copy into a directory has begun to write.
func begun(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return len(entries) == 1 && strings.HasPrefix(entries[0].Name(), export.TempPrefix)
}

// TestCopyInterrupted ends cp by signals while its source is slow: nothing is left.
func TestCopyInterrupted(t *testing.T) {
	source := harness.Large(t)
	for s, dests := range map[syscall.Signal][]string{syscall.SIGINT: {"x.safetensors", "x"}, syscall.SIGTERM: {"x"}, syscall.SIGHUP: {"x.safetensors"}} {
		for _, dest := range dests {
			device, faults := harness.FailingDevice(t, filepath.Dir(source))
			stop := make(chan struct{})
			dir := t.TempDir()
			var stderr bytes.Buffer
			cmd := harness.Command("cp", filepath.Join(device, filepath.Base(source)), filepath.Join(dir, dest))
			cmd.Stderr = &stderr
			faults.Set(func(_ string, off int64) harness.Fault {
				if off != harness.Fstat && begun(dir) {
					return harness.Fault{Until: stop}
				}
				return harness.Fault{}
			})
			harness.Start(t, cmd)
			if !harness.Eventually(time.Minute, func() bool { return begun(dir) }) {
				t.Errorf("it writes nothing: %s", stderr.String())
			}
			harness.Must(t, cmd.Process.Signal(s))
			gone := func() bool { return len(names(t, dir)) == 0 }
			if !harness.Eventually(time.Minute, gone) {
				t.Errorf("%v leaves %q", s, names(t, dir))
			}
			close(stop)
			harness.WaitFor(cmd, time.Minute)
			if code := cmd.ProcessState.ExitCode(); code != 128+int(s) {
				t.Errorf("%v: exit code %d", s, code)
			}
			harness.CheckOneLine(t, harness.Result{Stderr: stderr.String()}, "interrupted", dest)
		}
	}
}

// TestCopyFaults reads a source that fails, or changes, after some of it was copied.
func TestCopyFaults(t *testing.T) {
	source := harness.Large(t)
	device, faults := harness.FailingDevice(t, filepath.Dir(source))
	seen := filepath.Join(device, filepath.Base(source))
	for _, dest := range []string{"x.safetensors", "x"} {
		dir := t.TempDir()
		faults.Set(func(_ string, off int64) harness.Fault {
			if off > 20<<20 && begun(dir) {
				return harness.Fault{Errno: syscall.EIO}
			}
			return harness.Fault{}
		})
		harness.Refused(t, []string{"cp", seen, filepath.Join(dir, dest)}, filepath.Base(source), "input/output error")
		changed := false
		faults.Set(func(_ string, off int64) harness.Fault {
			if off > 20<<20 && !changed && begun(dir) {
				changed = true
				now := time.Now()
				harness.Must(t, os.Chtimes(source, now, now))
			}
			return harness.Fault{}
		})
		harness.Refused(t, []string{"cp", seen, filepath.Join(dir, dest)}, filepath.Base(source), "was changed", "while it was copied", "as it was")
		faults.Set(nil)
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
}

// TestCopyOutput shows a bar on a terminal, lines where they are asked for, and else nothing.
func TestCopyOutput(t *testing.T) {
	source, dir := harness.Small(t), t.TempDir()
	script := func(command string) harness.Result {
		return harness.Run(t, time.Minute, exec.Command("script", "--quiet", "--return", "--command", command, os.DevNull))
	}
	quoted := "'" + harness.Binary() + "' cp "
	r := script(quoted + source + " -")
	if r.Code != 1 || !strings.Contains(r.Stdout, "is a terminal") {
		t.Errorf("to a terminal: exit code %d, %s", r.Code, r.Stdout)
	}
	slow, faults := harness.FailingDevice(t, filepath.Dir(source))
	faults.Set(func(_ string, off int64) harness.Fault {
		if off == harness.Fstat || !begun(dir) {
			return harness.Fault{}
		}
		return harness.Fault{Delay: 900 * time.Millisecond}
	})
	seen := filepath.Join(slow, filepath.Base(source))
	dest := filepath.Join(dir, "x.safetensors")
	if r := script("stty cols 80 rows 24; " + quoted + seen + " " + dest); r.Code != 0 || !strings.Contains(r.Stdout, "copying") || !strings.Contains(r.Stdout, "%") {
		t.Errorf("on a terminal: exit code %d, %q", r.Code, r.Stdout)
	}
	harness.Must(t, os.Remove(dest))
	if r := script("stty cols 80 rows 24; " + quoted + "--no-progress " + seen + " " + dest); r.Code != 0 || r.Stdout != "" {
		t.Errorf("--no-progress: exit code %d, %q", r.Code, r.Stdout)
	}
}
