package adapter

import (
	"strings"
)

// metadataKey is under which diffusers keeps the configurations of an adapter in the header of
// its file (diffusers/loaders/lora_base.py).
const metadataKey = "lora_adapter_metadata"

// settleScales finds the scales of a file without adapter_config.json: from the alphas
// beside the layers, or from diffusers' metadata. A layer without either has 1.
func (a *Adapter) settleScales(metadata string) error {
	alphas := false
	for _, m := range a.modules {
		t := m.parts[alpha]
		if t == nil {
			continue
		}
		alphas = true
		if t.Data.Size() != int64(t.DType.Bits()/8) {
			return a.errorf("%.200q has more numbers than one", t.Key)
		}
		f, err := numbers(t)
		if err != nil {
			return a.errorf("%.200q: %w", t.Key, err)
		}
		if v := float64(f[0]); v-v != 0 {
			return a.errorf("%.200q is %g", t.Key, f[0])
		}
		m.alpha = float64(f[0])
	}
	if metadata == "" || alphas {
		return nil
	}
	configs, err := metadataConfigs(metadata)
	if err != nil {
		return a.errorf("%s in its header: %w", metadataKey, err)
	}
	for _, m := range a.modules {
		for _, piece := range sortedKeys(configs) {
			if m.config == nil && (piece == "" || strings.HasPrefix(m.path, piece+".")) {
				m.config, m.piece = configs[piece], piece
			}
		}
	}
	return nil
}

// metadataConfigs are the configurations in {"unet.r": 8, "unet.lora_alpha": 8, …}, by what is
// in front of the dot.
func metadataConfigs(text string) (map[string]*config, error) {
	if len(text) > maxConfig {
		return nil, errTooLarge(len(text))
	}
	fields, err := fieldsOf([]byte(text))
	if err != nil {
		return nil, err
	}
	pieces := map[string][]field{}
	for _, f := range fields {
		piece, name, ok := strings.Cut(f.name, ".")
		if !ok {
			piece, name = "", f.name
		}
		pieces[piece] = append(pieces[piece], field{name, f.value})
	}
	configs := map[string]*config{}
	for piece, fields := range pieces {
		c, err := readConfig(fields)
		if err != nil {
			return nil, err
		}
		configs[piece] = c
	}
	return configs, nil
}

// scale is the scale of a module with the rank that its tensors have, 0 where they do not say.
// path is what patterns know it by.
func (a *Adapter) scale(m *module, path string, rank int64) (scale float64, err error) {
	if m.config == nil {
		if m.alpha == 0 || rank == 0 { // as if it were missing (sd-scripts networks/lora.py, LoRAModule)
			return 1, nil
		}
		return float64(float32(m.alpha) / float32(rank)), nil
	}
	if m.piece != "" {
		path = strings.TrimPrefix(path, m.piece+".")
	}
	r, scale, err := m.config.scaleOf(path)
	if err != nil {
		return 0, a.errorf("%w", err)
	}
	if rank != r && rank != 0 {
		return 0, a.errorf("%.200q has a rank of %d by its configuration, and its tensors have %d", m.path, r, rank)
	}
	return scale, nil
}
