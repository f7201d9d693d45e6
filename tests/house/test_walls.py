"""
The walls: who may include whom.

    common <- core <- prober's edges       common <- spoa

core and common never include an I/O library (common/feed_client and loopwatch
alone know libev), spoa never includes core or the prober's edges.
"""
import pathlib
import re

import tree

IO_HEADERS = ("ev.h", "curl/", "libpq", "microhttpd", "sys/socket.h",
              "sys/un.h", "netdb.h", "poll.h", "sys/epoll.h")
MAY_INCLUDE = {
    "common": {"common"},
    "core": {"common", "core"},
    "prober": {"common", "core", "prober"},
    "spoa": {"common", "spoa"},
}
# The edges that the folder `common` holds: the feed's, the loop's watchdog, a
# process's start, and the log's own pipe.
SOCKETS = ("sys/socket.h", "sys/un.h")
EDGES_IN_COMMON = {"feed_client.c": IO_HEADERS, "feed_client.h": ("ev.h",),
                   "loopwatch.c": ("ev.h",), "loopwatch.h": ("ev.h",),
                   "numeric.h": SOCKETS, "process.c": SOCKETS,
                   "sock.c": (*SOCKETS, "poll.h"), "sock.h": SOCKETS,
                   "log.c": ("poll.h",)}


def part_of(path):
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] == "spoa":
        return "spoa"
    if parts[0] == "prober":
        return parts[1] if parts[1] in ("common", "core") else "prober"
    return None


def includes(source):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', source,
                      flags=re.M)


def breaches(sources):
    """sources: {path: text}. Gives sentences, empty if the walls stand."""
    home = {}
    for path in sources:
        if path.endswith(".h"):
            home.setdefault(pathlib.PurePosixPath(path).name,
                            part_of(path))
    found = []
    for path, source in sorted(sources.items()):
        part = part_of(path)
        name = pathlib.PurePosixPath(path).name
        for inc in includes(source):
            beside = str(pathlib.PurePosixPath(path).parent / inc)
            # As in C: the includer's own folder comes first.
            target = part if beside in sources else \
                home.get(pathlib.PurePosixPath(inc).name)
            if target is not None and target not in MAY_INCLUDE[part]:
                found.append(f"{path} includes {inc}, which is {target}'s")
            if target is None and part in ("common", "core"):
                allowed = EDGES_IN_COMMON.get(name, ()) \
                    if part == "common" else ()
                if inc.startswith(IO_HEADERS) and \
                        not inc.startswith(tuple(allowed)):
                    found.append(f"{path} includes {inc}: {part} has no I/O")
    return found


def product_sources():
    return {str(p): tree.text(p) for p in tree.files(".c", ".h")
            if part_of(p) is not None}


def test_the_walls_stand():
    sources = product_sources()
    assert len(sources) > 20
    assert breaches(sources) == []


def test_a_breach_is_seen():
    made = {
        "prober/core/a.c": '#include <curl/curl.h>\n#include "edge.h"\n',
        "prober/edge.h": "",
        "prober/core/core.h": "",
        "spoa/b.c": '# include "core.h"\n#include "edge.h"\n',
        "prober/common/c.c": "#include <ev.h>\n#include \"core.h\"\n",
        "prober/common/feed_client.c": "#include <ev.h>\n",
    }
    assert len(breaches(made)) == 6
