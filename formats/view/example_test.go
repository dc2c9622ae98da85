package view_test

import (
	"fmt"

	"wfs/formats"
	"wfs/formats/rules"
	"wfs/formats/view"
)

// One model, planned by two sets of rules. Neither plan knows of the other.
func ExampleNew() {
	model, err := formats.Open("../torch/testdata/checkpoint.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	for _, wanted := range []view.Rules{{}, {File: &rules.File{Root: rules.Flag("--root", ".")}}} {
		plan, err := view.New(model, wanted)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, set := range plan.Sets {
			for _, f := range set.Files {
				fmt.Println(f.Name, len(f.Entries), "tensors, the first is", f.Entries[0].Key)
			}
		}
	}
	_, err = view.New(model, view.Rules{File: &rules.File{Root: rules.Flag("--root", "nothing")}})
	fmt.Println(err)
	// Output:
	// model.safetensors 7 tensors, the first is 0.weight
	// model.safetensors 8 tensors, the first is model_state_dict.0.weight
	// ../torch/testdata/checkpoint.pt: no tensor lies below "nothing": choose one of "model_state_dict", "."
}
