package harness

import (
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// undo is what an interrupted run takes back: t.Cleanup does not run then.
var undo struct {
	sync.Mutex
	actions []*func()
}

// onInterrupt has an interrupted run call action, unless done was called before.
func onInterrupt(action func()) (done func()) {
	undo.Lock()
	defer undo.Unlock()
	undo.actions = append(undo.actions, &action)
	return func() {
		undo.Lock()
		defer undo.Unlock()
		undo.actions = slices.DeleteFunc(undo.actions, func(a *func()) bool { return a == &action })
	}
}

// undoAll takes everything back, the last first. Nothing is registered any more.
func undoAll() {
	undo.Lock()
	for _, action := range slices.Backward(undo.actions) {
		(*action)()
	}
}

// Start starts a command. When the test ends, or is interrupted, the process is killed
// if it is still there.
func Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	Must(t, cmd.Start())
	kill := func() { cmd.Process.Kill() }
	done := onInterrupt(kill)
	t.Cleanup(func() { kill(); done() })
}
