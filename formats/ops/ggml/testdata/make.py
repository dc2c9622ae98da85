"""Writes blocks.json: random blocks of each type, and the SHA-256 of what gguf.dequantize makes of them."""

import base64
import hashlib
import json
import pathlib

import gguf
import numpy

rng = numpy.random.default_rng(1)
cases = []
for name in ("Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ1_S IQ1_M IQ4_NL IQ4_XS TQ1_0 TQ2_0 "
             "MXFP4 NVFP4").split():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    kept = []
    while len(kept) < 1024 // elements + 4:  # those without NaNs, whose bits depend on the processor
        block = rng.integers(0, 256, (1, size), numpy.uint8)
        with numpy.errstate(invalid="ignore"):
            if not numpy.isnan(gguf.dequantize(block, kind)).any():
                kept.append(block)
    blocks = numpy.concatenate(kept)
    cases.append({
        "type": name, "blocks": base64.b64encode(blocks.tobytes()).decode(),
        "sha256": hashlib.sha256(gguf.dequantize(blocks, kind).tobytes()).hexdigest(),
    })
pathlib.Path(__file__).with_name("blocks.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
