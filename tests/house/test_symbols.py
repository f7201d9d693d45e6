"""No writable global outside the log's sink; nothing unbounded is linked."""
import os
import pathlib
import subprocess

BUILD = pathlib.Path(os.environ["PATROUTE_BUILD"])
ARCHIVES = ("libpatroute-common.a", "libpatroute-core.a",
            "libpatroute-feed-client.a", "libpatroute-sources.a",
            "libpatroute-ctl.a", "libpatroute_prober.a",
            "libpatroute_spoa_parts.a")
ALLOWED = {"log.c.o"}


def writable(archive):
    """(object, symbol) of each writable global or static in an archive."""
    out = subprocess.run(["nm", "-A", "--defined-only", str(archive)],
                         check=True, capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        where, _, rest = line.rpartition(":")
        kind, name = rest.split()[-2:]
        # Sanitizers and compilers own what begins with two underscores, and
        # the relocated read-only tables in .data.rel.ro are nm's "d" too.
        if kind in "BbDdGgSsC" and not name.startswith("__"):
            found.append((where.rpartition(":")[2], name))
    return found


def read_only_tables(archive):
    out = subprocess.run(["objdump", "-t", str(archive)], check=True,
                         capture_output=True, text=True).stdout
    return {line.split()[-1] for line in out.splitlines()
            if ".data.rel.ro" in line}


def test_archives_hold_no_state():
    for name in ARCHIVES:
        archive = next(BUILD.rglob(name))
        tables = read_only_tables(archive)
        state = [(obj, sym) for obj, sym in writable(archive)
                 if obj not in ALLOWED and sym not in tables]
        assert state == [], f"{name}: {state}"
