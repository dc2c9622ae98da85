package keras

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
)

// trained finds the variables that a model is trained with. Keras keeps them beside its
// layers: optimizers as the attributes that hold them, whatever their names, and
// tf_keras the metrics too (saving_lib.py, _save_state).
type trained struct {
	tensors    map[string]*checkpoint.Tensor
	attributes map[string]map[string]any
	groups     map[string]string // what is said of the variables of a group
	below      map[string]bool   // groups that hold something besides their variables
	shapes     map[string]int    // how many variables have a shape, of groups that do not count
}

func newTrained(all []*checkpoint.Tensor, attributes map[string]map[string]any) *trained {
	t := &trained{map[string]*checkpoint.Tensor{}, attributes, map[string]string{}, map[string]bool{}, map[string]int{}}
	for _, one := range all {
		t.tensors[one.Key] = one
	}
	for _, one := range all {
		group, _, _ := cutLast(one.Key)
		if !t.counts(group) {
			t.shapes[fmt.Sprint(one.Shape)]++
		}
		for up, _, ok := cutLast(strings.TrimSuffix(group, "/vars")); ok && !t.below[up]; up, _, ok = cutLast(up) {
			t.below[up] = true
		}
	}
	return t
}

// why is the reason to hide a variable from the view, or "".
func (t *trained) why(key string) string {
	group, name, ok := cutLast(key)
	if _, err := strconv.Atoi(name); !ok || err != nil || group != "vars" && !strings.HasSuffix(group, "/vars") {
		return ""
	}
	why, known := t.groups[group]
	if !known {
		why = t.group(group)
		t.groups[group] = why
	}
	return why
}

func (t *trained) group(group string) string {
	parts := strings.Split(group, "/")
	parts = parts[:len(parts)-1]
	if len(parts) == 0 {
		return ""
	}
	switch parts[0] {
	case "optimizer":
		return "optimizer state"
	case "metrics":
		return "state of a metric"
	}
	named := false
	for _, part := range parts {
		named = named || optimizerAttribute.MatchString(part)
	}
	class, _ := t.attributes[group]["name"].(string)
	if (named || optimizerClass.MatchString(class) || t.hasSlots(group)) && t.counts(group) {
		return "optimizer state"
	}
	return ""
}

// hasSlots reports whether the variables of a group are laid out as only an optimizer has
// them, whatever its names: the count of steps, the learning rate, and then slots, which have
// the shapes of variables of the model, at most five for each (base_optimizer.py, build). A
// LossScaleOptimizer holds another instead. A layer of a model has its place below layers/.
func (t *trained) hasSlots(group string) bool {
	const most = 5 // three of Adam, the mean of use_ema, and what gradients are gathered in
	owner := strings.TrimSuffix(group, "/vars")
	up, _, _ := cutLast(owner)
	if up == "layers" || strings.HasSuffix(up, "/layers") {
		return false
	}
	if t.tensors[owner+"/inner_optimizer/vars/0"] != nil {
		return true
	}
	rate := t.tensors[group+"/1"]
	if rate == nil || len(rate.Shape) != 0 || !isFloat(rate.DType) || t.below[owner] {
		return false
	}
	slots := map[string]int{}
	for i := 2; ; i++ {
		slot := t.tensors[fmt.Sprintf("%s/%d", group, i)]
		if slot == nil {
			return i >= 4
		}
		shape := fmt.Sprint(slot.Shape)
		if slots[shape]++; slots[shape] > most*t.shapes[shape] {
			return false
		}
	}
}

func isFloat(d checkpoint.DType) bool {
	switch d {
	case checkpoint.F16, checkpoint.BF16, checkpoint.F32, checkpoint.F64:
		return true
	}
	return false
}

// optimizerAttribute is how programs call what holds an optimizer.
var optimizerAttribute = regexp.MustCompile(`(?i)(^|_)opt(s|im|imizers?)?(_|\d|$)`)

// optimizerClass is the name that Keras gives an optimizer: its class, and a number.
var optimizerClass = regexp.MustCompile(`^(adadelta|adafactor|adagrad|adam|adam_?w|adamax|ftrl|lamb|lion|loss_scale_optimizer|muon|nadam|rm_?s_?prop|sgd|.*_optimizer)(_\d+)?$`)

// counts reports whether the first variable of a group is a single integer, as the count
// of steps is that every optimizer has first (keras/src/optimizers/base_optimizer.py).
func (t *trained) counts(group string) bool {
	first := t.tensors[group+"/0"]
	if first == nil || len(first.Shape) != 0 {
		return false
	}
	switch first.DType {
	case checkpoint.I32, checkpoint.I64, checkpoint.U32, checkpoint.U64:
		return true
	}
	return false
}

// cutLast cuts a path before its last part.
func cutLast(path string) (dir, name string, ok bool) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
}
