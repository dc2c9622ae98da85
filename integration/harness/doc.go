// Package harness is what the tests of integration/ share: it builds the binary once
// for each test package, mounts with it, runs it and other programs, and compares.
//
// # How the tests are laid out
//
// Each package below integration/ has one subject, and a TestMain of one line:
//
//	clients   transformers, diffusers, peft … load what is mounted
//	formats   every format, whole and damaged, against the library that wrote it
//	views     what a mount shows, and every way to read it
//	commands  exit codes, output, --json, make install and the package
//	daemon    mounting, unmounting, signals, logs, other users, fstab, containers
//	remote    sources of web servers, and of a Hub
//	faults    devices that fail, sources that change, readers and daemons that die
//	stress    many processes, large files, long runs
//
// The Python programs that write sources and verify mounts are in integration/py, the
// benchmark is in integration/bench. A package names the Python environments that it
// needs in TestMain; where one is missing, that package fails and says which make
// target installs it. daemon, commands and faults need none: their sources are written
// in Go, by [Small], [Large], [WriteTorch] and [WriteSafetensors].
//
// # How to add a test
//
// Put it in the package of its subject:
//
//	func TestSomething(t *testing.T) {
//		source := harness.Small(t)
//		m := harness.MountAt(t, source, harness.Mountpoint(t))
//		if r := harness.WFS(t, "status"); !strings.Contains(r.Stdout, m.Path) { … }
//	}
//
// Whatever the harness mounts or starts for a test, it unmounts and ends when the test
// ends, failed or not, and also when the run is interrupted. A test that mounts by
// itself, with [WFS] or [Run], registers [Unmount] in t.Cleanup first; one that starts
// a process does it with [Start]. Packages run at the same time: a test may look at its
// own mounts and daemons only, never count those of the machine.
//
// With -short nothing is mounted: each package says what it leaves out, and passes.
package harness
