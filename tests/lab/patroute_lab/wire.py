"""HTTP to the lab's hosts, from within their own namespaces: an answer
is there even while a host is cut off from all others."""

import base64
import http.client
import json
import socket
import urllib.parse

from . import netns
from .errors import LabError


def request(namespace, port, path, body=None, timeout=2.0,
            method="POST", tls=None):
    """(status, text) of a GET, or of a POST (PATCH) if there is a body, with
    the SSLContext `tls` if any.

    OSError and http.client.HTTPException as the standard library has it.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=timeout) \
        if tls is None else http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=timeout, context=tls)
    with netns.inside(namespace):
        connection.connect()
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request(method, path, json.dumps(body),
                               {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def listens(namespace, port):
    """Whether a program there takes connections."""
    try:
        with netns.inside(namespace):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        return True
    except OSError:
        return False


def get_json(namespace, port, path, body=None, timeout=2.0, tls=None):
    """The JSON of an answer, whatever its status; None without one."""
    try:
        return json.loads(request(namespace, port, path, body, timeout,
                                  tls=tls)[1])
    except (OSError, http.client.HTTPException, ValueError, LabError):
        return None


def etcd_healthy(namespace, tls=None):
    """Whether that etcd is part of a quorum."""
    answer = get_json(namespace, 2379, "/health", timeout=1.0, tls=tls)
    return answer is not None and answer.get("health") == "true"


def etcd_get(namespace, api, key, tls=None):
    """(True, value or None) by a linearizable read, (False, None) if that
    etcd gave no answer: it is down, or without quorum."""
    if api == "2":
        path = f"/v2/keys{urllib.parse.quote(key)}?quorum=true"
        answer = get_json(namespace, 2379, path, timeout=1.5, tls=tls)
        if answer is None or answer.get("errorCode", 100) != 100:
            return False, None
        return True, answer.get("node", {}).get("value")
    body = {"key": base64.b64encode(key.encode()).decode()}
    answer = get_json(namespace, 2379, "/v3/kv/range", body, 1.5, tls)
    if answer is None or "header" not in answer:
        return False, None
    pairs = answer.get("kvs")
    if not pairs:
        return True, None
    return True, base64.b64decode(pairs[0].get("value", "")).decode()
