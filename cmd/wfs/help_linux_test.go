package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		put(t, path, text)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s has changed (go test ./cmd/wfs -update writes it anew):\n%s", path, text)
	}
}

// commandTree is the commands, and which of them users are told of.
func commandTree() (root *cobra.Command, commands []*cobra.Command) {
	root = newRoot(&app{})
	for _, c := range root.Commands() {
		if !c.Hidden {
			commands = append(commands, c)
		}
	}
	return root, commands
}

// TestHelp compares the help of every command, and checks that each explains itself: with
// an example and its exit codes.
func TestHelp(t *testing.T) {
	_, commands := commandTree()
	for _, c := range commands {
		if !strings.Contains("\n"+c.Example, "\n  wfs "+c.Name()) {
			t.Errorf("%s: no example", c.Name())
		}
		if !strings.HasPrefix(c.Annotations[exitCodesKey], "0 ") {
			t.Errorf("%s: no exit codes", c.Name())
		}
		code, stdout, stderr := runArgs("help", c.Name())
		if code != 0 || stderr != "" {
			t.Errorf("help %s: exit code %d, %q", c.Name(), code, stderr)
		}
		stdout = regexp.MustCompile(`(?m)(  -.* of the files) \(default \d+\)$`).ReplaceAllString(stdout, "$1") // the user's own id
		golden(t, "help-"+c.Name(), stdout)
		for _, flag := range []string{"--help", "-h"} {
			if _, same, _ := runArgs(c.Name(), flag); !strings.HasPrefix(same, stdout[:strings.Index(stdout+"flags:", "flags:")]) {
				t.Errorf("%s %s prints\n%s", c.Name(), flag, same)
			}
		}
	}
	_, overview, _ := runArgs("--help")
	golden(t, "help", overview)
	for _, args := range [][]string{{"-h"}, {"help"}} {
		if code, stdout, stderr := runArgs(args...); code != 0 || stdout != overview || stderr != "" {
			t.Errorf("wfs %q: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := runArgs(); code != exitUsage || stdout != "" || stderr != overview {
		t.Errorf("wfs alone: exit code %d, %q, %q", code, stdout, stderr)
	}
	_, version, _ := runArgs("version")
	for _, arg := range []string{"-V", "--version"} {
		if code, stdout, _ := runArgs(arg); code != 0 || stdout != version || !strings.HasPrefix(version, "wfs dev; go-fuse ") {
			t.Errorf("%s: exit code %d, %q", arg, code, stdout)
		}
	}
}

// TestUnknown mistypes commands, flags and options: each is told in one line.
func TestUnknown(t *testing.T) {
	for line, want := range map[string]string{
		"unmount /x":                 `unknown command "unmount", did you mean umount?`,
		"unmount --help":             `unknown command "unmount", did you mean umount?`,
		"unmount -l --force /x":      `unknown command "unmount", did you mean umount?`,
		"help unmount":               `unknown command "unmount", did you mean umount?`,
		"mnt":                        `unknown command "mnt", did you mean mount?`,
		"list model.pt":              `unknown command "list", did you mean ls?`,
		"verify":                     `unknown command "verify", did you mean scan?`,
		"ps":                         `unknown command "ps", did you mean status?`,
		"moutn a b":                  `unknown command "moutn", did you mean mount?`,
		"MOUNT a b":                  `unknown command "MOUNT", did you mean mount?`,
		"stauts":                     `unknown command "stauts", did you mean status?`,
		"sl":                         `unknown command "sl", did you mean ls?`,
		"model.pt":                   `unknown command "model.pt"`,
		"x":                          `unknown command "x"`,
		"__root-key":                 `unknown command "__root-key"`,
		"a\nb":                       `unknown command "a\nb"`,
		"mount --laout hf a b":       `mount: unknown flag: --laout, did you mean --layout?`,
		"mount --laout=hf a b":       `mount: unknown flag: --laout, did you mean --layout?`,
		"mount -layout hf a b":       `mount: unknown shorthand flag: 'l' in -layout, did you mean --layout?`,
		"mount --log_level info a b": `mount: unknown flag: --log_level, did you mean --log-level?`,
		"mount --log a b":            `mount: unknown flag: --log, did you mean --log-file or --log-level?`,
		"mount --readonly a b":       `mount: unknown flag: --readonly`,
		"mount -z a b":               `mount: unknown shorthand flag: 'z' in -z`,
		"mount --uid a b c":          `mount: invalid argument "a" for "--uid" flag: must be a non-negative integer`,
		"mount a b -o alow_other":    `unknown mount option "alow_other", did you mean allow_other?`,
		"mount a b -o bogus":         `unknown mount option "bogus"`,
		"umount --lzay /x":           `umount: unknown flag: --lzay, did you mean --lazy?`,
		"ls --jsn x":                 `ls: unknown flag: --jsn, did you mean --json?`,
		"--verison":                  `unknown flag: --verison, did you mean --version?`,
		"--bogus":                    `unknown flag: --bogus`,
		"ls":                         `ls takes a SOURCE, and patterns of keys`,
		"version x":                  `version takes no arguments`,
		"completion tcsh":            `completion takes bash, zsh or fish, not "tcsh"`,
	} {
		code, stdout, stderr := runArgs(strings.Split(line, " ")...)
		if code != exitUsage || stdout != "" || stderr != "wfs: "+want+" (try wfs --help)\n" {
			t.Errorf("wfs %s: exit code %d, %q, %q, want %s", line, code, stdout, stderr, want)
		}
	}
}

// TestManual compares the page, and checks that groff has no complaint.
func TestManual(t *testing.T) {
	_, page, _ := runArgs("man")
	golden(t, "wfs.1", page)
	_, commands := commandTree()
	for _, c := range commands {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, roff("--"+f.Name)) {
				t.Errorf("no --%s of %s", f.Name, c.Name())
			}
		})
	}
	if strings.Contains(page, "`") {
		t.Error("a name in the usage of a flag is still quoted")
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "'") {
			t.Errorf("a request of troff: %q", line)
		}
	}
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
