"""clang-format on C, shellcheck on sh, python's own compiler on Python."""
import ast
import subprocess

import tree

CLANG_FORMAT = "clang-format-14"


def shell_scripts():
    found = []
    for path in tree.files():
        if path.suffix in (".c", ".h", ".py", ".cfg", ".md"):
            continue
        with open(tree.ROOT / path, "rb") as f:
            first = f.readline(64)
        if first.startswith(b"#!/bin/sh") or path.suffix == ".sh":
            found.append(str(path))
    return found


def run(command, paths):
    return subprocess.run([*command, *map(str, paths)], cwd=tree.ROOT,
                          capture_output=True, text=True)


def test_c_is_formatted():
    done = run([CLANG_FORMAT, "--dry-run", "-Werror"],
               tree.files(".c", ".h", ".js"))
    assert done.returncode == 0, done.stderr[-3000:]


def test_shell_is_posix_and_clean():
    scripts = shell_scripts()
    assert scripts
    done = run(["shellcheck", "-s", "sh", "-x"], scripts)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_other_shell():
    odd = [str(p) for p in tree.files()
           if (tree.ROOT / p).open("rb").readline(64)
           .startswith((b"#!/bin/bash", b"#!/usr/bin/env"))]
    assert odd == []


def test_python_parses():
    for path in tree.files(".py"):
        ast.parse(tree.text(path), str(path))
