package commands

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// `go test ./integration/commands -run Golden -update` writes the golden files anew.
var update = flag.Bool("update", false, "write testdata/*.golden")

// TestGolden compares what --json prints, which programs read, with testdata.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	writeGolden(t, dir)
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"ls-torch", 0, []string{"ls", "--json", "small.pt"}},
		{"ls-nested", 0, []string{"ls", "--json", "nested.pt"}},
		{"ls-root", 0, []string{"ls", "--json", "--root", "optimizer.state", "nested.pt"}},
		{"ls-safetensors", 0, []string{"ls", "--json", "plain.safetensors"}},
		{"ls-pickle", 0, []string{"ls", "--json", "call.pkl"}},
		{"ls-directory", 0, []string{"ls", "--json", "model"}},
		{"scan-allowed", 0, []string{"scan", "--json", "small.pt"}},
		{"scan-nothing", 0, []string{"scan", "--json", "plain.safetensors"}},
		{"scan-unknown", 2, []string{"scan", "--json", "class.pkl"}},
		{"scan-dangerous", 3, []string{"scan", "--json", "call.pkl"}},
		{"scan-several", 3, []string{"scan", "--json", "class.pkl", "call.pkl"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			for i, arg := range args {
				if _, err := os.Stat(filepath.Join(dir, arg)); err == nil {
					args[i] = filepath.Join(dir, arg)
				}
			}
			r := harness.WFS(t, args...)
			if r.Code != c.code || r.Stderr != "" {
				t.Errorf("exit code %d, want %d\n%s", r.Code, c.code, r.Stderr)
			}
			checkGolden(t, c.name, indented(t, strings.ReplaceAll(r.Stdout, dir, "DIR")))
		})
	}
}

// TestGoldenStatus does so for `wfs status --json`: a mount, and one whose daemon was
// killed. What differs from run to run is named and not compared.
func TestGoldenStatus(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "small.pt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
	m := harness.MountAt(t, source, filepath.Join(dir, "mnt"))
	status := func() string {
		r := harness.WFS(t, "status", "--json")
		var all []json.RawMessage
		harness.Must(t, json.Unmarshal([]byte(r.Stdout), &all))
		for _, entry := range all { // the machine may have other mounts
			if strings.Contains(string(entry), `"`+m.Path+`"`) {
				text := strings.ReplaceAll(string(entry), dir, "DIR")
				text = regexp.MustCompile(`"pid":[1-9]\d*`).ReplaceAllString(text, `"pid":"PID"`)
				text = regexp.MustCompile(`"device":"\d+:\d+"`).ReplaceAllString(text, `"device":"MAJOR:MINOR"`)
				return regexp.MustCompile(`"started":"2\d\d\d-[^"]*Z"`).ReplaceAllString(text, `"started":"TIME"`)
			}
		}
		t.Fatalf("status does not show %s:\n%s", m.Path, r.Stdout)
		return ""
	}
	checkGolden(t, "status-alive", indented(t, status()))
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGKILL))
	harness.Eventually(30*time.Second, func() bool { return len(harness.Daemons(m.Path)) == 0 })
	checkGolden(t, "status-dead", indented(t, status()))
}

// writeGolden writes the sources of the golden files.
func writeGolden(t *testing.T, dir string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	vector := func(key string, data ...byte) harness.Tensor {
		return harness.Tensor{Key: key, DType: "U8", Shape: []int64{int64(len(data))}, Data: data}
	}
	harness.Must(t, os.WriteFile(in("small.pt"), harness.ReadFile(t, harness.Small(t)), 0o644))
	embed, head := vector("embed.weight", 1, 2, 3), vector("a surrogate \xed\xa0\x80", 4)
	tied := embed
	tied.Key = "lm_head.weight"
	harness.WriteTorch(t, in("nested.pt"), map[string]any{
		"state_dict": map[string]any{"embed.weight": embed, "lm_head.weight": tied},
		"optimizer":  map[string]any{"state": map[string]any{"exp_avg": vector("", 5, 6)}},
		"epoch":      3,
	})
	harness.WriteSafetensors(t, in("plain.safetensors"), map[string]string{"format": "pt"}, vector("b", 1, 2), vector("é\n", 3))
	harness.Must(t, os.WriteFile(in("class.pkl"), []byte("csome.module\nThing\n."), 0o644))
	harness.Must(t, os.WriteFile(in("call.pkl"), []byte("cos\nsystem\n(S'true'\ntR."), 0o644))
	harness.Must(t, os.Mkdir(in("model"), 0o755))
	harness.WriteTorch(t, in("model/pytorch_model.bin"), nil, embed, head)
	harness.Must(t, os.WriteFile(in("model/config.json"), []byte("{}"), 0o644))
	harness.Must(t, os.Mkdir(in("model/unet"), 0o755))
	harness.WriteSafetensors(t, in("model/unet/diffusion_pytorch_model.safetensors"), nil, vector("conv", 7))
}

// indented is JSON as one reads it in a review; the order of its keys stays.
func indented(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var value json.RawMessage
		harness.Must(t, decoder.Decode(&value))
		harness.Must(t, json.Indent(&out, value, "", "  "))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		harness.Must(t, os.MkdirAll("testdata", 0o755))
		harness.Must(t, os.WriteFile(path, got, 0o644))
		return
	}
	if want := harness.ReadFile(t, path); !bytes.Equal(got, want) {
		t.Errorf("%s has\n%s\nand now it is\n%s", path, want, got)
	}
}
