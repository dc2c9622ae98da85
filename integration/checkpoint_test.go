package integration

import (
	"testing"
)

// checkpoint is a file that a script of py/ wrote. Root is the prefix that the view
// takes away, Mount is where the test mounted it.
type checkpoint struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Root   string `json:"root"`
	Mount  string `json:"mount"`
}

// TestTorch compares, for every row of the torch formats, the whole mount with what
// torch itself loads: the view, tensors/, raw/, f32/, tree/ and the index.
func TestTorch(t *testing.T) {
	testCheckpoints(t, "write_torch.py")
}

func testCheckpoints(t *testing.T, writer string, flags ...string) {
	var cases []checkpoint
	python(t, "torch", writer, nil, &cases, t.TempDir())
	for i := range cases {
		cases[i].Mount = mount(t, cases[i].Source, flags...)
	}
	var problems map[string][]string
	python(t, "torch", "verify_checkpoint.py", cases, &problems)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { verified(t, problems, c.Name) })
	}
}

// TestNames does the same with keys that make bad file names.
func TestNames(t *testing.T) {
	testCheckpoints(t, "write_names.py")
}

// TestSafetensors does the same with .safetensors files: their views are the
// sources, byte for byte.
func TestSafetensors(t *testing.T) {
	testCheckpoints(t, "write_safetensors.py")
}
