"""The real daemon for the tests of the Python client. Everything waits for events."""
import json
import os
import socketserver
import struct
import sys
import threading

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "client", "python", "src"), os.path.join(ROOT, "tests", "lib")]

import millrace  # noqa: E402
from millraced import DEADLINE_S, Connection, Daemon  # noqa: E402,F401

CHANNELS = (("jobs", "bounded", 8), ("meet", "unbuffered", None), ("lossy", "dropping", 1), ("latest", "sliding", 1), ("leader", "promise", None))


def url_of(daemon):
    return f"tcp://127.0.0.1:{daemon.port}"


def books_balance(row):
    came = row["accepted"] + row["returned"] + row.get("recovered", 0)
    return came == row["taken"] + row["buffered"] + row["leased"] + row["evicted"] + row["dead_lettered"] + row["discarded"]


def wait_until(connection, channel, **wanted):
    """Asks the daemon until the channel's row is so; each asking is an answer to wait for."""
    while True:
        row = connection.ask(id=1, op="stat", channel=channel)
        if all(row.get(key) == value for key, value in wanted.items()):
            return row


def frame(body):
    return struct.pack(">I", len(body)) + body


class StandIn:
    """What stands in for a daemon, for as long as the test runs: it says hello, and answers each other request with what `answer` makes of
    it: a reply without its id, or the bytes to send (none: that ends the connection), or None: nothing. `context`: by TLS."""

    def __init__(self, test, answer, hello=None, context=None):
        stand_in = self
        self.asked, self.ended = [], threading.Event()  # each op, but for hello; a connection has ended

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    self.answer()
                finally:
                    stand_in.ended.set()

            def answer(self):
                wire = context.wrap_socket(self.request, server_side=True) if context else self.request
                with wire, wire.makefile("rb") as stream:
                    while len(header := stream.read(4)) == 4:
                        sent = stand_in.reply(json.loads(stream.read(*struct.unpack(">I", header))), answer, hello)
                        if sent == b"":
                            return
                        wire.sendall(sent or b"")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # the client has gone

        server = Server(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        test.addCleanup(server.server_close)
        test.addCleanup(server.shutdown)

    def reply(self, request, answer, hello):
        if request["op"] == "hello":
            reply = hello or {"status": "ok", "features": ["cluster", "once"], "max_frame_bytes": 65536}
        else:
            self.asked.append(request["op"])
            reply = answer(request)
        return reply if reply is None or isinstance(reply, bytes) else frame(json.dumps({"id": request["id"], **reply}).encode())
