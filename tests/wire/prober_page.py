"""
The page at /topology: its files and their headers, and that the JSON which it
asks for is as it reads it. What it makes of it: tests/unit/page.
"""
import http.client
import json
import re

import jsonschema
import pytest

from prober_feed import prober
from prober_lib import cluster, folder, shared_cluster, wait_until

__all__ = ["cluster", "folder", "prober", "shared_cluster"]

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


def ask(prober, path, method="GET", **headers):
    c = http.client.HTTPConnection("127.0.0.1", prober.port, timeout=10)
    c.request(method, path, headers=headers)
    r = c.getresponse()
    body = r.read()
    c.close()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, body.decode()


def files(prober):
    """{path: (headers, text)} of the page and all that it names."""
    found, todo = {}, ["/topology"]
    while todo:
        path = todo.pop()
        status, headers, text = ask(prober, path, Accept=HTML)
        assert status == 200, path
        found[path] = headers, text
        names = re.findall(r'(?:src|href)="topology/([^"]+)"', text) + \
            re.findall(r'from "\./([^"]+)"', text)
        todo += [p for p in {f"/topology/{n}" for n in names}
                 if p not in found and p not in todo]
    return found


def test_a_files(prober):
    found = files(prober)
    assert {p.rsplit(".", 1)[-1] for p in found} == {"/topology", "js", "css"}
    for path, (headers, text) in found.items():
        kind = path.rsplit(".", 1)[-1] if "." in path else "html"
        assert headers["content-type"] == f"{TYPES[kind]}; charset=utf-8"
        policy = dict(p.strip().split(" ", 1) for p in
                      headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'",
            "style-src": "'self'", "connect-src": "'self'",
            "img-src": "'self' data:", "base-uri": "'none'",
            "form-action": "'none'", "frame-ancestors": "'none'"}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["vary"] == "Accept"
        assert "no-cache" in headers["cache-control"]
        assert len(text) > 500


def test_b_unchanged(prober):
    _, headers, text = ask(prober, "/topology/app.js")
    status, again, body = ask(prober, "/topology/app.js",
                              **{"If-None-Match": headers["etag"]})
    assert (status, body, again["etag"]) == (304, "", headers["etag"])
    status, _, body = ask(prober, "/topology/app.js",
                          **{"If-None-Match": '"another"'})
    assert (status, body) == (200, text)
    status, again, body = ask(prober, "/topology/app.js", "HEAD")
    assert (status, body) == (200, "")
    assert int(again["content-length"]) == len(text.encode())


@pytest.mark.parametrize("path", [
    "/topology/", "/topology/none.js", "/topology/../topology",
    "/topology/%2e%2e/page.c", "/topology/app.js/", "/topologyx"])
def test_b_nothing_else(prober, path):
    assert ask(prober, path, Accept=HTML)[0] == 404


def test_b_json_to_programs(prober):
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        status, headers, text = ask(prober, "/topology", **accept)
        assert (status, headers["content-type"]) == (200, "application/json")
        json.loads(text)


def thing(**properties):
    """An object with all of these, and whatever else."""
    return {"type": "object", "required": list(properties),
            "properties": properties}


TEXT, NUMBER, BOOL = ({"type": t} for t in ("string", "number", "boolean"))
MAYBE, MAYBE_N = ({"type": [t, "null"]} for t in ("string", "number"))
SLOT = thing(age_ms=MAYBE_N, ok_age_ms=MAYBE_N, rc=TEXT, timeline=NUMBER)
CONTROL = thing(hold={}, force={}, drains={"type": "array"}, observe={})
HEAD = dict(name=TEXT, write=MAYBE, why=TEXT, why_text=TEXT, since_ms=NUMBER,
            evidence_age_ms=MAYBE_N, usable=BOOL, planned=BOOL,
            transition=BOOL, changes=NUMBER, control=CONTROL,
            mode={"enum": ["live", "observe", "classic"]})
MEMBER = thing(
    name=TEXT, server=MAYBE, address=MAYBE, port=NUMBER, role=TEXT, read=BOOL,
    live=BOOL, read_only=BOOL, why=TEXT, why_text=TEXT, weight=NUMBER,
    front=thing(address=MAYBE, port=NUMBER),
    timeline=NUMBER, lag_bytes=MAYBE_N, lag_ms=MAYBE_N, replay_lsn=MAYBE,
    evidence=thing(dcs=thing(present=BOOL, role=MAYBE, state=MAYBE),
                   rest=SLOT, sql=SLOT))
CLUSTER = thing(
    **HEAD, scope=MAYBE, step=NUMBER, proof=TEXT, seq=TEXT,
    fallback={"enum": ["primary", "none"]},
    dcs=thing(configured=BOOL, api=MAYBE, age_ms=MAYBE_N, leader=MAYBE,
              leader_age_ms=MAYBE_N, pause=BOOL, standby_cluster=BOOL,
              failsafe_mode=BOOL, sync_mode=BOOL, failover_due=BOOL),
    max_age_ms=thing(dcs=NUMBER, rest=NUMBER, sql=NUMBER),
    members={"type": "array", "items": MEMBER, "minItems": 3})
SUMMARY = thing(
    **HEAD, members_n=NUMBER, live_n=NUMBER, read_n=NUMBER,
    most_lag_bytes=MAYBE_N, most_lag_ms=MAYBE_N,
    dcs=thing(configured=BOOL, pause=BOOL, standby_cluster=BOOL, leader=MAYBE,
              age_ms=MAYBE_N), max_age_ms=thing(dcs=NUMBER))


def answer(of):
    return thing(
        program=TEXT, version=TEXT, boot_id=TEXT, uptime_ms=NUMBER,
        loop=thing(longest_cpu_ms=NUMBER), clusters_n=NUMBER, summary=BOOL,
        clusters={"type": "array", "items": of},
        agents={"type": "array", "items": thing(
            program=TEXT, boot_id=TEXT, connected_ms=NUMBER, behind=NUMBER,
            seen={"type": "object", "additionalProperties": TEXT})},
        haproxy=thing(reachable=BOOL, heard_ms=MAYBE_N, pid=NUMBER,
                      old_processes=NUMBER, moves=NUMBER,
                      last_move_ms=NUMBER, repairs=NUMBER,
                      closed_in_old_processes=NUMBER))


def test_c_json_as_the_page_reads_it(prober):
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")
    for query, of, n in (("", CLUSTER, 1), ("?cluster=main", CLUSTER, 1),
                         ("?summary=1", SUMMARY, 1),
                         ("?cluster=none", CLUSTER, 0)):
        raw = json.loads(ask(prober, "/topology" + query)[2])
        jsonschema.validate(raw, answer(of))
        assert len(raw["clusters"]) == n and raw["clusters_n"] == 1
        assert raw["summary"] == (of is SUMMARY)
    c = json.loads(ask(prober, "/topology?summary=1")[2])["clusters"][0]
    assert (c["write"], c["members_n"], c["live_n"], c["read_n"]) == \
        ("node1", 3, 3, 2)
    assert c["mode"] == "live" and c["dcs"]["leader"] == "node1"
