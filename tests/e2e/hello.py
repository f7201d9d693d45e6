"""
A ClientHello as a client of PostgreSQL 17 begins with (sslnegotiation=direct),
and ways to send it in two segments.
"""

import contextlib
import socket
import ssl
import threading
import time

# Before the server name, which stands behind the session id and the ciphers;
# and long enough for the record's header to be there.
FIRST = 40
PAUSE_S = 0.3


def client_hello(name):
    """The first bytes of a direct TLS connection to that host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    sent = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return sent.read()


def send_in_two(s, data):
    """Two segments, and time between them to be taken for all there is."""
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(data[:FIRST])
    time.sleep(PAUSE_S)
    s.sendall(data[FIRST:])


class Splitter:
    """A port of the loopback, in the network it is made in, that passes one
    connection on to `to`: what comes first in two segments."""

    def __init__(self, to):
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        # In this network, whichever one the thread is in.
        self.far = socket.create_connection(to, 5)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        near, _ = self.listener.accept()
        back = threading.Thread(target=pump, args=(self.far, near),
                                daemon=True)
        back.start()
        send_in_two(self.far, near.recv(65536))
        pump(near, self.far)
        back.join()
        near.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(10)
        for s in (self.listener, self.far):
            s.close()


def pump(source, sink):
    """Until the end of `source`."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
