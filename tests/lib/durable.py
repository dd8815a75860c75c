"""The daemon with a journal, and a connection to it that may be cut at any moment."""
import json
import os
import signal
import socket
import struct

from tests.lib.millraced import DEADLINE_S, Daemon, Directory, run


class Wire:
    """A connection that may be cut at any moment: then ConnectionError."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.file = self.socket.makefile("rb")
        self.last_id = 0

    def ask(self, op, **members):
        self.last_id += 1
        body = json.dumps({"id": self.last_id, "op": op, **members}).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        head = self.file.read(4)
        if len(head) < 4:
            raise ConnectionError
        body = self.file.read(struct.unpack(">I", head)[0])
        if not body.endswith(b"}"):
            raise ConnectionError
        return json.loads(body)

    def close(self):
        self.file.close()
        self.socket.close()


class Durable(Directory):
    def setUp(self):
        super().setUp()
        self.journal = self.path("journal")
        self.arguments = ["--set", f"journal.path={self.journal}", "--set", "journal.segment=1MiB", "--set", "journal.max_batch=64KiB"]

    def start(self, *more, http="none", **options):
        daemon = Daemon(*self.arguments, *more, http=http, **options)
        self.addCleanup(daemon.process.stderr.close)
        self.addCleanup(daemon.process.wait)
        self.addCleanup(daemon.process.kill)
        return daemon

    def kill(self, daemon):
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(DEADLINE_S)

    def segments(self):
        return sorted(name for name in os.listdir(self.journal) if name.endswith(".journal"))

    def refused(self, *more):
        result = run("--http", "none", "--listen", "tcp://127.0.0.1:0", *self.arguments, *more)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr
