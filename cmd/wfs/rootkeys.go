package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wfs/formats"
	"wfs/formats/view"
)

// The keys that --root can name are for the tab key, and a shell must not hang. A source
// can: a thread that reads it may be beyond SIGKILL (see main.go), and a process with such
// a thread cannot be waited for. So another process opens the source, and is given up.

const (
	rootKeysCommand = "__root-keys" // is hidden, as cobra's __complete is
	rootKeysTimeout = 2 * time.Second
	maxRootKeys     = 200
	maxRootKey      = 200 // bytes
)

func newRootKeys(a *app) *cobra.Command {
	return &cobra.Command{
		Use: rootKeysCommand + " SOURCE TYPED", Hidden: true,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			plan, err := openPlan(formats.NewSources(formats.SourceOptions{}), args[0], view.Rules{})
			if err != nil {
				return err
			}
			defer plan.Close()
			for _, key := range rootKeys(plan, args[1]) {
				fmt.Fprintln(a.stdout, key)
			}
			return nil
		},
	}
}

// askRootKeys has another process list the keys, and waits for it no longer than a user does.
func askRootKeys(source, typed string) []cobra.Completion {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	cmd := exec.Command(exe, rootKeysCommand, "--", source, typed)
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil
	}
	if r.SetReadDeadline(time.Now().Add(rootKeysTimeout)) != nil { // as on Windows
		defer time.AfterFunc(rootKeysTimeout, func() { cmd.Process.Kill() }).Stop()
	}
	text, err := io.ReadAll(io.LimitReader(r, maxRootKeys*(maxRootKey+100)))
	r.Close()
	if err != nil {
		cmd.Process.Kill() // and nobody waits for it
		return nil
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// rootKeys is the keys above tensors that go on from what was typed by one more part, with
// the number of tensors below each.
func rootKeys(plan *view.Plan, typed string) []cobra.Completion {
	var keys []string
	below := map[string]int{}
	chosen := map[string]bool{}
	for _, set := range plan.Sets {
		for _, shard := range set.Shards {
			chosen[shard.Root] = true
		}
	}
	for of, t := range plan.Model.Tensors() {
		if t.Hidden != "" || !strings.HasPrefix(t.Key, typed) {
			continue
		}
		part := strings.Index(t.Key[len(typed):], of.Separator)
		if part < 0 {
			continue
		}
		key := t.Key[:len(typed)+part]
		if below[key]++; below[key] == 1 && key != "" && len(key) <= maxRootKey && shellSafe(key) {
			keys = append(keys, key)
		}
	}
	for i, key := range keys {
		what := fmt.Sprintf("%d tensors", below[key])
		if below[key] == 1 {
			what = "1 tensor"
		}
		if chosen[key] {
			what += ", taken by default"
		}
		keys[i] = cobra.CompletionWithDesc(key, what)
	}
	return keys[:min(len(keys), maxRootKeys)]
}
