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
// tool makes that does the same: torch, transformers, mergekit, PEFT. What --check counts is
// what torch's casts do.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	harness.Python(t, harness.Extra, "verify_rules.py", nil, nil, "write", dir)
	for _, name := range []string{"rules", "out"} {
		harness.Must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	t.Chdir(t.TempDir()) // paths are relative to the file of rules
	copied := func(name string, args ...string) {
		args = append(append([]string{"cp"}, args...), filepath.Join(dir, "out", name+".safetensors"))
		if r := harness.WFS(t, args...); r.Code != 0 {
			t.Fatalf("%s: %s", name, r.Stderr)
		}
	}
	sources := map[string]string{"prefixes": "wrapped.safetensors", "experts": "experts", "llama": "meta", "neox": "neox", "rank": "A", "sum": "A", "difference": "C", "adapters": "A"}
	for _, e := range rules.Examples() {
		file := filepath.Join(dir, "rules", e.Name+".toml")
		harness.Must(t, os.WriteFile(file, []byte(e.Text), 0o644))
		copied(e.Name, "--view", file, filepath.Join(dir, sources[e.Name]))
	}
	copied("flags", "--lora", filepath.Join(dir, "lora-a"), "--lora", filepath.Join(dir, "lora-b")+":0.5", filepath.Join(dir, "A"))
	for _, dtype := range []string{"f16", "bf16", "f8_e4m3", "f8_e5m2"} {
		r := harness.WFS(t, "view", "--check", "--json", "--dtype", dtype, filepath.Join(dir, "extremes.safetensors"))
		if r.Code != 1 {
			t.Errorf("--check %s of what does not fit: exit code %d, %s", dtype, r.Code, r.Stderr)
		}
		harness.Must(t, os.WriteFile(filepath.Join(dir, "out", dtype+".json"), []byte(r.Stdout), 0o644))
	}
	var problems map[string][]string
	harness.Python(t, harness.Extra, "verify_rules.py", nil, &problems, "check", dir)
	for _, e := range append(rules.Examples(), rules.Example{Name: "flags"}, rules.Example{Name: "counts"}) {
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
	taplo := filepath.Join(harness.Script(".."), "..", ".venv", harness.Extra, "bin", "taplo")
	check := func(name, text string) harness.Result {
		file := filepath.Join(dir, name+".toml")
		harness.Must(t, os.WriteFile(file, []byte(text), 0o644))
		return harness.Run(t, time.Minute, exec.Command(taplo, "check", "--schema", "file://"+schema, file))
	}
	for _, e := range rules.Examples() {
		if r := check(e.Name, e.Text); r.Code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", e.Name, r.Code, r.Stdout, r.Stderr)
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
