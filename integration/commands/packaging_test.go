package commands

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"debug/pe"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// makeIn runs make in a copy of the repository, so that it is not the caller's make.
func makeIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("make", append([]string{"--no-print-directory", "VERSION=v1.2-3-gabc", "SOURCE_DATE_EPOCH=1700000000"}, args...)...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "MAKE") && name != "MFLAGS" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if r := harness.Run(t, 10*time.Minute, cmd); r.Code != 0 {
		t.Fatalf("make %q: exit code %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
}

// copyRepository copies what the build needs, without the repository's history.
func copyRepository(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	harness.Must(t, os.Mkdir(dir, 0o755))
	for _, part := range []string{"cmd", "fs", "formats", "go.mod", "go.sum", "Makefile", "LICENSE", "README.md"} {
		if r := harness.Run(t, time.Minute, exec.Command("cp", "-r", filepath.Join(harness.Root(), part), dir)); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
	}
	return dir
}

// installedFiles lists what is below a directory, directories aside.
func installedFiles(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	harness.Must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(dir, path)
			all = append(all, path)
		}
		return err
	}))
	slices.Sort(all)
	return all
}

func checkFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := installedFiles(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s has\n%s\nwant\n%s", dir, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestInstall installs into an empty root, looks at each file, and uninstalls.
func TestInstall(t *testing.T) {
	repository := copyRepository(t, "wfs")
	dest := t.TempDir()
	makeIn(t, repository, "install", "DESTDIR="+dest, "PREFIX=/usr/local")
	checkFiles(t, dest, "usr/local/bin/wfs", "sbin/mount.wfs", "sbin/mount.fuse.wfs", "usr/local/share/man/man1/wfs.1.gz",
		"usr/local/share/bash-completion/completions/wfs", "usr/local/share/zsh/site-functions/_wfs",
		"usr/local/share/fish/vendor_completions.d/wfs.fish")
	for _, helper := range []string{"sbin/mount.wfs", "sbin/mount.fuse.wfs"} {
		if target, _ := os.Readlink(filepath.Join(dest, helper)); target != "/usr/local/bin/wfs" {
			t.Errorf("%s is a link to %q", helper, target)
		}
	}
	installed := filepath.Join(dest, "usr/local/bin/wfs")
	checkStatic(t, installed)
	if r := harness.Run(t, time.Minute, exec.Command(installed, "version")); !strings.HasPrefix(r.Stdout, "wfs v1.2-3-gabc; go-fuse v2.") {
		t.Errorf("version: %q", r.Stdout)
	}
	page, err := gzip.NewReader(bytes.NewReader(harness.ReadFile(t, dest, "usr/local/share/man/man1/wfs.1.gz")))
	harness.Must(t, err)
	text, err := io.ReadAll(page)
	harness.Must(t, err)
	if !bytes.HasPrefix(text, []byte(".TH WFS 1 ")) {
		t.Errorf("the manual page begins %.40q", text)
	}
	for _, path := range installedFiles(t, filepath.Join(dest, "usr/local/share")) {
		if info, err := os.Stat(filepath.Join(dest, "usr/local/share", path)); err != nil || info.Size() < 500 || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	makeIn(t, repository, "uninstall", "DESTDIR="+dest, "PREFIX=/usr/local")
	checkFiles(t, dest)

	home := filepath.Join(t.TempDir(), "home") // nothing outside a PREFIX of one's own
	makeIn(t, repository, "install", "PREFIX="+home)
	if target, _ := os.Readlink(filepath.Join(home, "sbin/mount.wfs")); target != filepath.Join(home, "bin/wfs") {
		t.Errorf("mount.wfs in a PREFIX of one's own is a link to %q", target)
	}
	makeIn(t, repository, "uninstall", "PREFIX="+home)
	checkFiles(t, home)
}

// checkStatic checks that a harness.Binary() needs no interpreter and no library.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	harness.Must(t, err)
	defer f.Close()
	libraries, _ := f.ImportedLibraries()
	if len(libraries) > 0 || f.Section(".interp") != nil || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("%s is not static: %q", path, libraries)
	}
}

// TestDeb builds the package in two places, where it comes out the same, and installs,
// runs and purges it with dpkg, in a root of its own.
func TestDeb(t *testing.T) {
	const name = "dist/wfs_1.2+3+gabc_" + runtime.GOARCH + ".deb"
	one, two := copyRepository(t, "one"), copyRepository(t, "somewhere-else")
	makeIn(t, one, "deb")
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // another time of day
	makeIn(t, two, "deb")
	if !bytes.Equal(harness.ReadFile(t, one, "wfs"), harness.ReadFile(t, two, "wfs")) {
		t.Error("two builds of one source differ")
	}
	if !bytes.Equal(harness.ReadFile(t, one, name), harness.ReadFile(t, two, name)) {
		t.Error("two packages of one source differ")
	}

	dir := t.TempDir()
	dpkg := func(args ...string) {
		t.Helper()
		r := harness.Run(t, time.Minute, harness.AsRoot(append([]string{"dpkg", "--root=" + dir, "--force-depends"}, args...)...))
		if r.Code != 0 {
			t.Fatalf("dpkg %q: exit code %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	for _, path := range []string{"var/lib/dpkg/updates", "var/lib/dpkg/info"} {
		harness.Must(t, os.MkdirAll(filepath.Join(dir, path), 0o755))
	}
	harness.Must(t, os.WriteFile(filepath.Join(dir, "var/lib/dpkg/status"), nil, 0o644))
	dpkg("--install", filepath.Join(one, name))
	checkFiles(t, filepath.Join(dir, "usr"), "bin/wfs", "sbin/mount.wfs", "sbin/mount.fuse.wfs", "share/man/man1/wfs.1.gz", "share/doc/wfs/copyright",
		"share/bash-completion/completions/wfs", "share/zsh/vendor-completions/_wfs", "share/fish/vendor_completions.d/wfs.fish")
	if target, _ := os.Readlink(filepath.Join(dir, "usr/sbin/mount.wfs")); target != "/usr/bin/wfs" {
		t.Errorf("mount.wfs is a link to %q", target)
	}
	installed := filepath.Join(dir, "usr/bin/wfs")
	checkStatic(t, installed)
	if r := harness.Run(t, time.Minute, exec.Command(installed, "ls", harness.Small(t))); r.Code != 0 || r.Stdout == "" {
		t.Errorf("the installed wfs: exit code %d\n%s", r.Code, r.Stderr)
	}
	fields := harness.Run(t, time.Minute, exec.Command("dpkg-deb", "--field", filepath.Join(one, name))).Stdout
	for _, want := range []string{"Package: wfs\n", "Version: 1.2+3+gabc\n", "Architecture: " + runtime.GOARCH + "\n", "Recommends: fuse3\n", "Maintainer: "} {
		if !strings.Contains(fields, want) {
			t.Errorf("the package lacks %q:\n%s", want, fields)
		}
	}
	dpkg("--purge", "wfs")
	if _, err := os.Lstat(filepath.Join(dir, "usr")); err == nil {
		t.Errorf("purge leaves %q", installedFiles(t, filepath.Join(dir, "usr")))
	}
}

// TestRelease makes the archives, and one of each kind again in another place and of one
// commit's time: they are the same. That of this machine has a binary that runs.
func TestRelease(t *testing.T) {
	one, two := copyRepository(t, "one"), copyRepository(t, "somewhere-else")
	makeIn(t, one, "release")
	makeIn(t, two, "release", "RELEASES=linux/"+runtime.GOARCH+" windows/amd64")
	dir := filepath.Join(one, "dist/release")
	sums := string(harness.ReadFile(t, dir, "SHA256SUMS"))
	again := strings.SplitAfter(string(harness.ReadFile(t, two, "dist/release/SHA256SUMS")), "\n")
	if len(again) != 3 { // and nothing after the last line
		t.Fatalf("the second release is %q", again)
	}
	for _, line := range again {
		if !strings.Contains(sums, line) {
			t.Errorf("two releases of one source differ: %s", line)
		}
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = dir
	if r := harness.Run(t, time.Minute, check); r.Code != 0 {
		t.Errorf("SHA256SUMS: %s%s", r.Stdout, r.Stderr)
	}
	want := []string{"SHA256SUMS"}
	for _, system := range []string{"darwin-amd64.tar.gz", "darwin-arm64.tar.gz", "linux-amd64.tar.gz", "linux-arm64.tar.gz", "windows-amd64.zip", "windows-arm64.zip"} {
		want = append(want, "wfs-v1.2-3-gabc-"+system)
	}
	checkFiles(t, dir, want...)
	into := t.TempDir()
	name := "wfs-v1.2-3-gabc-linux-" + runtime.GOARCH
	if r := harness.Run(t, time.Minute, exec.Command("tar", "-xzf", filepath.Join(dir, name+".tar.gz"), "-C", into)); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	checkFiles(t, filepath.Join(into, name), "LICENSE", "README.md", "completions/_wfs", "completions/wfs.bash", "completions/wfs.fish", "wfs", "wfs.1")
	if r := harness.Run(t, time.Minute, exec.Command(filepath.Join(into, name, "wfs"), "ls", harness.Small(t))); r.Code != 0 || r.Stdout == "" {
		t.Errorf("the wfs of the archive: exit code %d\n%s", r.Code, r.Stderr)
	}
	zipped, err := zip.OpenReader(filepath.Join(dir, "wfs-v1.2-3-gabc-windows-amd64.zip"))
	harness.Must(t, err)
	defer zipped.Close()
	program, err := zipped.Open("wfs-v1.2-3-gabc-windows-amd64/wfs.exe")
	harness.Must(t, err)
	content, err := io.ReadAll(program)
	harness.Must(t, err)
	if f, err := pe.NewFile(bytes.NewReader(content)); err != nil || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Errorf("wfs.exe: %v", err)
	}
}
