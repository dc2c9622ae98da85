package clients

import (
	"os"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestHub loads what wfs serve shows with the real clients of the Hub, with a token and
// without. Python's HTTP client of huggingface_hub follows every rule of the protocol.
func TestHub(t *testing.T) {
	dir := t.TempDir()
	harness.Python(t, harness.Torch, "write_hub.py", nil, nil, dir)
	var sources []string
	for _, name := range []string{"bert", "shards", "many", "lone.pt"} {
		sources = append(sources, filepath.Join(dir, name))
	}
	token := filepath.Join(dir, "token")
	const secret = "hf_0123456789abcdef"
	harness.Must(t, os.WriteFile(token, []byte(secret+"\n"), 0o600))
	endpoint := harness.Serve(t, append([]string{"--token-file", token}, sources...)...)
	problems := map[string]string{}
	harness.Python(t, harness.Torch, "verify_hub.py", nil, &problems, endpoint, dir, secret)
	if len(problems) < 12 {
		t.Errorf("only %d checks ran", len(problems))
	}
	for name, problem := range problems {
		if problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
}
