package clients

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestClients mounts directories as transformers, diffusers, peft and the Hub's cache
// lay them out, and reads them as the programs do that load them: by glob and index,
// in slices and threads, mapped tensor by tensor, with pread and O_DIRECT.
func TestClients(t *testing.T) {
	var cases []struct {
		Name     string `json:"name"`
		Kind     string `json:"kind"`
		Source   string `json:"source"`
		Expected string `json:"expected"`
		Base     string `json:"base,omitempty"`
		Mount    string `json:"mount"`
	}
	harness.Python(t, harness.Torch, "write_clients.py", nil, &cases, t.TempDir())
	for i := range cases {
		cases[i].Mount = harness.Mount(t, cases[i].Source)
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_clients.py", cases, &problems)
	// What clients glob for. Everything else that is called like weights is a second form.
	weights := regexp.MustCompile(`\.(safetensors|bin|pt|pth|ckpt|gguf|h5|onnx|msgpack)$`)
	view := regexp.MustCompile(`^(model|diffusion_pytorch_model|adapter_model)(\.fp16)?(-\d{5}-of-\d{5})?\.safetensors$`)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			harness.Verified(t, problems, c.Name)
			var views, dirs []string
			index := false
			for name := range harness.Files(t, c.Mount) {
				switch dir, base := path.Split(name); {
				case strings.HasPrefix(name, "raw/"):
				case view.MatchString(base):
					views = append(views, name)
					dirs = append(dirs, dir)
				case base == "model.safetensors.index.json":
					index = true
				case weights.MatchString(base) || strings.Contains(base, ".index."):
					t.Errorf("%s is another form of the weights", name)
				}
			}
			slices.Sort(dirs)
			if dirs = slices.Compact(dirs); len(dirs) != 1 || index != (len(views) > 1) {
				t.Errorf("the weights are %q, with an index: %v", views, index)
			}
		})
	}
}
