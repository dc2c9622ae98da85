package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

var statusCommand = command{
	name: "status", args: "[--json]", summary: "list the mounts of wfs",
	help: `
Shows each mount with its daemon's pid, age, bytes served and errors. A mount whose
daemon is gone is shown as dead: wfs umount cleans it up. One whose daemon does not
answer, because it is another user's, is shown with a question mark. Files that the kernel reads by
itself (passthrough) and pages that it has cached are not counted as served.

  wfs status

exit codes: 0 success, 1 failure, 2 wrong usage`,
	new: func(flags *pflag.FlagSet) func([]string) error {
		asJSON := flags.Bool("json", false, "print JSON")
		return func(args []string) error {
			if len(args) > 0 {
				return usagef("status takes no arguments")
			}
			return status(*asJSON)
		}
	},
}

// statusEntry is a mount of the list.
type statusEntry struct {
	Alive bool `json:"alive"`
	mountStatus
}

func status(asJSON bool) error {
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
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MOUNTPOINT\tSOURCE\tPID\tAGE\tSERVED\tREADS\tERRORS")
	for _, e := range list {
		daemon := "dead\t-\t-\t-\t-"
		switch {
		case e.PID != 0:
			age := time.Since(e.Started).Round(time.Second)
			daemon = fmt.Sprintf("%d\t%s\t%s\t%d\t%d", e.PID, age, humanSize(e.Bytes), e.Reads, e.Errors)
		case e.Alive:
			daemon = "?\t-\t-\t-\t-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", oneLine(e.Mountpoint), oneLine(e.Source), daemon)
	}
	return w.Flush()
}

// humanSize is bytes in binary units.
func humanSize(n int64) string {
	units := "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
