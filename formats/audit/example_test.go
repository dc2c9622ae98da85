package audit_test

import (
	"fmt"

	"wfs/formats/audit"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// What a file would do when it is unpickled. Nothing of it is done.
func ExampleFile() {
	hostile := "\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03."
	report, err := audit.File(source.NewMemory("model.pkl", segment.Literal(hostile), nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Verdict)
	for _, p := range report.Pickles {
		for _, g := range p.Globals {
			fmt.Printf("%s.%s at byte %d, called: %v, %s\n", g.Module, g.Name, g.Offset, g.Called, g.Verdict)
		}
	}
	// Output:
	// dangerous
	// posix.system at byte 2, called: true, dangerous
}

// A verdict on a function by its name.
func ExampleJudge() {
	for _, name := range [][2]string{{"torch._utils", "_rebuild_tensor_v2"}, {"mymodel", "Net"}, {"builtins", "eval"}} {
		verdict, _ := audit.Judge(name[0], name[1])
		fmt.Println(name[0]+"."+name[1], verdict)
	}
	// Output:
	// torch._utils._rebuild_tensor_v2 allowed
	// mymodel.Net unknown
	// builtins.eval dangerous
}
