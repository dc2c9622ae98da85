"""Cases come as JSON on stdin, and what is wrong with each goes out as JSON. Imported by the scripts that verify."""

import json
import sys


def check(verify):
    """Writes the problems that verify yields for each case; a case that raises has one."""
    problems = {}
    for case in json.load(sys.stdin):
        try:
            problems[case["name"]] = list(verify(case))
        except Exception as error:
            problems[case["name"]] = [f"{type(error).__name__}: {error}"]
    json.dump(problems, sys.stdout)
