"""Compares the statistics of a page of `wfs report --stats` with torch's, in float64.

    verify_report.py write FILE       writes the tensors
    verify_report.py check FILE PAGE  writes a list of what differs to stdout
"""

import html.parser
import json
import math
import sys

import torch


def tensors():
    g = torch.Generator().manual_seed(1)
    normal = torch.randn(300, 517, generator=g, dtype=torch.float64)
    out = {"normal.f64": normal, "shifted.f64": normal * 1e-3 + 1e6, "huge": normal[:20] * 1e300}
    for dtype in [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]:
        out[f"normal.{dtype}"] = normal.to(dtype)
    for dtype in [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.uint16]:
        low = 0 if dtype in (torch.uint8, torch.uint16) else -100
        out[f"integers.{dtype}"] = torch.randint(low, 100, (70, 90), generator=g).to(dtype)
    out["bool"] = torch.rand(1000, generator=g) > 0.3
    out["complex"] = torch.complex(normal[:5].float(), normal[5:10].float())
    rows = normal.float().clone()
    rows[7] = rows[200:210] = 0
    rows[3, 3], rows[4, 4], rows[5, 5], rows[6, 6] = math.nan, math.inf, -math.inf, 1000
    out["odd"] = rows
    out["zeros"] = torch.zeros(64, 64)
    out["one"] = torch.full((300,), 2.5)
    out["nan"] = torch.full((3,), math.nan)
    out["empty"] = torch.zeros(0, 3)
    out["scalar"] = torch.tensor(-0.0)
    out["transposed"] = normal.float().t()
    out["subnormal"] = torch.tensor([1, 2, 3, 0x8001 - 0x10000], dtype=torch.int16).view(torch.float16)
    out["big"] = torch.randn(3_000_000, generator=g) + 100
    return out


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows, self.row, self.findings = {}, None, {}

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "tr":
            self.row = {"cells": [], "titles": [], "path": ""}
        elif tag == "td" and self.row is not None:
            self.row["cells"].append("")
            if "title" in attrs:
                self.row["titles"].append(attrs["title"])
        elif tag == "path":
            self.row["path"] = attrs["d"]

    def handle_data(self, data):
        if self.row and self.row["cells"]:
            self.row["cells"][-1] += data

    def handle_endtag(self, tag):
        if tag == "tr" and self.row and self.row["cells"]:
            key = self.row["cells"][0]
            if self.row["titles"]:
                self.rows[key] = self.row
            elif len(self.row["cells"]) == 2:
                self.findings.setdefault(key, self.row["cells"][1].replace("\u202f", ""))
            self.row = None


def compare(page):
    problems = []
    wanted = tensors()
    if page.rows.keys() != wanted.keys():
        return [f"keys: {page.rows.keys() ^ wanted.keys()}"]
    for key, t in wanted.items():
        v = (torch.view_as_real(t) if t.is_complex() else t).double().flatten()
        finite = v[v.isfinite()]
        if finite.numel():
            scale = finite.abs().max()
            scaled = finite / scale if scale > 1e200 else finite
            factor = scale if scale > 1e200 else 1
            want = [finite.min(), finite.max(), scaled.mean() * factor, scaled.std(unbiased=False) * factor]
        else:
            want = [math.nan] * 4
        got = [float(x) for x in page.rows[key]["titles"]]
        for name, w, x in zip(["min", "max", "mean", "std"], want, got):
            w = float(w)
            spread = float(want[3]) if not math.isnan(float(want[3])) else 0
            near = math.isnan(w) and math.isnan(x) or math.isclose(w, x, rel_tol=1e-9, abs_tol=1e-12 * max(spread, 1e-300))
            if not (w == x if name in ("min", "max") and not math.isnan(w) else near):
                problems.append(f"{key}: {name} is {x}, want {w}")
        zeros = int((v == 0).sum())
        cell = page.rows[key]["cells"][8]
        if cell != (f"{100 * zeros / v.numel():.3g} %" if zeros else ""):
            problems.append(f"{key}: zeros {cell!r}, want {zeros} of {v.numel()}")
        if finite.numel() and key != "huge":
            low, high = float(finite.min()), float(finite.max())
            counts = torch.histc(finite, 40, low, high) if high > low else torch.tensor([finite.numel()] + [0] * 39)
            got = heights(page.rows[key]["path"])
            want = (counts / counts.max() * 20).tolist()
            # An element that lies on the border of two bars may be in either.
            off = [i for i in range(40) if abs(got[i] - (max(want[i], 0.7) if want[i] else 0)) > 0.3]
            if off and not key.startswith(("integers", "normal.torch.float8")):
                problems.append(f"{key}: bars {off}: {[got[i] for i in off]}, want {[want[i] for i in off]}")
    odd = page.findings.get("odd", "")
    for words in ["1 NaN", "2 infinite", "11 of 300 rows all zeros", "1 beyond 6 standard deviations"]:
        if words not in odd:
            problems.append(f"odd: {odd!r} lacks {words!r}")
    for key, words in {"zeros": "all zeros", "one": "one value: 2.5", "nan": "3 NaN"}.items():
        if words not in page.findings.get(key, ""):
            problems.append(f"{key}: {page.findings.get(key)!r}")
    return problems


def heights(path):
    import re
    return [20 - float(y) for y in re.findall(r"V([0-9.e+-]+)h2", path)] if path else [0] * 40


if sys.argv[1] == "write":
    torch.save(tensors(), sys.argv[2])
else:
    page = Page()
    with open(sys.argv[3], encoding="utf-8") as f:
        page.feed(f.read())
    json.dump(compare(page), sys.stdout)
