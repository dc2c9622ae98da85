package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"wfs/formats/digest"
	"wfs/formats/quantity"
)

// sumList is the lines of a file of sums.
type sumList struct {
	name  string
	lines []digest.Line
	other int // lines that are none
}

// maxSumLine is the longest line of a file of sums, in bytes. maxSumLines is how many there
// may be: more than a directory may have tensors.
const (
	maxSumLine  = 4 << 20
	maxSumLines = 4_000_000
)

// readSumList reads a file that wfs sum or sha256sum wrote. What is empty or begins with #
// is no line of it.
func readSumList(path string) (*sumList, error) {
	list := &sumList{name: path}
	var in io.Reader = os.Stdin
	if path == "-" {
		list.name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, shortPath(err)
		}
		defer f.Close()
		in = f
	}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxSumLine)
	for scanner.Scan() {
		text := bytes.TrimSuffix(scanner.Bytes(), []byte("\r")) // of Windows: in a name it is escaped
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if l, ok := digest.ParseLine(text); ok {
			list.lines = append(list.lines, l)
		} else {
			list.other++
		}
		if len(list.lines) > maxSumLines {
			return nil, fmt.Errorf("%s: it has more than %d lines", list.name, maxSumLines)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", list.name, err)
	}
	if len(list.lines) == 0 {
		return nil, fmt.Errorf("%s: it has no line that wfs sum or sha256sum wrote", list.name)
	}
	return list, nil
}

// checkSums compares tensors with a list, a line each, as sha256sum -c does.
func (a *app) checkSums(opt *SumOptions, s *summed, list *sumList) error {
	// A line with an asterisk is the model's, or of sha256sum --binary.
	ofModel := func(l digest.Line) bool { return l.Model && !opt.Raw && l.Name == digest.ModelName }
	whole := slices.ContainsFunc(list.lines, ofModel)
	listed := make(map[string]bool, len(list.lines))
	for _, l := range list.lines {
		listed[l.Name] = listed[l.Name] || !ofModel(l)
	}
	var only func(string) bool
	if !whole {
		only = func(key string) bool { return listed[key] }
	}
	if err := s.compute(only); err != nil {
		return err
	}
	sums := make(map[string][]digest.Sum, len(s.entries)) // of the keys, several where a directory is hostile
	unlisted := 0
	for _, e := range s.entries {
		if !listed[e.Key] {
			unlisted++
		}
		if sum, ok := s.digests.Of(e.Tensor); ok {
			sums[e.Key] = append(sums[e.Key], sum)
		}
	}
	wrong, missing, wrongModel := 0, 0, false
	for _, l := range list.lines {
		found := sums[l.Name]
		if ofModel(l) {
			lines := s.lines()
			found = []digest.Sum{lines[len(lines)-1].Sum}
		}
		verdict := "OK"
		switch {
		case len(found) == 0:
			missing++
			verdict = "FAILED, no such tensor"
		case !slices.Contains(found, l.Sum):
			wrong++
			wrongModel = wrongModel || ofModel(l)
			verdict = "FAILED"
		case opt.Quiet:
			continue
		}
		if !opt.Status {
			fmt.Fprintf(a.stdout, "%s: %s\n", visible(l.Name), verdict)
		}
	}
	if opt.Status && wrong+missing > 0 {
		return exitError(exitFailure)
	}
	if list.other > 0 && !opt.Status {
		a.printNotes([]string{fmt.Sprintf("%s: %s that wfs sum and sha256sum do not write", list.name, quantity.Of(list.other, "line"))})
	}
	if wrong+missing == 0 {
		return nil
	}
	a.stdout.Flush() // before the summary on stderr
	text := fmt.Sprintf("%s: %s of %d did not match", list.name, quantity.Of(wrong, "sum"), len(list.lines))
	if missing > 0 {
		text += fmt.Sprintf(", %s not there", quantity.Of(missing, "tensor"))
	}
	if wrongModel && unlisted > 0 {
		text += fmt.Sprintf(", %s not listed", quantity.Of(unlisted, "tensor"))
	}
	return fmt.Errorf("%s", text)
}
