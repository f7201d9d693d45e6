"""
A fourth member that HAProxy's file does not name: it leaves, and joins by a
real pg_basebackup of Patroni's. A lab of its own, by hand: a member counts as
gone 30 s after its key, and that lives for 30 s after its Patroni.
"""

import time

import path
import pytest
from patroute_lab import LabError, config
from sessions import session
from test_verdicts_labs import own_lab
from verdicts import HAP, name_of

pytestmark = pytest.mark.slow

NEW = "node4"
FIT_S = 2.0                     # from fit to the first session


def places(lab):
    """Where HAProxy has it: {backend: status}."""
    name = lab.host(NEW).name
    return {s["backend"]: s["status"]
            for s in path.topology(lab, HAP)["haproxy"]["servers"]
            if s["server"] == name}


def is_replica(lab):
    """Patroni's own word, as the classic way would have it."""
    try:
        return lab.rest(NEW, "/replica", method="GET")[0] == 200
    except (OSError, LabError):
        return False


def is_met(lab):
    """Does a round of new connections to 5001 reach it?"""
    for _ in range(6):
        kept = session(lab, lab.host(HAP).address, 5001)
        with kept, kept.cursor() as cursor:
            cursor.execute("SELECT inet_server_addr()")
            found = cursor.fetchone()[0]
        kept.close()
        if found == lab.host(NEW).address:
            return True
    return False


def test_a_fourth_member_leaves_and_joins(wait_until):
    """Without a reload: who was drained is gone, who is fit is read."""
    with own_lab("members=4", "in_haproxy=3") as (lab, _):
        pid = path.topology(lab, HAP)["haproxy"]["pid"]
        wait_until("found at the start", 20, lambda: len(places(lab)) == 6)
        assert name_of(lab, NEW)
        began = time.monotonic()
        lab.stop_patroni(NEW)
        wait_until("gone", 90, lambda: not places(lab))
        print("gone after", round(time.monotonic() - began, 1))
        lab.exec(NEW, ["rm", "-rf", config.PG_DATA])
        lab.start(NEW)
        wait_until("fit", 90, lambda: is_replica(lab))
        fit = time.monotonic()
        wait_until("read", 10, lambda: is_met(lab))
        took = time.monotonic() - fit
        print("read after", round(took, 3))
        wait_until("the third way has it, too", 10, lambda: places(lab)[
            "main_classic_read"].startswith("UP"))
        assert took < FIT_S
        assert path.topology(lab, HAP)["haproxy"]["pid"] == pid
