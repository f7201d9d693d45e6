"""What must not stand in the tree, and what the top level may hold."""
import re

import tree

BANNED = ("atoi atol strtok sprintf vsprintf strcpy strcat gets sscanf alloca "
          "signal sleep usleep system popen gethostbyname").split()
# Where a banned call is the point: the child that resolves names.
ALLOWED = {("getaddrinfo", "resolve"), ("printf", "main.c"),
           ("printf", "ctl")}
TOP = {"CMakeLists.txt", "README.md", "LICENSE", "prober", "spoa", "haproxy",
       "pacemaker", "tests", "docker"}


def product(path):
    return path.parts[0] in ("prober", "spoa")


def test_banned_calls():
    found = []
    for path in tree.files(".c", ".h"):
        if not product(path):
            continue
        source = tree.without_comments(tree.text(path))
        for name in BANNED + ["getaddrinfo", "printf"]:
            if any(name == n and part in str(path) for n, part in ALLOWED):
                continue
            if re.search(rf"(?<![\w.>]){name}\s*\(", source):
                found.append(f"{path}: {name}")
        if re.search(r"\btime\s*\(\s*(0|NULL)\s*\)", source):
            found.append(f"{path}: time()")
    assert found == []


def test_nothing_turns_assertions_off():
    found = [str(p) for p in tree.files()
             if p.name == "CMakeLists.txt" or p.suffix in (".c", ".h",
                                                           ".cmake")
             if re.search(r"-DNDEBUG|define\s+NDEBUG|COMPILE_DEFINITIONS"
                          r"\s+NDEBUG", tree.text(p))]
    assert found == []


def test_the_top_level():
    odd = {p.parts[0] for p in tree.files()} - TOP
    assert {n for n in odd if not n.startswith(".")} == set()


def test_nothing_is_left_behind():
    word = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [f"{p}:{n}" for p in tree.files(".c", ".h", ".py", ".sh", ".cfg")
             if p.name != "test_words.py"
             for n, line in enumerate(tree.text(p).splitlines(), 1)
             if word.search(line)]
    assert found == []
