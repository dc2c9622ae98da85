package integration

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// model is a model directory that a script of py/ wrote. Views names its weights in
// the mount: of a directory that transformers loads, Expect; else each with the file
// that it stands for.
type model struct {
	Name   string            `json:"name"`
	Source string            `json:"source"`
	Mount  string            `json:"mount"`
	Auto   string            `json:"auto"`
	Logits string            `json:"logits"`
	Expect []string          `json:"expect"`
	Views  map[string]string `json:"views"`
}

// TestTransformers loads model directories through cold mounts with from_pretrained
// and compares what they compute with the models that they were saved from.
func TestTransformers(t *testing.T) {
	var models []model
	python(t, "torch", "write_models.py", nil, &models, t.TempDir())
	for i := range models {
		models[i].Mount = mount(t, models[i].Source)
	}
	var problems map[string]string
	python(t, "torch", "verify_models.py", models, &problems)
	for _, m := range models {
		t.Run(m.Name, func(t *testing.T) {
			if problem, checked := problems[m.Name]; problem != "" || !checked {
				t.Errorf("checked %v: %s", checked, problem)
			}
			if m.Expect != nil {
				checkViews(t, m.Mount, m.Expect)
			}
			checkPassedThrough(t, m.Source, m.Mount)
		})
	}
}

// TestLayouts mounts directories whose weights lie in subdirectories.
func TestLayouts(t *testing.T) {
	var models []model
	python(t, "torch", "write_layouts.py", nil, &models, t.TempDir())
	for i := range models {
		models[i].Mount = mount(t, models[i].Source)
	}
	var problems map[string][]string
	python(t, "torch", "verify_layouts.py", models, &problems)
	for _, m := range models {
		t.Run(m.Name, func(t *testing.T) {
			verified(t, problems, m.Name)
			var views []string
			for view := range m.Views {
				views = append(views, view)
			}
			checkViews(t, m.Mount, views)
			checkPassedThrough(t, m.Source, m.Mount)
		})
	}
}

// checkViews checks that the weights in the mount are exactly these: clients glob,
// and break on a second form.
func checkViews(t *testing.T, mount string, want []string) {
	t.Helper()
	var got []string
	for name := range files(t, mount) {
		if strings.Contains(name, ".safetensors") || strings.HasSuffix(name, ".bin") && !strings.HasPrefix(name, "raw/") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("weights in the mount:\n%q, want\n%q", got, want)
	}
}

// checkPassedThrough compares everything in the source that is not weights.
func checkPassedThrough(t *testing.T, source, mount string) {
	t.Helper()
	compared := 0
	for name := range files(t, source) {
		if strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".bin.index.json") {
			continue
		}
		want, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(mount, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not passed through as it is: %v", name, err)
		}
		compared++
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// TestUnreadable has a directory of which a user may not read everything: what may be
// read is shown, unless it is the weights.
func TestUnreadable(t *testing.T) {
	dir := sampleDir(t, "unreadable")
	must(t, os.MkdirAll(filepath.Join(dir, "private"), 0o755))
	weights := filepath.Join(dir, "pytorch_model.bin")
	must(t, os.WriteFile(weights, readFile(t, small(t)), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o000))
	must(t, os.Chmod(filepath.Join(dir, "private"), 0))
	defer os.Chmod(filepath.Join(dir, "private"), 0o755)
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer listener.Close()

	r := execute(t, time.Minute, asNobody(t, binary, "ls", dir))
	if r.code != 0 {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	for _, name := range []string{"config.json", "private", "dangling"} {
		if !strings.Contains(r.stderr, "wfs: note: "+name+" cannot be read: it is left out\n") {
			t.Errorf("nothing is said of %s:\n%s", name, r.stderr)
		}
	}
	if lines := strings.Count(r.stderr, "\n"); lines != 3 {
		t.Errorf("%d notes:\n%s", lines, r.stderr)
	}
	must(t, os.Chmod(weights, 0))
	r = execute(t, time.Minute, asNobody(t, binary, "ls", dir))
	if r.code != 1 {
		t.Errorf("weights that may not be read: exit code %d", r.code)
	}
	checkOneLine(t, r, "pytorch_model.bin", "permission denied")
}

// files is the regular files below a directory and their sizes.
func files(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		found[name] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
