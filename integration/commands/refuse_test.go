package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestOneReport has files that are dangerous in a place that only one of the doors used to
// look at: what wfs scan says of a source, --refuse-unsafe goes by, and meta/pickle.txt says.
func TestOneReport(t *testing.T) {
	const call = "\x80\x02cos\ngetcwd\n)R."
	weights := harness.Tensor{Key: "w", DType: "F32", Shape: []int64{1}, Data: []byte("\x00\x00\x80?")}
	for _, c := range []struct {
		name  string
		files map[string]string // beside model.safetensors
		code  int               // of wfs scan
		says  string            // of the mount that is refused; "" where it is not
	}{
		{"nothing else", map[string]string{"config.json": "{}"}, 0, ""},
		{"passed through", map[string]string{"training_args.bin": call}, 3, "training_args.bin"},
		{"hidden", map[string]string{"pytorch_model.bin": call}, 3, "pytorch_model.bin"},
		{"deeper", map[string]string{"checkpoint-7/rng_state.pth": call}, 3, "rng_state.pth"},
		{"unknown", map[string]string{"training_args.bin": "\x80\x02cmodels\nNet\n)\x81."}, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			harness.WriteSafetensors(t, filepath.Join(dir, "model.safetensors"), nil, weights)
			for name, content := range c.files {
				path := filepath.Join(dir, name)
				harness.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
				harness.Must(t, os.WriteFile(path, []byte(content), 0o644))
			}
			if r := harness.WFS(t, "scan", dir); r.Code != c.code {
				t.Errorf("scan: exit code %d, want %d\n%s%s", r.Code, c.code, r.Stdout, r.Stderr)
			}
			if c.says != "" {
				harness.Refused(t, []string{"mount", "--refuse-unsafe", dir, harness.Mountpoint(t)}, c.says, "refused by --refuse-unsafe", "os.getcwd")
			} else {
				harness.Mount(t, dir, "--refuse-unsafe")
			}
			shown := filepath.Join(harness.Mount(t, dir), "meta", "pickle.txt")
			text, err := os.ReadFile(shown)
			if c.code == 0 {
				if !os.IsNotExist(err) {
					t.Errorf("a directory without a pickle has %s: %v", shown, err)
				}
			} else if (c.code == 3) != strings.Contains(string(text), "dangerous") || err != nil {
				t.Errorf("%s: %v\n%s", shown, err, text)
			}
		})
	}
}
