"""Measures wfs against native files and other programs. `make bench` runs it.

Environment: WFS, the binary; BENCH_DIR, a directory for files; RATARMOUNT; ROWS, the rows to run (all);
ROUNDS (5). Prints a table, writes the results to the directory given.
"""

import json
import os
import pathlib
import platform
import sys
import time

import arrays
import comparing
import computed
import copying
import daemon
import derived
import listing
import loading
import opening
import plot
import prefetch
import reading

MODULES = (loading, prefetch, reading, listing, opening, comparing, daemon, arrays, computed, copying, derived)
ALL = {name.removeprefix("row_"): function for module in MODULES
       for name, function in vars(module).items() if name.startswith("row_")}


def main():
    out = pathlib.Path(sys.argv[1])
    chosen = os.environ.get("ROWS", "").split(",") if os.environ.get("ROWS") else list(ALL)
    if unknown := set(chosen) - ALL.keys():
        sys.exit(f"bench: no row {', '.join(unknown)}; there are {', '.join(ALL)}")
    results = []
    for name in chosen:
        for row in ALL[name]():
            results.append({**vars(row), "met": row.met})
            mark = {True: "ok", False: "MISSED", None: ""}[row.met]
            limit = "" if row.target is None else f"{'<=' if row.better == 'less' else '>='} {row.target:g}"
            print(f"{row.name:22} {row.value:9.3f} {row.unit:6} {limit:9} {mark:7} {row.what}", flush=True)
    out.mkdir(exist_ok=True)
    machine = {"kernel": platform.release(), "cores": os.cpu_count(), "python": platform.python_version(),
               "date": time.strftime("%Y-%m-%d")}
    (out / "results.json").write_text(json.dumps({"machine": machine, "rows": results}, indent=1) + "\n")
    (out / "results.svg").write_text(plot.bars(results))


if __name__ == "__main__":
    main()
