package pickle_test

import (
	"fmt"
	"strings"

	"wfs/formats/pickle"
)

// hostile is pickle.dumps of an object whose __reduce__ is (os.system, ("id",)).
const hostile = "\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03."

// A pickle that would run a command is read as data: what it would call is an Object.
func ExampleLoad() {
	result, err := pickle.Load(strings.NewReader(hostile), 0, int64(len(hostile)), pickle.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := result.Value.(*pickle.Object)
	f, args := call.Callable.(*pickle.Global), call.Args.(*pickle.Tuple)
	fmt.Printf("%v of %s.%s with %q at byte %d\n", call.How, f.Module, f.Name, args.Items, call.Offset)
	for _, g := range result.Globals {
		fmt.Printf("%s.%s at byte %d, called: %v\n", g.Module, g.Name, g.Offset, g.Called)
	}
	// Output:
	// REDUCE of posix.system with ["id"] at byte 30
	// posix.system at byte 2, called: true
}

// The opcodes alone, as pickletools prints them.
func ExampleScanner() {
	s := pickle.NewScanner(strings.NewReader(hostile), 0, int64(len(hostile)))
	var op pickle.Op
	for op.Code != pickle.Stop {
		if err := s.Next(&op); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %v\n", op.Offset, op.Code)
	}
	// Output:
	// 0 PROTO
	// 2 GLOBAL
	// 16 BINPUT
	// 18 BINUNICODE
	// 25 BINPUT
	// 27 TUPLE1
	// 28 BINPUT
	// 30 REDUCE
	// 31 BINPUT
	// 33 STOP
}
