package hub

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats/source"
)

func TestNames(t *testing.T) {
	for s, want := range map[string]string{
		"hf://org/name":                               "models org/name main ''",
		"hf://org/name/":                              "models org/name main ''",
		"hf://gpt2":                                   "models gpt2 main ''",
		"hf://org/name/unet/model.bin":                "models org/name main 'unet/model.bin'",
		"hf://org/name@v1.0/model.bin":                "models org/name v1.0 'model.bin'",
		"hf://org/name@refs/pr/7/model.bin":           "models org/name refs/pr/7 'model.bin'",
		"hf://org/name@refs%2Fheads%2Fx/m":            "models org/name refs/heads/x 'm'",
		"hf://org/name/a@b.bin":                       "models org/name main 'a@b.bin'",
		"hf://datasets/org/name@refs/convert/parquet": "datasets org/name refs/convert/parquet ''",
	} {
		n, err := Parse(s)
		if got := fmt.Sprintf("%s %s %s '%s'", n.kind, n.repo, n.revision, n.Path); err != nil || got != want {
			t.Errorf("%s is %s, %v", s, got, err)
		}
	}
	longest := strings.Repeat("a", maxWord)
	if _, err := Parse("hf://" + longest + "/" + longest); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"hf://", "hf:///x", "hf://org/a" + longest, "hf://a" + longest + "/name", "hf://org/name.", "hf://-org/name", "hf://a/../b", "hf://org/name@", "hf://org/na--me", "hf://o rg/name", "hf://org/name/../x", "hf://org/name/a//b", "https://x/y"} {
		if n, err := Parse(s); err == nil {
			t.Errorf("%s is %+v", s, n)
		}
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), []byte(" hf_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"HF_HOME": home, "HF_ENDPOINT": "https://mirror/", "HF_HUB_OFFLINE": "yes"}
	e := FromEnvironment(func(name string) string { return vars[name] })
	if e != (Environment{"https://mirror", "hf_x", true, filepath.Join(home, "hub")}) {
		t.Errorf("%+v", e)
	}
	vars = map[string]string{"HF_HOME": home, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "XDG_CACHE_HOME": "/x", "HF_HUB_OFFLINE": "0"}
	if e = FromEnvironment(func(name string) string { return vars[name] }); e.token != "" || e.Endpoint != "https://huggingface.co" || e.Offline {
		t.Errorf("%+v", e)
	}
}

// What a Hub lists lies below, whatever it says.
func TestTrees(t *testing.T) {
	d, err := newDir(&repository{}, []node{{Type: "file", Path: "b/c/d.bin"}, {Type: "directory", Path: "b"}, {Type: "file", Path: "a"}, {Type: "file", Path: "b/x"}})
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]source.Entry{
		"": {{Name: "a"}, {Name: "b", Kind: source.Directory}}, "b": {{Name: "c", Kind: source.Directory}, {Name: "x"}}, "b/c": {{Name: "d.bin"}},
	} {
		if got, err := d.List(dir); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, %v", dir, got, err)
		}
	}
	for _, p := range []string{"../x", "/x", "a/../../x", "", "a//b", "a\x00", `a\..\x`, ".", "a/."} {
		if _, err := newDir(&repository{}, []node{{Type: "file", Path: p}}); err == nil {
			t.Errorf("%q is taken for a path", p)
		}
	}
	if _, err := newDir(&repository{}, []node{{Type: "file", Path: "a"}, {Type: "file", Path: "a/b"}}); err == nil {
		t.Error("a file has files")
	}
}
