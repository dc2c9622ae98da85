package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// evil would write another line to a file if the tab key ran it. It is a command that is
// run in fish, zsh and bash alike.
const evil = "ls $(echo evil >> ran) x --js"

// completions are what is typed before the tab key, and the arguments that it makes.
// DIR is the working directory.
var completions = []struct {
	typed string
	args  []string
}{
	{"mou", []string{"mount"}},
	{"comp", []string{"completion"}},
	{"help sca", []string{"help", "scan"}},
	{"completion fi", []string{"completion", "fish"}},
	{"mount --allow", []string{"mount", "--allow-other"}},
	{"mount --he", []string{"mount", "--help"}},
	{"umount --la", []string{"umount", "--lazy"}},
	{"mount --layout te", []string{"mount", "--layout", "tensors"}},
	{"mount --log-level war", []string{"mount", "--log-level", "warn"}},
	{"mount --layout=te", []string{"mount", "--layout=tensors"}},
	{"mount --layout hf mod", []string{"mount", "--layout", "hf", "model one.pt"}},
	{"mount --log-file mod", []string{"mount", "--log-file", "model one.pt"}},
	{"mount -o allow", []string{"mount", "-o", "allow_other"}},
	{"mount -o ro,xat", []string{"mount", "-o", "ro,xattr"}},
	{"mount -o ro,layo", []string{"mount", "-o", "ro,layout="}},
	{"mount -o uid=5,layout=te", []string{"mount", "-o", "uid=5,layout=tensors"}},
	{"mount --option=ro,xat", []string{"mount", "--option=ro,xattr"}},
	{"mount weights.st -o root=em", []string{"mount", "weights.st", "-o", "root=ema"}},
	{"mount weights.st -o ro,root=em", []string{"mount", "weights.st", "-o", "ro,root=ema"}},
	{"mount weights.st --option=ro,root=em", []string{"mount", "weights.st", "--option=ro,root=ema"}},
	{"mount -o log-level=w", []string{"mount", "-o", "log-level=w"}}, // it is log_level there
	{"mount weights.st -o uid=1,root=model.en", []string{"mount", "weights.st", "-o", "uid=1,root=model.encoder"}},
	{"mount weights.st --root mo", []string{"mount", "weights.st", "--root", "model"}},
	{"mount weights.st --root model.en", []string{"mount", "weights.st", "--root", "model.encoder"}},
	{"ls --root=ema.de", []string{"ls", "--root=ema.de"}}, // of what, it does not say
	{"ls weights.st --root=ema.de", []string{"ls", "weights.st", "--root=ema.decoder"}},
	{`ls model\ one.pt --root em`, []string{"ls", "model one.pt", "--root", "ema"}},
	{"ls mod", []string{"ls", "model one.pt"}},
	{"scan weights.st mod", []string{"scan", "weights.st", "model one.pt"}},
	{"umount mn", []string{"umount", "mnt one"}},
	{"umount ./mn", []string{"umount", "./mnt one"}},
	{"umount DIR/mn", []string{"umount", "DIR/mnt one"}},
	{"umount --lazy DIR/mn", []string{"umount", "--lazy", "DIR/mnt one"}},
	{"status mod", []string{"status", "mod"}},
	{evil, []string{"ls", "x", "--js"}},
}

// typedIn fills in the directory.
func typedIn(dir, text string) string { return strings.ReplaceAll(text, "DIR", dir) }

// TestCompletion presses the tab key in a real bash and a real zsh. Their wfs answers the
// script, and else prints its arguments. This bash knows nothing of the package
// bash-completion.
func TestCompletion(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	dir := completionDir(t)
	show := "wfs() { case $1 in __*) " + asWFS + "=run " + executable(t) + ` "$@" ;; *) local IFS='|'; printf '={%s}=\n' "$*" ;; esac; }` + "\n"
	for shell, rc := range map[string]string{
		"bash": "unset -f _init_completion _get_comp_words_by_ref _filedir\n. ./script\n" + show + "bind 'set enable-bracketed-paste off'\nprintf '={%s}=\n' ready\n",
		"zsh":  "fpath=($PWD/fpath $fpath)\nautoload -U compinit\ncompinit -u -D\n" + show + "printf '={%s}=\n' ready\n",
	} {
		t.Run(shell, func(t *testing.T) {
			terminal := startShell(t, dir, shell, rc)
			for _, c := range append(slices.Clone(completions), only[shell]...) {
				terminal.typed(t, "wfs "+typedIn(dir, c.typed)+"\t\r")
				terminal.expect(t, "={"+typedIn(dir, strings.Join(c.args, "|"))+"}=")
			}
			if ran, _ := os.ReadFile(filepath.Join(dir, "ran")); string(ran) != "evil\n" {
				t.Errorf("a command on the line was run by the tab key: %q", ran)
			}
			os.Remove(filepath.Join(dir, "ran"))
		})
	}
}

// only is what the shells, but for fish, do each in its own way.
var only = map[string][]struct {
	typed string
	args  []string
}{
	"bash": {
		{`mount model\ one.pt des`, []string{"mount", "model one.pt", "dest dir/"}},
		{`ls 'model one.pt' --root em`, []string{"ls", "model one.pt", "--root", "ema"}},
		{"ls weights.st  --root = em", []string{"ls", "weights.st", "--root", "=", "em"}},
	},
	"zsh": {
		{`mount model\ one.pt des`, []string{"mount", "model one.pt", "dest dir"}},
	},
}

// TestCompletionFish asks fish, which says what the tab key would offer.
func TestCompletionFish(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	dir := completionDir(t)
	put(t, filepath.Join(dir, "function"), "function wfs; "+asWFS+"=run "+executable(t)+" $argv; end\n")
	for _, c := range completions {
		cmd := exec.Command("fish", "--no-config", "-c", "source function; source fish; complete --escape -C $argv[1]", "wfs "+typedIn(dir, c.typed))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		word, _, _ := strings.Cut(strings.TrimRight(string(out), "\n"), "\t")
		want := strings.ReplaceAll(typedIn(dir, c.args[len(c.args)-1]), " ", `\ `)
		if nothing := c.typed == evil || typedIn(dir, c.typed) == strings.Join(c.args, " "); nothing {
			want = ""
		}
		if word != want {
			t.Errorf("%q offers %q, want %q alone", c.typed, out, want)
		}
	}
	if ran, err := os.ReadFile(filepath.Join(dir, "ran")); err == nil {
		t.Errorf("a command on the line was run by the tab key: %q", ran)
	}
}

// TestCompletionAll lists what is offered, with a description for what needs one.
func TestCompletionAll(t *testing.T) {
	dir := completionDir(t)
	t.Chdir(dir)
	t.Setenv(asWFS, "run") // for the process that reads the keys
	for line, want := range map[string][]string{
		"":                              {"cat", "completion", "cp", "diff", "help", "ls", "man", "mount", "report", "scan", "serve", "status", "sum", "umount", "version", "view", ":4"},
		"help ":                         {"mount", "umount", "status", "ls", "cp", "cat", "report", "serve", "sum", "diff", "view", "scan", "completion", "man", "version", ":4"},
		"completion ":                   {"bash", "zsh", "fish", ":4"},
		"mount ":                        {":0"},
		"mount a ":                      {":16"},
		"mount a b ":                    {":4"},
		"ls a ":                         {":4"},
		"scan a ":                       {":0"},
		"man ":                          {":4"},
		"umount nowhere":                {":0"},
		"mount --log-file ":             {":0"},
		"mount --uid ":                  {":4"},
		"mount --layout ":               {"full", "hf", "tensors", ":4"},
		"mount -o log_level=":           {"log_level=error", "log_level=warn", "log_level=info", "log_level=debug", ":4"},
		"mount -o uid=":                 {":4"},
		"mount -o log_file=":            {":0"},
		"mount -o lo":                   {"log_file=", "log_level=", "lora=", ":4"},
		"mount -o uid=1,ui":             {":4"},
		"mount -o ui":                   {"uid=", ":6"},
		"mount -o ro,ro":                {"ro,root=", ":6"},
		"ls --root ":                    {".", ":4"},
		"ls nowhere --root ":            {".", ":4"},
		"ls weights.st --root ":         {".", "model", "ema", ":4"},
		"ls weights.st --root model.":   {".", "model.encoder", ":4"},
		"mount weights.st -o ro,root=m": {"ro,root=model", ":4"},
		"umount --":                     {"--help", "--lazy", ":4"},
	} {
		words := strings.Split(line, " ")
		_, stdout, _ := runArgs(append([]string{"__completeNoDesc"}, words...)...)
		if got := strings.Fields(stdout); !slices.Equal(got, want) {
			t.Errorf("%q offers %q, want %q", line, got, want)
		}
	}
	_, stdout, _ := runArgs("__complete", "ls", "weights.st", "--root", "")
	if want := ".\teverything\nmodel\t2 tensors\nema\t1 tensor\n:4\n"; stdout != want {
		t.Errorf("with descriptions: %q, want %q", stdout, want)
	}
	_, stdout, _ = runArgs("__completeNoDesc", "umount", "")
	if !slices.Contains(strings.Split(stdout, "\n"), filepath.Join(dir, "mnt one")) {
		t.Errorf("umount offers %q", stdout)
	}
	_, stdout, _ = runArgs("__completeNoDesc", "umount", "mnt one", "")
	if strings.Contains(stdout, "\nmnt one") {
		t.Errorf("umount offers what is there: %q", stdout)
	}
}

// TestCompletionHang completes with a source that hangs: the shell waits no longer than a user.
func TestCompletionHang(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	t.Setenv(asWFS, "hang")
	start := time.Now()
	_, stdout, _ := runArgs("__completeNoDesc", "ls", "source", "--root", "")
	if took := time.Since(start); took < rootKeysTimeout || took > rootKeysTimeout+10*time.Second {
		t.Errorf("it took %v", took)
	}
	if stdout != ".\n:4\n" {
		t.Errorf("%q", stdout)
	}
}

// TestCompletionWords checks that what is completed is accepted.
func TestCompletionWords(t *testing.T) {
	for name, words := range map[string][]string{"layout": layouts, "log-level": logLevels} {
		for _, word := range words {
			o := newMountOptions()
			flags := pflag.NewFlagSet("mount", pflag.ContinueOnError)
			o.AddFlags(flags)
			if err := flags.Set(name, word); err != nil || o.Validate() != nil {
				t.Errorf("--%s %s is completed and not accepted", name, word)
			}
		}
	}
	rules := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(rules, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, stdout, _ := runArgs("__completeNoDesc", "mount", "-o", "")
	words := strings.Fields(stdout)
	for _, word := range words[:len(words)-1] {
		values := map[string]string{"uid=": "1", "gid=": "1", "umask=": "022", "layout=": "hf", "root=": "x", "log_file=": "/x", "log_level=": "warn", "cache_dir=": "/x", "cache_size=": "1GiB", "timeout=": "5s",
			"view=": rules, "rename=": "strip:m.", "lora=": "x:0.5", "include=": "a", "exclude=": "b", "dtype=": "bf16", "keep=": "n,dtype=f16", "overflow=": "nan",
			"tied=": "drop", "shard_size=": "5GB"}
		o := newMountOptions()
		o.Options = []string{word + values[word]}
		if err := o.Validate(); err != nil {
			t.Errorf("-o %s is completed and not accepted: %v", word, err)
		}
	}
	for name, safe := range map[string]bool{
		"model.0.w": true, "a b": true, "ключ/x:0": true, "$(x)": false, "a`x`": false, "a;b": false, "a\nb": false, " a": false, `a\b`: false, "a'b": false,
	} {
		if shellSafe(name) != safe {
			t.Errorf("shellSafe(%q) is %v", name, !safe)
		}
	}
}

// completionDir has the scripts, a mount, and one file that a name beginning with mod can be.
func completionDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	header := `{"model.encoder.w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"model.encoder.b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},` +
		`"ema.decoder.w":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"$(x).decoder.w":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`
	model := string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + "1234"
	put(t, filepath.Join(dir, "model one.pt"), model)
	put(t, filepath.Join(dir, "weights.st"), model)
	put(t, filepath.Join(dir, "dest.txt"), "")
	for _, name := range []string{"fpath", "dest dir"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for shell, path := range map[string]string{"bash": "script", "zsh": "fpath/_wfs", "fish": "fish"} {
		code, stdout, stderr := runArgs("completion", shell)
		if code != 0 {
			t.Fatal(stderr)
		}
		put(t, filepath.Join(dir, path), stdout)
	}
	runWFS(t, "mount", filepath.Join(dir, "weights.st"), filepath.Join(dir, "mnt one"))
	t.Cleanup(func() { runWFS(t, "umount", filepath.Join(dir, "mnt one")) })
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// startShell starts a shell with an rc file that says when it is ready.
func startShell(t *testing.T, dir, shell, rc string) *terminal {
	t.Helper()
	put(t, filepath.Join(dir, ".zshrc"), rc)
	put(t, filepath.Join(dir, ".bashrc"), rc)
	terminal := startTerminal(t, dir, shell+" -i")
	terminal.expect(t, "={ready}=")
	return terminal
}
