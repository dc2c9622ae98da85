package main

import (
	"fmt"

	"wfs/formats/audit"
	"wfs/formats/checkpoint"
)

// refuseUnsafe is an error where wfs scan would call a file dangerous.
func refuseUnsafe(models []*checkpoint.Model) error {
	for _, m := range models {
		for report, err := range audit.Model(m) {
			if err != nil {
				return err
			}
			if reason := report.Dangerous(); reason != "" {
				return fmt.Errorf("%s: refused by --refuse-unsafe: %s", report.Path, reason)
			}
		}
	}
	return nil
}
