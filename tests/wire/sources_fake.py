"""A scripted etcd: bytes that a real one never sends, or not on demand."""
import base64
import json

from sources_lib import Peer, read_request, reply

PREFIX = "/service/main/"
LEADER = PREFIX + "leader"

HEAD = '"header":{"cluster_id":"7","member_id":"1","revision":"%d"}'
READ_OPS = 9  # of a whole read; a look has two, a heartbeat likewise


def b64(text):
    return base64.b64encode(text.encode()).decode()


def kv(value, revision, key=LEADER):
    return {"key": b64(key), "create_revision": "2",
            "mod_revision": str(revision), "version": str(revision - 1),
            "value": b64(value)}


class FakeEtcd:
    """Answers reads, looks and heartbeats from its keys; the watch is a list
    of byte strings."""

    def __init__(self, watch=(), then=None, ranges=None, version="3.4.23"):
        self.watch, self.then, self.ranges = list(watch), then, ranges
        self.revision, self.leader, self.cluster = 5, "node1", 7
        self.more = []  # keys beside the leader's
        self.version, self.root = version, "/v3"
        self.watches, self.reads, self.asked = [], 0, []
        self.peer = Peer(self.handle, parallel=True)
        self.endpoint = f"127.0.0.1:{self.peer.port}"

    def head(self):
        return HEAD.replace('"7"', f'"{self.cluster}"') % self.revision

    def range(self, ask):
        first = base64.b64decode(ask["key"])
        last = base64.b64decode(ask.get("range_end", "")) or first + b"\0"
        keys = [k for k in [kv(self.leader, self.revision), *self.more]
                if first <= base64.b64decode(k["key"]) < last]
        keys.sort(key=lambda k: -int(k["mod_revision"]))
        got = {"count": str(len(keys))} if keys else {}
        if keys and not ask.get("count_only"):
            got["kvs"] = keys[:int(ask.get("limit", 99))]
        return got

    def txn(self, body):
        ops = [op["request_range"] for op in json.loads(body)["success"]]
        if len(ops) == READ_OPS:
            self.reads += 1
            if self.ranges:
                return self.ranges
        return b'{%s,"succeeded":true,"responses":%s}' % (
            self.head().encode(), json.dumps(
                [{"response_range": self.range(op)} for op in ops]).encode())

    def answer(self, line, body):
        """(status, body) of one request."""
        if line.startswith("GET /version"):
            return 200, json.dumps({"etcdserver": self.version}).encode()
        if f" {self.root}/kv/txn" in line:
            return 200, self.txn(body)
        return 404, b"404 page not found"

    def handle(self, _, conn):
        while True:
            got = read_request(conn)
            if got is None:
                return
            line, body = got
            self.asked.append(line)
            if f" {self.root}/watch" in line:
                self.watches.append([
                    json.loads(each)["create_request"]
                    for each in body.splitlines()])
                self.stream(conn)
                return
            status, answer = self.answer(line, body)
            conn.sendall(reply(answer, f"{status} Said"))

    def chunk(self, conn, data):
        conn.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for each in self.watches[-1]:
            self.chunk(conn, b'{"result":{%s,"watch_id":"%s","created":true}}\n'
                       % (self.head().encode(), each["watch_id"].encode()))
        for piece in self.watch:
            self.chunk(conn, piece)
        if self.then:
            self.then(self, conn)
        elif not self.watch:
            conn.recv(1)

    def __enter__(self):
        self.peer.__enter__()
        return self

    def __exit__(self, *a):
        self.peer.__exit__(*a)


def event(*kvs):
    return ('{"result":{%s,"watch_id":"2","events":%s}}\n' % (
        HEAD % 6, json.dumps([{"kv": k} for k in kvs]))).encode()


STREAM_ENDS = {
    "error": b'{"error":{"grpc_code":14,"http_code":503,"message":'
             b'"etcdserver: no leader","http_status":"Service Unavailable"}}',
    "canceled": b'{"result":{%s,"watch_id":"1","canceled":true,'
                b'"cancel_reason":"\\u001b[31mred"}}\n' % (HEAD % 5).encode(),
    "compacted": b'{"result":{%s,"watch_id":"1","canceled":true,'
                 b'"compact_revision":"9"}}\n' % (HEAD % 5).encode(),
    "truncated": b'{"result":{"header":{"cluster_id"\n',
    "nul": b'{"result":{\x00}}\n',
    "deep": b"[" * 100_000 + b"\n",
    "base64": event({"key": "%%%", "mod_revision": "6", "value": "eA=="}),
    "html": b"<html><body>502 Bad Gateway</body></html>\n",
    "long line": b"x" * 300_000,
}
