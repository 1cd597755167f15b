#!/usr/bin/python3
"""usage: count.py meson LOG.json | pytest JUNIT.xml | sum RESULTS

Counts tests from what a runner wrote. `meson` and `pytest` print "PASSED FAILED EXCUSED" and,
before it on standard error, the output of each failed test; excused are test programs that the
runner takes for failed and that only left something out. `sum` adds up such lines and prints the
closing line, with exit code 1 if anything failed or nothing ran.
"""
import json
import re
import sys
import xml.etree.ElementTree as ET

OUTPUT_LINES = 60
TAP = re.compile(r"^(not ok|ok)\b(.*)$", re.MULTILINE)
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)


def count_tap(text):
    """Passed, failed and skipped subtests."""
    passed = failed = skipped = 0
    for verdict, rest in TAP.findall(text):
        if re.search(r"#\s*skip", rest, re.IGNORECASE):
            skipped += 1
        elif verdict == "ok":
            passed += 1
        else:
            failed += 1
    # Tests that the plan promised and that never reported died with their program.
    planned = sum(map(int, PLAN.findall(text)))
    return passed, failed + max(0, planned - passed - failed - skipped), skipped


def tell(name, what, text):
    lines = text.rstrip().splitlines()
    print(f"--- {name}: {what}", file=sys.stderr)
    if len(lines) > OUTPUT_LINES:
        print(f"... {len(lines) - OUTPUT_LINES} lines before", file=sys.stderr)
    print(*lines[-OUTPUT_LINES:], sep="\n", file=sys.stderr)


def count_meson(path):
    passed = failed = excused = 0
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            test = json.loads(line)
            good = test["result"] in ("OK", "EXPECTEDFAIL")
            ok, not_ok, skipped = count_tap(test.get("stdout") or "")
            # cmocka reports skip() as "not ok # SKIP", which Meson takes for a failure.
            excuse = test["result"] == "FAIL" and skipped and test.get("returncode") == 0
            skip = test["result"] == "SKIP" or excuse
            if good and ok + not_ok == 0:
                ok = 1
            if not good and not skip and not_ok == 0:
                not_ok = 1
            passed += ok
            failed += not_ok
            excused += 1 if excuse and not not_ok else 0
            if not_ok:
                tell(test["name"], test["result"],
                     (test.get("stdout") or "") + (test.get("stderr") or ""))
    return passed, failed, excused


def count_pytest(path):
    passed = failed = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        # One test may have both a failure and an error at its end: still one test.
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" not in kinds:
            passed += 1
    return passed, failed, 0


def total(path):
    passed = failed = 0
    with open(path, encoding="ascii") as results:
        for line in results:
            passed += int(line.split()[0])
            failed += int(line.split()[1])
    if passed + failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    kind, path = sys.argv[1:]
    if kind == "sum":
        return total(path)
    print(*{"meson": count_meson, "pytest": count_pytest}[kind](path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
