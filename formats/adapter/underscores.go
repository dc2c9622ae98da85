package adapter

import (
	"fmt"
	"strconv"
	"strings"
)

// The names of sd-scripts have an underscore for each dot of a layer's path, and cannot be
// read backwards: "to_out_0" may be to_out.0 or to.out.0. So each layer of the model gets the
// names that a file could have for it (sd-scripts networks/lora.py, create_modules).

// findFlat is the weight of the layer with a name of sd-scripts.
func (r *resolver) findFlat(name string) (i int, ok bool, err error) {
	if r.flat == nil {
		r.flat = map[string]int{}
		for i := range r.base {
			r.addFlat(i)
		}
	}
	i, ok = r.flat[name]
	if i == several {
		return 0, false, fmt.Errorf("%.200q fits several layers of the model: mount the directory or the file that it is for", name)
	}
	return i, ok, nil
}

// pieces are the directories of a pipeline, and the beginnings of keys in a file that has all
// of it in one, with how sd-scripts begins the names of their layers.
var pieces = []struct {
	set, key string
	prefixes []string
	unet     bool
}{
	{"unet", "", []string{"lora_unet_"}, true},
	{"transformer", "", []string{"lora_unet_", "lora_transformer_"}, false},
	{"text_encoder", "", []string{"lora_te_", "lora_te1_"}, false},
	{"text_encoder_2", "", []string{"lora_te2_"}, false},
	{"text_encoder_3", "", []string{"lora_te3_"}, false},
	{"", "model.diffusion_model.", []string{"lora_unet_"}, true},
	{"", "cond_stage_model.transformer.", []string{"lora_te_"}, false},
	{"", "conditioner.embedders.0.transformer.", []string{"lora_te1_"}, false},
}

// addFlat gives a layer its names.
func (r *resolver) addFlat(i int) {
	b := r.base[i]
	path, ok := strings.CutSuffix(b.Key, ".weight")
	if !ok {
		return
	}
	for _, p := range pieces {
		if rest, ok := strings.CutPrefix(path, p.key); ok && b.Set == p.set && (p.set != "" || p.key != "") {
			r.addNames(i, rest, p.prefixes, p.unet)
			return
		}
	}
	if b.Set == "" { // a piece by itself, or no pipeline
		r.addNames(i, path, []string{"lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lora_transformer_"}, true)
	}
}

func (r *resolver) addNames(i int, path string, prefixes []string, unet bool) {
	paths := []string{path}
	if unet {
		paths = append(paths, otherUNet(path)...)
	}
	if !strings.HasPrefix(path, "text_model.") {
		paths = append(paths, "text_model."+path)
	}
	for _, path := range paths {
		flat := strings.ReplaceAll(path, ".", "_")
		for _, prefix := range append([]string{"lycoris_"}, prefixes...) {
			if other, taken := r.flat[prefix+flat]; taken && other != i {
				r.flat[prefix+flat] = several
			} else {
				r.flat[prefix+flat] = i
			}
		}
	}
}

// otherUNet is the names that a layer of Stable Diffusion's UNet has in the other of its two
// codes: diffusers' down_blocks, mid_block and up_blocks are the input_blocks, middle_block
// and output_blocks of the original (diffusers/loaders/single_file_utils.py,
// convert_ldm_unet_checkpoint). Both have two layers in a block.
func otherUNet(path string) []string {
	for _, pair := range ends {
		if path == pair[0] {
			return pair[1:2]
		}
		if path == pair[1] {
			return pair[0:1]
		}
	}
	p := strings.Split(path, ".")
	number := func(i int) int {
		if i < len(p) {
			if n, err := strconv.Atoi(p[i]); err == nil && n >= 0 && n < 1000 {
				return n
			}
		}
		return -1
	}
	rest := func(i int, pairs [][2]string, from int) string {
		r := strings.Join(p[min(i, len(p)):], ".")
		for _, pair := range pairs {
			if r == pair[from] {
				r = pair[1-from]
			}
		}
		if r != "" {
			r = "." + r
		}
		return r
	}
	n, m := number(1), number(2)
	switch p[0] {
	case "input_blocks":
		block, layer := (n-1)/3, (n-1)%3
		switch {
		case n < 1 || m < 0:
		case layer == 2 && len(p) == 4 && p[3] == "op":
			return []string{fmt.Sprintf("down_blocks.%d.downsamplers.0.conv", block)}
		case m == 0:
			return []string{fmt.Sprintf("down_blocks.%d.resnets.%d", block, layer) + rest(3, resnet, 0)}
		case m == 1:
			return []string{fmt.Sprintf("down_blocks.%d.attentions.%d", block, layer) + rest(3, nil, 0)}
		}
	case "middle_block":
		switch n {
		case 0, 2:
			return []string{fmt.Sprintf("mid_block.resnets.%d", n/2) + rest(2, resnet, 0)}
		case 1:
			return []string{"mid_block.attentions.0" + rest(2, nil, 0)}
		}
	case "output_blocks":
		switch {
		case n < 0 || m < 0:
		case m > 0 && len(p) == 4 && p[3] == "conv":
			return []string{fmt.Sprintf("up_blocks.%d.upsamplers.0.conv", n/3)}
		case m == 0:
			return []string{fmt.Sprintf("up_blocks.%d.resnets.%d", n/3, n%3) + rest(3, resnet, 0)}
		case m == 1:
			return []string{fmt.Sprintf("up_blocks.%d.attentions.%d", n/3, n%3) + rest(3, nil, 0)}
		}
	case "down_blocks", "up_blocks":
		k := number(3)
		if n < 0 || k < 0 {
			return nil
		}
		first := 3*n + k
		side := "output_blocks"
		if p[0] == "down_blocks" {
			first, side = first+1, "input_blocks"
		}
		switch p[2] {
		case "resnets":
			return []string{fmt.Sprintf("%s.%d.0", side, first) + rest(4, resnet, 1)}
		case "attentions":
			return []string{fmt.Sprintf("%s.%d.1", side, first) + rest(4, nil, 1)}
		case "downsamplers":
			return []string{fmt.Sprintf("input_blocks.%d.0.op", 3*n+3)}
		case "upsamplers": // after an attention, or without one
			return []string{fmt.Sprintf("output_blocks.%d.1.conv", 3*n+2), fmt.Sprintf("output_blocks.%d.2.conv", 3*n+2)}
		}
	case "mid_block":
		if k := number(2); k >= 0 && len(p) > 2 {
			if p[1] == "resnets" {
				return []string{fmt.Sprintf("middle_block.%d", 2*k) + rest(3, resnet, 1)}
			}
			return []string{"middle_block.1" + rest(3, nil, 1)}
		}
	}
	return nil
}

// ends are the layers outside of blocks, and resnet those of a residual layer: of the
// original, and of diffusers.
var (
	ends = [][]string{
		{"time_embed.0", "time_embedding.linear_1"}, {"time_embed.2", "time_embedding.linear_2"},
		{"label_emb.0.0", "add_embedding.linear_1"}, {"label_emb.0.2", "add_embedding.linear_2"},
		{"input_blocks.0.0", "conv_in"}, {"out.0", "conv_norm_out"}, {"out.2", "conv_out"},
	}
	resnet = [][2]string{
		{"in_layers.0", "norm1"}, {"in_layers.2", "conv1"}, {"emb_layers.1", "time_emb_proj"},
		{"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"},
	}
)
