package main

import (
	"wfs/formats"
	"wfs/formats/view"
)

// openPlan opens a source and plans its view. Who gets the plan closes its Model.
func openPlan(source string, rules view.Rules) (*view.Plan, error) {
	raiseFileLimit()
	model, err := formats.Open(source)
	if err != nil {
		return nil, err
	}
	plan, err := view.New(model, rules)
	if err != nil {
		model.Close()
	}
	return plan, err
}
