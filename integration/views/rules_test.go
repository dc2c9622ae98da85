package views

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wfs/formats/rules"
	"wfs/integration/harness"
)

// TestExamples copies a view of each example of the manual, and holds it against what the
// tool makes that does the same: torch, transformers, mergekit, PEFT.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	harness.Python(t, harness.Extra, "verify_rules.py", nil, nil, "write", dir)
	for _, name := range []string{"rules", "out"} {
		harness.Must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	copied := func(name string, args ...string) {
		harness.Must(t, os.Chdir(t.TempDir())) // paths are relative to the file of rules
		args = append(append([]string{"cp"}, args...), filepath.Join(dir, "out", name+".safetensors"))
		if r := harness.WFS(t, args...); r.Code != 0 {
			t.Fatalf("%s: %s", name, r.Stderr)
		}
	}
	sources := map[string]string{"prefixes": "wrapped.safetensors", "experts": "experts", "llama": "meta", "neox": "neox", "sum": "A", "difference": "C", "adapters": "A"}
	for _, e := range rules.Examples() {
		file := filepath.Join(dir, "rules", e.Name+".toml")
		harness.Must(t, os.WriteFile(file, []byte(e.Text), 0o644))
		copied(e.Name, "--view", file, filepath.Join(dir, sources[e.Name]))
	}
	copied("flags", "--lora", filepath.Join(dir, "lora-a"), "--lora", filepath.Join(dir, "lora-b")+":0.5", filepath.Join(dir, "A"))
	var problems map[string][]string
	harness.Python(t, harness.Extra, "verify_rules.py", nil, &problems, "check", dir)
	for _, e := range append(rules.Examples(), rules.Example{Name: "flags"}) {
		t.Run(e.Name, func(t *testing.T) { harness.Verified(t, problems, e.Name) })
	}
}

// TestSchema has taplo, the TOML toolkit of editors, hold the examples against the schema that
// wfs prints, and files that are wrong.
func TestSchema(t *testing.T) {
	dir := t.TempDir()
	schema := filepath.Join(dir, "schema.json")
	r := harness.WFS(t, "view", "--schema")
	harness.Must(t, os.WriteFile(schema, []byte(r.Stdout), 0o644))
	taplo := filepath.Join(filepath.Dir(harness.Script("")), "..", "..", ".venv", harness.Extra, "bin", "taplo")
	check := func(name, text string) harness.Result {
		file := filepath.Join(dir, name+".toml")
		harness.Must(t, os.WriteFile(file, []byte(text), 0o644))
		return harness.Run(t, time.Minute, exec.Command(taplo, "check", "--schema", "file://"+schema, file))
	}
	for _, e := range rules.Examples() {
		if r := check(e.Name, e.Text); r.Code != 0 {
			t.Errorf("%s: %s", e.Name, r.Stderr)
		}
	}
	for name, text := range map[string]string{
		"unknown": "[cast]\ntoo = 'bf16'\n", "dtype": "[cast]\nto = 'int8'\n", "operator": "[[tensor]]\nfrom = 'a'\nto = 'b'\ndo = 'stak 0'\n",
		"missing": "[[rename]]\nfrom = 'a'\n", "kind": "[sources]\nb = { path = 'x', kind = 'lora' }\n", "type": "root = 1\n",
	} {
		if r := check(name, text); r.Code == 0 {
			t.Errorf("taplo takes %s: %s", name, text)
		}
	}
}
