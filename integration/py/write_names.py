"""Writes checkpoints whose keys make bad file names, and a list of them to stdout."""

import json
import pathlib
import sys

import torch

out = pathlib.Path(sys.argv[1])
KEYS = {
    "dots": ["..", ".", "", "...", "..a", "a..b", ".a", "a.", "....", "a", "a.b", "a.b.c", "a.npy", "a.npy.b", "a.npy.npy"],
    "slashes": ["/", "//", "a/b", "../../etc/passwd", "/etc/passwd", "a/../b", "./a", "a/.", "\\", "..\\a"],
    "controls": ["\n", "new\nline", "nul\0byte", "\0", "\t", "\x7f", "\x1b[31mred", "\u0085", "\u009f"],
    "percent": ["%", "%%", "%2F", "a%2Fb", "a/b", "%00", "%~", "a%~0123456789abcdef", "%2E", "%2E%2E", "%ZZ"],
    "long": ["k" * 400, "k" * 401, "l" * 200, "l" * 201, "/" * 400, "é" * 150, "日" * 400, "%" * 90, "m." * 150,
             "x" * 181 + "日" * 30, "x" * 182 + "/" * 30, "x" * 183 + "%~" * 30],
    "unicode": ["重み", "é", "e\u0301", "Ω.weight", "🙂", "\u202egnp", "\ufeff", "\ufffd", "\u2028"],
    "surrogates": ["\ud800", "a\udfffb", "\ud83d\ude42"],
    "shell": [" ", " a ", "-rf", "$(id)", "`id`", "*", "a;b", "'\"", "~", "CON", "a:b", "|", "\\n"],
    "ours": ["tensors", "tree", "raw", "meta", "f32", "model.safetensors", "index.json", "__metadata__"],
    "deep": [".".join("abc"[i % 3] for i in range(120)), "." * 150, ".".join(["n" * 60] * 6)],
}


def main():
    cases = []
    for name, keys in {**KEYS, "all": list(dict.fromkeys(sum(KEYS.values(), [])))}.items():
        path = out / f"{name}.pt"
        # Values that tell every key from every other, and a dtype that has an f32/ too.
        torch.save({key: torch.tensor([position, len(key)], dtype=torch.float32 if position % 2 else torch.bfloat16)
                    for position, key in enumerate(keys)}, path)
        cases.append({"name": name, "source": str(path), "root": ""})
    json.dump(cases, sys.stdout)


main()
