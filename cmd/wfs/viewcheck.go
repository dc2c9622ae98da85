package main

import (
	"encoding/json"
	"fmt"

	"wfs/formats/ops"
	"wfs/formats/quantity"
	"wfs/formats/view"
)

// checkCasts reads what the casts of a view change, and says which numbers do not fit.
func (a *app) checkCasts(opt *RulesOptions, plan *view.Plan) error {
	if len(plan.Casts) == 0 {
		return fmt.Errorf("%s: the view casts no tensor: --dtype and [cast] say to what", plan.Model.Path)
	}
	var total int64
	for _, c := range plan.Casts {
		total += c.Size()
	}
	p := a.startProgress(opt.ProgressOptions, "checked", total)
	ctx, stop := interruptible()
	defer stop()
	counts, err := view.Count(ctx, plan.Casts, p.add)
	p.stop()
	if err == nil {
		err = plan.Verify()
	}
	if err != nil {
		return a.interrupted("view", plan.Model.Path, fmt.Errorf("%s: %w", plan.Model.Path, err))
	}
	if opt.JSON {
		if err := a.checkedJSON(plan, counts); err != nil {
			return err
		}
	} else {
		a.printNotes(plan.Notes())
		a.printCounts(plan, counts)
	}
	for _, n := range counts {
		if n.Overflow > 0 {
			return exitError(exitFailure)
		}
	}
	return nil
}

// printCounts prints a line for each tensor with numbers that the cast harms, and one for all.
func (a *app) printCounts(plan *view.Plan, counts []ops.Counts) {
	var all ops.Counts
	for i, n := range counts {
		all = all.Add(n)
		if c := plan.Casts[i]; n.Overflow > 0 || n.NaN > 0 {
			fmt.Fprintf(a.stdout, "%s  %s to %s: %s\n", oneLine(c.Key), c.From.DType, c.To.DType, countsText(n))
		}
	}
	fmt.Fprintf(a.stdout, "%s: %s\n", quantity.Of(len(counts), "tensor"), countsText(all))
}

func countsText(n ops.Counts) string {
	of := func(k int64) string { return quantity.Grouped(k, ",") }
	return fmt.Sprintf("%s numbers, %s too large, %s infinite, %s NaN, %s become zero", of(n.Elements), of(n.Overflow), of(n.Infinite), of(n.NaN), of(n.Underflow))
}

// checkedCast is a cast in the JSON of wfs view --check.
type checkedCast struct {
	Key       string `json:"key"`
	From      string `json:"from"`
	To        string `json:"to"`
	Elements  int64  `json:"elements"`
	Overflow  int64  `json:"overflow"`
	Infinite  int64  `json:"infinite"`
	NaN       int64  `json:"nan"`
	Underflow int64  `json:"underflow"`
}

func (a *app) checkedJSON(plan *view.Plan, counts []ops.Counts) error {
	out := struct {
		Source string        `json:"source"`
		Notes  []string      `json:"notes"`
		Casts  []checkedCast `json:"casts"`
	}{plan.Model.Path, append([]string{}, plan.Notes()...), []checkedCast{}}
	for i, n := range counts {
		c := plan.Casts[i]
		out.Casts = append(out.Casts, checkedCast{c.Key, c.From.DType.String(), c.To.DType.String(), n.Elements, n.Overflow, n.Infinite, n.NaN, n.Underflow})
	}
	return json.NewEncoder(a.stdout).Encode(out)
}

func (a *app) explainJSON(plan *view.Plan) error {
	type gone struct {
		Key string   `json:"key"`
		Why []string `json:"why"`
	}
	out := struct {
		Source  string      `json:"source"`
		Notes   []string    `json:"notes"`
		Tensors []explained `json:"tensors"`
		Gone    []gone      `json:"gone"`
	}{plan.Model.Path, append([]string{}, plan.Notes()...), explainedTensors(plan), []gone{}}
	for _, g := range plan.Gone {
		out.Gone = append(out.Gone, gone{g.Key, g.Why})
	}
	return json.NewEncoder(a.stdout).Encode(out)
}
