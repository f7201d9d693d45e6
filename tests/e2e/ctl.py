"""patroutectl on a load balancer of the lab."""

import json
import os

from patroute_lab import config, ours

CONNINFO = f"user={config.SUPERUSER} password={config.PASSWORD}"


def path():
    """The program."""
    return os.path.join(ours.build_folder(), "prober", "ctl", "patroutectl")


def run(lab, host, *words, conf=ours.CONF):
    """(exit status, what it said, what it complained of)."""
    done = lab.exec(host, ["env", "LC_ALL=C.UTF-8", path(), "-c", conf,
                           *words], check=False)
    return done.returncode, done.stdout, done.stderr


def ask(lab, host, *words, rc=0):
    """The document that --json gives."""
    got, out, err = run(lab, host, *words, "--json")
    assert got == rc, (words, got, out, err)
    return json.loads(out)


def cluster(lab, host):
    """That host's view of the cluster."""
    return ask(lab, host, "status")["clusters"][0]


def cluster_why(lab, host):
    """Why the writes go where they go there, or nowhere."""
    _, out, _ = run(lab, host, "status", "--json")
    return json.loads(out)["clusters"][0]["why"]
