package formats

import (
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestTorch compares, for every row of the torch formats, the whole mount with what
// torch itself loads: the view, tensors/, raw/, f32/, tree/ and the index.
func TestTorch(t *testing.T) {
	testCheckpoints(t, "write_torch.py")
}

func testCheckpoints(t *testing.T, writer string, flags ...string) {
	var cases []harness.Checkpoint
	harness.Python(t, harness.Torch, writer, nil, &cases, t.TempDir())
	verifyCheckpoints(t, cases, flags...)
}

func verifyCheckpoints(t *testing.T, cases []harness.Checkpoint, flags ...string) {
	for i := range cases {
		cases[i].Mount = harness.Mount(t, cases[i].Source, flags...)
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_checkpoint.py", cases, &problems)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { harness.Verified(t, problems, c.Name) })
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

// TestSamples does the same with the files that other tests write in Go: torch and
// safetensors read them, and see what a mount shows.
func TestSamples(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain.safetensors")
	tensors := harness.SmallTensors()
	harness.WriteSafetensors(t, plain, map[string]string{"format": "pt"}, tensors[0], tensors[2], tensors[3])
	verifyCheckpoints(t, []harness.Checkpoint{
		{Name: "small", Source: harness.Small(t)}, {Name: "large", Source: harness.Large(t)}, {Name: "safetensors", Source: plain},
	})
}
