package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDescriptorIn finds the descriptors that paths lead through, and the names of what is
// open there.
func TestDescriptorIn(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	put(t, path, "x")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd := int(file.Fd())
	link, loop := filepath.Join(dir, "link"), filepath.Join(dir, "loop")
	for name, target := range map[string]string{link: fmt.Sprintf("/dev/fd/%d", fd), loop: loop} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int{
		"/dev/stdin": 0, "/dev/fd/0": 0, "/dev/stderr": 2, fmt.Sprintf("/dev/fd/%d", fd): fd, fmt.Sprintf("/proc/self/fd/%d", fd): fd,
		fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd): fd, fmt.Sprintf("/proc/thread-self/fd/%d", fd): fd, link: fd, "/dev/fd/0/sub/x": 0,
		path: -1, "/dev/null": -1, "/dev/fd": -1, "/dev/fd/x": -1, "/dev/fd/9999": -1, "/proc/1/fd/0": -1, loop: -1, "": -1, "/proc/self/cwd": -1,
	} {
		if got := descriptorIn(name); got != want {
			t.Errorf("%s: descriptor %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]string{path: path, link: path, fmt.Sprintf("/dev/fd/%d", fd): path, loop: loop} {
		if got := nameOf(name); got != want {
			t.Errorf("the name of %s is %s, want %s", name, got, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put(t, path, "y") // another file of that name
	if got := nameOf(link); got != link {
		t.Errorf("the name of a file that was deleted is %s", got)
	}
}

// TestInherit passes descriptors to another process by their numbers.
func TestInherit(t *testing.T) {
	var files []*os.File
	for _, text := range []string{"ready", "directory", "source"} {
		path := filepath.Join(t.TempDir(), text)
		put(t, path, text+"\n")
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	source := fmt.Sprintf("/dev/fd/%d", files[2].Fd())
	in := inherit(source)
	if in.source != int(files[2].Fd()) {
		t.Fatalf("%+v", in)
	}
	cmd := exec.Command("sh", "-c", fmt.Sprintf("cat /dev/fd/%d /dev/fd/%d %s", in.ready, in.directory, source))
	in.pass(cmd, files[0], files[1], source)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ready\ndirectory\nsource\n" {
		t.Errorf("%v, %q", err, out)
	}
	t.Setenv(daemonMark, in.String())
	if got, err := ofDaemon(); got != in || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, in)
	}
	t.Setenv(daemonMark, "1")
	if _, err := ofDaemon(); err == nil {
		t.Error("a mark that is not ours")
	}
	if in := inherit("/nonexistent"); in != (inherited{3, 4, -1}) {
		t.Errorf("without a descriptor: %+v", in)
	}
}
