package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"wfs/formats/quantity"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// StatusOptions are the flags of wfs status.
type StatusOptions struct{ JSON bool }

// AddFlags registers the flags. What is set already is their default.
func (o *StatusOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.JSON, "json", o.JSON, "print JSON")
}

// Validate checks the command line.
func (o *StatusOptions) Validate(args []string) error {
	if len(args) > 0 {
		return usagef("status takes no arguments")
	}
	return nil
}

func newStatus(a *app) *cobra.Command {
	opt := &StatusOptions{}
	cmd := &cobra.Command{
		Use:        "status [--json]",
		SuggestFor: []string{"ps", "mounts", "stat", "stats", "df"},
		Short:      "list the mounts of wfs",
		Long: `
Shows each mount with its daemon's pid, age, bytes served and errors. A mount whose
daemon is gone is shown as dead: wfs umount cleans it up. One whose daemon does not
answer, because it is another user's, is shown with a question mark. Files that the kernel reads by
itself (passthrough) and pages that it has cached are not counted as served. In JSON, bytes has all
that was served, and prefetched what of it was read ahead of a reader.`,
		Example:           "  wfs status",
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(*cobra.Command, []string) error { return a.status(opt) },
	}
	opt.AddFlags(cmd.Flags())
	return cmd
}

// statusEntry is a mount of the list.
type statusEntry struct {
	Alive bool `json:"alive"`
	mountStatus
}

func (a *app) status(opt *StatusOptions) error {
	list := []statusEntry{}
	known := daemons()
	for _, m := range mounts() {
		if m.fsType != fsType {
			continue
		}
		e := statusEntry{mountStatus: mountStatus{Source: strings.TrimPrefix(m.source, "wfs:")}}
		if s, ok := m.of(known); ok {
			e = statusEntry{true, s}
		} else {
			e.Alive = !stale(m.path)
		}
		e.Mountpoint, e.Device = m.path, m.device // the kernel knows best
		list = append(list, e)
	}
	if opt.JSON {
		return json.NewEncoder(a.stdout).Encode(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MOUNTPOINT\tSOURCE\tPID\tAGE\tSERVED\tREADS\tERRORS")
	for _, e := range list {
		daemon := "dead\t-\t-\t-\t-"
		switch {
		case e.PID != 0:
			age := time.Since(e.Started).Round(time.Second)
			daemon = fmt.Sprintf("%d\t%s\t%s\t%d\t%d", e.PID, age, quantity.Bytes(e.Bytes), e.Reads, e.Errors)
		case e.Alive:
			daemon = "?\t-\t-\t-\t-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", oneLine(e.Mountpoint), oneLine(e.Source), daemon)
	}
	return w.Flush()
}
