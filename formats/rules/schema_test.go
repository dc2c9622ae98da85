package rules

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSchema has the names of the schema and those that Parse takes, which are the same.
func TestSchema(t *testing.T) {
	type node struct {
		Properties           map[string]*node
		Items                *node
		AnyOf                []*node
		AdditionalProperties json.RawMessage
		Pattern              string
		Definitions          map[string]*node
	}
	var root node
	if err := json.Unmarshal([]byte(Schema()), &root); err != nil {
		t.Fatal(err)
	}
	var source node
	if err := json.Unmarshal(root.Properties["sources"].AdditionalProperties, &source); err != nil {
		t.Fatal(err)
	}
	for before, n := range map[string]*node{
		"": &root, "[sources]\nb = {%}": source.AnyOf[1], "[[rename]]\n": root.Properties["rename"].Items, "[[tensor]]\n": root.Properties["tensor"].Items,
		"[[lora]]\n": root.Properties["lora"].Items, "[select]\n": root.Properties["select"], "[cast]\n": root.Properties["cast"], "[shards]\n": root.Properties["shards"],
	} {
		if !strings.Contains(before, "%") {
			before += "%"
		}
		_, err := Parse("v", []byte(strings.Replace(before, "%", "zzzzzzzzzz = 1", 1)))
		if err == nil {
			t.Fatalf("%q takes any name", before)
		}
		_, list, _ := strings.Cut(err.Error(), ": it has ")
		if names, want := strings.Split(list, ", "), slices.Sorted(maps.Keys(n.Properties)); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
			t.Errorf("%q: Parse takes %q, and the schema %q", before, names, want)
		}
	}
	list := regexp.MustCompile(`\((.*?)\)`).FindStringSubmatch(root.Definitions["step"].Pattern)[1]
	if got, want := strings.Split(list, "|"), slices.Sorted(maps.Keys(operators())); !slices.Equal(got, want) {
		t.Errorf("the schema has the operators %q, want %q", got, want)
	}
}

// TestExamples has the files of the manual, all of which are there and are rules.
func TestExamples(t *testing.T) {
	files, err := examples.ReadDir("examples")
	if err != nil || len(files) != len(Examples()) {
		t.Fatalf("%d files, %d examples, %v", len(files), len(Examples()), err)
	}
	for _, e := range Examples() {
		if _, err := Parse(e.Name, []byte(e.Text)); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(e.Text, "# ") {
			t.Errorf("%s does not say what it is for", e.Name)
		}
	}
}
