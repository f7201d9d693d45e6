"""How long the opening of etcd's watches may take."""
import contextlib
import time

from sources_etcd import at_once_for, beside, side_by_side
from sources_fake import FakeEtcd

__all__ = ["beside"]  # pytest finds its fixture here


class Slow(FakeEtcd):
    """Says that a watch is there only after so many seconds of its stream."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def stream(self, conn):
        began = time.monotonic()
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for seconds, watch_id in self.after:
            time.sleep(max(0, began + seconds - time.monotonic()))
            self.chunk(conn, b'{"result":{%s,"watch_id":"%d","created":true}}\n'
                       % (self.head().encode(), watch_id))
        conn.recv(1)


@at_once_for(12)
def test_an_opening_may_take_long_while_it_goes_on():
    """Hundreds of watches open in seconds; but for one second without another
    it is left, and it does not go on for ever."""
    fakes = {"goes on": Slow([(0, 1), (1.5, 1), (2.5, 2)]),
             "stops": Slow([(0, 1), (2.7, 2)]),
             "for ever": Slow([(n / 2, 1) for n in range(200)])}
    with contextlib.ExitStack() as stack:
        drivers = side_by_side(fakes, stack)
        drivers["goes on"].alive()
        for what in ("stops", "for ever"):
            seen = [drivers[what].next()["kind"] for _ in range(2)]
            assert seen == ["view", "view"], what
