package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/quantity"
)

// Bounds of a configuration, and of the work to match its patterns against layers.
const (
	maxConfig  = 16 << 20
	maxRegexps = 10_000
	maxMatches = 1 << 28 // of literal patterns, or a hundredth of regular expressions
	maxRank    = 1 << 16
)

// config is what of adapter_config.json decides on the merged weights.
type config struct {
	kind           string // LORA, LOHA, LOKR
	rank           int64
	alpha          float64
	root           bool // the scale is alpha / √r
	fanInFanOut    bool
	dora           bool
	bias           bool // lora_bias
	parameters     []string
	tokens         []int64            // of the input embeddings, or
	tokensOf       map[string][]int64 // of each module
	ranks, alphas  []pattern
	hasTokenConfig bool
}

// field is a member of an object.
type field struct {
	name  string
	value json.RawMessage
}

// fieldsOf is the members of an object in their order, which decides on what a pattern means.
func fieldsOf(text []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil {
		return nil, jsonError(err)
	} else if t != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	var fields []field
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, jsonError(err)
		}
		f := field{name: t.(string)}
		if err := d.Decode(&f.value); err != nil {
			return nil, jsonError(err)
		}
		if seen[f.name] {
			return nil, fmt.Errorf("it has %.200q twice", f.name)
		}
		seen[f.name] = true
		fields = append(fields, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("it goes on after its end")
	}
	return fields, nil
}

func jsonError(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends in the middle")
	}
	return fmt.Errorf("it is not JSON: %w", err)
}

// off reports whether a field says nothing.
func off(value json.RawMessage) bool {
	switch string(bytes.Join(bytes.Fields(value), nil)) {
	case "null", "false", "{}", "[]", `""`:
		return true
	}
	return false
}

// ignored are fields of PEFT 0.21 that say nothing about the merged weights: how the adapter
// was trained, and which layers it has.
var ignored = []string{
	"auto_mapping", "base_model_name_or_path", "corda_config", "decompose_both", "decompose_factor", "ensure_weight_tying", "eva_config",
	"exclude_modules", "inference_mode", "init_weights", "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout",
	"lora_ga_config", "megatron_config", "megatron_core", "module_dropout", "modules_to_save", "peft_type", "peft_version", "qalora_group_size",
	"rank_dropout", "rank_dropout_scale", "revision", "runtime_config", "target_modules", "task_type", "use_effective_conv2d", "bias",
}

// refused are fields that mean an adapter which cannot be merged, and why.
var refused = map[string]string{
	"alora_invocation_tokens": "it acts on some tokens alone, and cannot be merged",
	"arrow_config":            "it routes between adapters, and cannot be merged",
	"layer_replication":       "it makes a model of more layers than the file has",
	"use_qalora":              "QA-LoRA is for quantized layers",
	"use_bdlora":              "wfs merges no block-diagonal LoRA",
	"velora_config":           "wfs merges no VeLoRA",
	"monteclora_config":       "it is sampled, and cannot be merged",
	"kasa_config":             "it changes the weights that it is trained on",
}

// mutating are values of init_lora_weights with which an adapter belongs to weights that
// PEFT changed when the training began: the model of the file has others.
var mutating = []string{"pissa", "olora", "corda", "loftq", "lora_ga", "mica"}

// parseConfig reads adapter_config.json.
func parseConfig(text []byte) (*config, error) {
	if len(text) > maxConfig {
		return nil, errTooLarge(len(text))
	}
	fields, err := fieldsOf(text)
	if err != nil {
		return nil, err
	}
	return readConfig(fields)
}

func errTooLarge(n int) error {
	return fmt.Errorf("it has %s: wfs reads %s at most", quantity.Bytes(int64(n)), quantity.Bytes(maxConfig))
}

// readConfig reads the fields of a configuration, of PEFT's file or of diffusers' metadata.
func readConfig(fields []field) (*config, error) {
	c := &config{kind: "LORA", rank: 8, alpha: 8}
	for _, f := range fields {
		if f.name == "peft_type" {
			if err := read(f, &c.kind); err != nil {
				return nil, err
			}
		}
	}
	if !slices.Contains([]string{"LORA", "LOHA", "LOKR"}, c.kind) {
		return nil, fmt.Errorf("it is of peft_type %.40q: wfs merges LORA, LOHA and LOKR", c.kind)
	}
	for _, f := range fields {
		if err := c.set(f); err != nil {
			return nil, err
		}
	}
	if c.rank < 1 || c.rank > maxRank {
		return nil, fmt.Errorf("it says r = %d, and a rank is from 1 to %d", c.rank, maxRank)
	}
	return c, nil
}

func read(f field, to any) error {
	if err := json.Unmarshal(f.value, to); err != nil {
		return fmt.Errorf("%.60q is %.60s: %w", f.name, f.value, errType(err))
	}
	return nil
}

// errType is the error of a value of another type, without the names of Go's types.
func errType(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return errors.New("not what PEFT writes there")
	}
	return err
}

// set takes a field.
func (c *config) set(f field) error {
	var err error
	switch f.name {
	case "r":
		return read(f, &c.rank)
	case "lora_alpha", "alpha":
		return read(f, &c.alpha)
	case "use_rslora":
		return read(f, &c.root)
	case "fan_in_fan_out":
		return read(f, &c.fanInFanOut)
	case "use_dora":
		return read(f, &c.dora)
	case "lora_bias":
		return read(f, &c.bias)
	case "target_parameters":
		return read(f, &c.parameters)
	case "rank_pattern":
		c.ranks, err = readPatterns(f)
		return err
	case "alpha_pattern":
		c.alphas, err = readPatterns(f)
		return err
	case "trainable_token_indices":
		if off(f.value) {
			return nil
		}
		c.hasTokenConfig = true
		if json.Unmarshal(f.value, &c.tokens) == nil {
			return nil
		}
		return read(f, &c.tokensOf)
	case "init_lora_weights":
		how := ""
		if json.Unmarshal(f.value, &how) != nil {
			return nil // true or false
		}
		for _, m := range mutating {
			if strings.HasPrefix(strings.ToLower(how), m) {
				return fmt.Errorf("init_lora_weights is %.60q: the adapter belongs to weights that were changed before the training; save it with path_initial_model_for_weight_conversion", how)
			}
		}
		return nil
	}
	if off(f.value) || slices.Contains(ignored, f.name) {
		return nil
	}
	if why := refused[f.name]; why != "" {
		return fmt.Errorf("%s is set: %s", f.name, why)
	}
	return fmt.Errorf("%.60q is set, and wfs does not know what it does to the weights", f.name)
}

// pattern gives layers a number of their own.
type pattern struct {
	text    string
	literal bool // no operator but the dot
	re      *regexp.Regexp
	value   float64
}

// special are the operators of a regular expression, but for the dot.
const special = `\^$*+?{}[]|()`

func readPatterns(f field) ([]pattern, error) {
	if off(f.value) {
		return nil, nil
	}
	fields, err := fieldsOf(f.value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	patterns, compiled := make([]pattern, len(fields)), 0
	for i, member := range fields {
		p := &patterns[i]
		p.text, p.literal = member.name, !strings.ContainsAny(member.name, special)
		if err := read(member, &p.value); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if p.literal {
			continue
		}
		if compiled++; compiled > maxRegexps {
			return nil, fmt.Errorf("%s has more than %d regular expressions", f.name, maxRegexps)
		}
		// re.match(rf"(.*\.)?({key})$", path) of PEFT's get_pattern_key.
		if p.re, err = regexp.Compile(`\A(?:.*\.)?(?:` + p.text + `)\z`); err != nil {
			return nil, fmt.Errorf("%s has the pattern %.100q, which is none of RE2: %w", f.name, p.text, err)
		}
	}
	return patterns, nil
}

// match reports whether a pattern matches a path, or an end of it after a dot.
func (p *pattern) match(path string) bool {
	if !p.literal {
		return p.re.MatchString(path)
	}
	extra := len(path) - len(p.text)
	if extra < 0 || extra > 0 && path[extra-1] != '.' {
		return false
	}
	for i := range len(p.text) {
		if p.text[i] != '.' && p.text[i] != path[extra+i] {
			return false
		}
	}
	return true
}

// numberFor is the number of the first pattern that matches.
func numberFor(patterns []pattern, path string, otherwise float64) float64 {
	for i := range patterns {
		if patterns[i].match(path) {
			return patterns[i].value
		}
	}
	return otherwise
}

// tooMany reports whether so many layers and patterns would take long to match.
func (c *config) tooMany(layers int) bool {
	cost := int64(0)
	for _, p := range slices.Concat(c.ranks, c.alphas) {
		if cost++; !p.literal {
			cost += 99
		}
	}
	return int64(layers)*cost > maxMatches
}

// scaleOf is the rank and the scale of a layer.
func (c *config) scaleOf(path string) (rank int64, scale float64, err error) {
	r := numberFor(c.ranks, path, float64(c.rank))
	if r != math.Trunc(r) || r < 1 || r > maxRank {
		return 0, 0, fmt.Errorf("rank_pattern gives %.200q a rank of %g, and one is a number from 1 to %d", path, r, maxRank)
	}
	return int64(r), scaleBy(numberFor(c.alphas, path, c.alpha), r, c.root), nil
}

// scaleBy is alpha / r, or of a rank-stabilized LoRA alpha / √r.
func scaleBy(alpha, r float64, root bool) float64 {
	if root {
		return alpha / math.Sqrt(r)
	}
	return alpha / r
}

// tokensFor is the tokens whose rows the layer of a path has.
func (c *config) tokensFor(path string) ([]int64, error) {
	if c.tokensOf == nil {
		if !c.hasTokenConfig {
			return nil, fmt.Errorf("%.200q has rows of tokens, and trainable_token_indices does not say which", path)
		}
		return c.tokens, nil
	}
	var found []int64
	matched := 0
	for _, name := range sortedKeys(c.tokensOf) {
		if path == name || strings.HasSuffix(path, "."+name) {
			found, matched = c.tokensOf[name], matched+1
		}
	}
	if matched != 1 {
		return nil, fmt.Errorf("trainable_token_indices has %d lists for %.200q", matched, path)
	}
	return found, nil
}
