"""The options of `lab up --set KEY=VALUE`: one table."""

import pathlib
import re

from .errors import LabError
from .hosts import MEMBERS_MAX


def _number(low, high):
    def parse(text):
        if not re.fullmatch(r"[0-9]{1,12}", text) \
                or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)
    return parse


def _choice(*words):
    def parse(text):
        if text not in words:
            raise ValueError(" or ".join(words))
        return text
    return parse


def _size(text):
    if text and not re.fullmatch(r"[1-9][0-9]*[kmgKMG]?", text):
        raise ValueError("a size such as 512m, or nothing")
    return text


def _program(text):
    if not re.fullmatch(r"[a-z]+|/[^\0]+", text):
        raise ValueError("a program of the system, or its absolute path")
    return text


def _scope(text):
    if not re.fullmatch(r"[a-z]+(/[0-9]{1,3})?", text):
        raise ValueError("small letters, and /GROUP if at all")
    return text


def _newest_postgresql():
    """Of those installed; each release of Debian has one of its own."""
    found = [int(p.parts[-3]) for p in
             pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return str(max(found, default=15))


# key: (default, parser, help). The defaults of Patroni's timings are
# Patroni's own: what the classic way is measured with.
TABLE = {
    "members": ("3", _number(1, MEMBERS_MAX), "PostgreSQL hosts"),
    "in_haproxy": ("0", _number(0, MEMBERS_MAX),
                   "how many of them HAProxy's file names; 0: all"),
    "etcd_api": ("3", _choice("2", "3"), "etcd's API that Patroni speaks"),
    "dcs": ("etcd", _choice("etcd", "zookeeper"),
            "where Patroni keeps its keys"),
    "patroni_etcds": ("3", _number(1, 3), "how many of the etcds Patroni "
                      "knows, the last ones; patroute knows all"),
    "found_by": ("etcd", _choice("etcd", "patroni"),
                 "what tells patroute the members; etcd tells the leader too"),
    "pg_version": (_newest_postgresql(), _number(10, 99),
                   "PostgreSQL's major version"),
    "pg_tmpfs": ("", _size,
                 "size of a tmpfs for each data directory; none = disk"),
    "scope": ("main", _scope, "Patroni's; SCOPE/GROUP as Citus has it"),
    "named": ("off", _choice("off", "on"),
              "members and etcd are announced by names, not addresses"),
    "tls": ("off", _choice("off", "on"),
            "etcd, Patroni and PostgreSQL speak TLS, with client "
            "certificates"),
    "pooler": ("none", _choice("none", "pgbouncer"),
               "what stands before each PostgreSQL, on 6432"),
    "route": ("patroute", _choice("patroute", "classic"),
              "how 5000 to 5002 are routed"),
    "vip": ("pacemaker", _choice("pacemaker", "fixed"),
            "what places the VIP and runs the load balancers' programs; "
            "fixed: the lab, the VIP on hap1 (always with route=classic)"),
    "haproxy": ("haproxy", _program,
                "another HAProxy than Debian's, by its path"),
    "checks": ("stock", _choice("stock", "tuned"),
               "check timings of the classic configuration"),
    "ttl": ("30", _number(20, 3600), "Patroni: seconds of the leader key"),
    "loop_wait": ("10", _number(1, 3600), "Patroni: seconds between loops"),
    "retry_timeout": ("10", _number(3, 3600), "Patroni: seconds to retry"),
    "maximum_lag_on_failover": ("1048576", _number(0, 10**12),
                                "Patroni: bytes"),
    "synchronous_mode": ("off", _choice("off", "on"), "Patroni"),
    "failsafe_mode": ("off", _choice("off", "on"), "Patroni"),
}


def resolve(pairs):
    """All settings, from a list of KEY=VALUE, as {key: value}.

    pg.NAME=VALUE sets a parameter of PostgreSQL and is kept as text.
    """
    chosen = {key: parse(default)
              for key, (default, parse, _) in TABLE.items()}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise LabError(f'--set "{pair}": expected KEY=VALUE')
        if re.fullmatch(r"pg\.[a-z_][a-z0-9_.]*", key):
            chosen[key] = text
            continue
        if key not in TABLE:
            raise LabError(f'--set: no option "{key}", expected one of: '
                           + " ".join(TABLE) + " pg.PARAMETER")
        try:
            chosen[key] = TABLE[key][1](text)
        except ValueError as expected:
            raise LabError(f'--set {key}="{text}": expected {expected}') \
                from None
    _fit(chosen, {pair.partition("=")[0] for pair in pairs})
    return chosen


def _fit(chosen, given):
    """Patroni's own rule for its timings; those not given follow ttl, so
    that `--set ttl=20` is enough for a quick failover. ZooKeeper tells us
    nothing."""
    if chosen["dcs"] == "zookeeper":
        chosen["found_by"] = "patroni"
    for key, plain in (("tls", "off"), ("pooler", "none")):
        if chosen[key] != plain and (chosen["route"] == "classic"
                                     or chosen["dcs"] == "zookeeper"):
            raise LabError(f"--set: {key}={chosen[key]} is for "
                           "route=patroute with etcd")
    if chosen["route"] == "classic":
        chosen["vip"] = "fixed"
    ttl = chosen["ttl"]
    if "loop_wait" not in given:
        chosen["loop_wait"] = min(chosen["loop_wait"], ttl // 3)
    if "retry_timeout" not in given:
        left = max(3, (ttl - chosen["loop_wait"]) // 2)
        chosen["retry_timeout"] = min(chosen["retry_timeout"], left)
    if chosen["loop_wait"] + 2 * chosen["retry_timeout"] > ttl:
        raise LabError(
            f"--set: loop_wait {chosen['loop_wait']} + 2 * retry_timeout "
            f"{chosen['retry_timeout']} must not exceed ttl {ttl}")


def parameters(chosen):
    """PostgreSQL's own parameters among the settings."""
    return {key[3:]: value for key, value in chosen.items()
            if key.startswith("pg.")}


def usage():
    """The table as text for --help."""
    lines = [f"  {key + '=' + default:32}{text}"
             for key, (default, _, text) in TABLE.items()]
    lines.append(f"  {'pg.PARAMETER=VALUE':32}PostgreSQL's parameters")
    return "\n".join(lines)
