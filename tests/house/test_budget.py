"""
Sizes a reader can hold: functions of at most 80 lines (main and one switch or
table a file may reach 120), files of at most 500 code lines, headers of 120,
at most five parameters, lines of 80 columns.
"""
import json
import subprocess

import tree

FUNCTION, FUNCTION_TABLE, FILE, HEADER, PARAMETERS = 80, 120, 500, 120, 5
TABS = 8


def code_lines(source):
    return sum(1 for line in tree.without_comments(source).splitlines()
               if line.strip())


def functions(paths):
    out = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+neS", "--c-kinds=f",
         "-f", "-", "-L", "-"], cwd=tree.ROOT, check=True,
        input="\n".join(map(str, paths)), capture_output=True,
        text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def width(line):
    return len(line.expandtabs(TABS))


def test_functions():
    paths = tree.files(".c")
    found = functions(paths)
    assert len(found) > 10
    long, over = {}, []
    for f in found:
        lines = f["end"] - f["line"] + 1
        if lines > FUNCTION:
            long.setdefault(f["path"], []).append((f["name"], lines))
        args = f.get("signature", "").count(",") + 1
        if args > PARAMETERS and f["name"] != "main" and \
                not f["name"].endswith("_cb"):
            over.append(f"{f['path']}: {f['name']} takes {args} parameters")
    for path, names in long.items():
        if len(names) > 1 or names[0][1] > FUNCTION_TABLE:
            over.append(f"{path}: {names}")
    assert over == []


def test_files():
    over = []
    for path in tree.files(".c", ".h", ".py", ".sh", ".js", ".css"):
        lines = code_lines(tree.text(path)) if path.suffix in (".c", ".h") \
            else sum(1 for x in tree.text(path).splitlines() if x.strip())
        if lines > (HEADER if path.suffix == ".h" else FILE):
            over.append(f"{path}: {lines} code lines")
    assert over == []


def test_lines():
    over = [f"{path}:{n}"
            for path in tree.files(".c", ".h", ".js", ".css")
            for n, line in enumerate(tree.text(path).splitlines(), 1)
            if width(line) > 80]
    assert over == []


def test_counting():
    assert code_lines("/* a\n b */\nint x; /* c */\n\n// d\nint y;\n") == 2
    assert width("\tab") == 10
