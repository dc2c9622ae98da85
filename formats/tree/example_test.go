package tree_test

import (
	"fmt"
	"io/fs"

	"wfs/formats"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// The files of a mount, without a mount: a Tree is an io/fs.FS.
func ExampleBuild() {
	model, err := formats.Open("../torch/testdata/whole.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	plan, err := view.New(model, view.Rules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	files, err := tree.Build(plan, tree.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, pattern := range []string{"*.safetensors", "tree/1/*", "raw/1.*"} {
		names, err := fs.Glob(files, pattern)
		fmt.Println(names, err)
	}
	bias, err := fs.ReadFile(files, "raw/1.bias.bin")
	fmt.Println(bias, err)
	// Output:
	// [model.safetensors] <nil>
	// [tree/1/bias.npy tree/1/num_batches_tracked.npy tree/1/running_mean.npy tree/1/running_var.npy tree/1/transient.npy tree/1/weight.npy] <nil>
	// [raw/1.bias.bin raw/1.num_batches_tracked.bin raw/1.running_mean.bin raw/1.running_var.bin raw/1.transient.bin raw/1.weight.bin] <nil>
	// [0 0 0 0 0 0 0 0 0 0 0 0] <nil>
}
