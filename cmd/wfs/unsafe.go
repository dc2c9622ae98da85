package main

import (
	"fmt"

	"wfs/formats/audit"
	"wfs/formats/checkpoint"
)

// refuseUnsafe is an error where wfs scan would call a file dangerous.
func refuseUnsafe(model *checkpoint.Model) error {
	for report, err := range audit.Model(model) {
		if err != nil {
			return err
		}
		if reason := report.Dangerous(); reason != "" {
			return fmt.Errorf("%s: refused by --refuse-unsafe: %s", report.Path, reason)
		}
	}
	return nil
}
