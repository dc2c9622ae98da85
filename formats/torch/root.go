package torch

import (
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// stateDictNames are the names that training code saves a model's state dict
// under, beside its optimizer and its epoch.
var stateDictNames = []string{
	"state_dict", "model_state_dict", "model", "module", "net", "network", "model_state",
	"model_dict", "weights", "params", "params_ema", "net_state_dict", "encoder_state_dict",
}

// chooseRoot finds the state dict inside a nested checkpoint for the view: the one
// entry with a name of stateDictNames, or the one entry that holds tensors at all.
// "" means that the whole file is the state dict, or that there is no one choice.
func (c *collector) chooseRoot(v pickle.Value) string {
	root := ""
	for depth := range 3 { // {"checkpoint": {"model": {"state_dict": …}}}
		name, next, ok := c.candidate(v)
		if !ok {
			break
		}
		root, v = join(root, name, depth), next
	}
	return root
}

func (c *collector) candidate(v pickle.Value) (string, pickle.Value, bool) {
	if _, isModule := asModule(v); isModule {
		return "", nil, false
	}
	list, ok := pairs(v)
	if !ok {
		return "", nil, false
	}
	var named, any []pickle.Pair
	direct := false
	for _, p := range list {
		if _, isTensor := c.tensor(p.Value); isTensor {
			direct = true
			continue
		}
		if !c.holdsTensor(p.Value, 0) {
			continue
		}
		any = append(any, p)
		if slices.Contains(stateDictNames, keyText(p.Key)) {
			named = append(named, p)
		}
	}
	pick := named
	if len(pick) == 0 && !direct {
		pick = any
	}
	if len(pick) != 1 || len(named) == 0 && len(list) == 1 && !stringKeys(pick[0].Value) {
		return "", nil, false
	}
	return keyText(pick[0].Key), pick[0].Value, true
}

// stringKeys reports whether v is a dict with names, as a state dict is.
func stringKeys(v pickle.Value) bool {
	if _, ok := asModule(v); ok {
		return true
	}
	list, ok := pairs(v)
	if !ok || len(list) == 0 {
		return false
	}
	_, ok = text(list[0].Key)
	return ok
}

// holdsTensor looks for any tensor below v, not far: a state dict begins with one.
func (c *collector) holdsTensor(v pickle.Value, depth int) bool {
	if _, ok := c.tensor(v); ok {
		return true
	}
	if depth > 8 || !container(v) {
		return false
	}
	if m, ok := asModule(v); ok {
		for _, list := range [][]pickle.Pair{m.parameters, m.buffers, m.modules} {
			if c.anyTensor(list, depth) {
				return true
			}
		}
		return false
	}
	found, count := false, 0
	bare := members(v, func(_ string, member pickle.Value) bool {
		found = c.holdsTensor(member, depth+1)
		count++
		return !found && count < 64
	})
	return found || bare != nil && c.holdsTensor(bare, depth+1)
}

func (c *collector) anyTensor(list []pickle.Pair, depth int) bool {
	for i, p := range list {
		if i < 64 && c.holdsTensor(p.Value, depth+1) {
			return true
		}
	}
	return false
}

// candidates are the roots that a view of the file may have: the one that chooseRoot
// finds, or else the state dicts among the names at the top where there are several.
func (c *collector) candidates(v pickle.Value) []checkpoint.Candidate {
	const what = "state dict"
	if root := c.chooseRoot(v); root != "" {
		return []checkpoint.Candidate{{Key: root, What: what}}
	}
	tops := map[string]bool{}
	for _, t := range c.tensors {
		if top, _, nested := strings.Cut(t.Key, "."); nested && slices.Contains(stateDictNames, top) {
			tops[top] = true
		}
	}
	if len(tops) < 2 {
		return nil
	}
	var all []checkpoint.Candidate
	for _, name := range slices.Sorted(maps.Keys(tops)) {
		all = append(all, checkpoint.Candidate{Key: name, What: what})
	}
	return all
}
