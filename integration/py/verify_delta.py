"""Subtracts the arrays of a mount of wfs mount --diff by NumPy, and prints a list of what is not as in its delta/."""

import json
import pathlib
import sys

import numpy

mount = pathlib.Path(sys.argv[1])
problems, checked = [], 0
for path in sorted((mount / "delta").iterdir()):
    delta = numpy.load(path)
    a, b = numpy.load(mount / "a" / path.name), numpy.load(mount / "b" / path.name)
    if "V" in (a.dtype.kind, b.dtype.kind):  # bfloat16 and float8: NumPy has no numbers of them
        continue
    with numpy.errstate(all="ignore"):
        want = b.astype(delta.dtype) - a.astype(delta.dtype)
    checked += 1
    if delta.shape != a.shape or not numpy.array_equal(delta, want, equal_nan=delta.dtype.kind in "fc"):
        problems.append(f"{path.name}: {delta.dtype} {delta.shape}")
if checked < 20:
    problems.append(f"only {checked} arrays were there")
json.dump(problems, sys.stdout)
