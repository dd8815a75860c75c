"""The daemon with a journal, and a connection to it that may be cut at any moment."""
import json
import os
import shutil
import signal
import struct

from tests.lib.millraced import DEADLINE_S, Connection, Daemon, Directory, run


class Wire(Connection):
    """A connection that may be cut at any moment: then ConnectionError. Requests get their ids by themselves."""

    last_id = 0

    def receive(self):
        head = self.stream.read(4)
        body = self.stream.read(*struct.unpack(">I", head)) if len(head) == 4 else b""
        if not body.endswith(b"}"):
            raise ConnectionError
        return json.loads(body)

    def ask(self, op, **members):
        self.last_id += 1
        return super().ask(id=self.last_id, op=op, **members)


class Durable(Directory):
    def setUp(self):
        super().setUp()
        self.journal = self.path("journal")
        self.arguments = ["--set", f"journal.path={self.journal}", "--set", "journal.segment=1MiB", "--set", "journal.max_batch=64KiB"]

    def start(self, *more, http="none", **options):
        daemon = Daemon(*self.arguments, *more, http=http, **options)
        self.addCleanup(shutil.rmtree, daemon.directory, ignore_errors=True)
        self.addCleanup(daemon.process.stderr.close)
        self.addCleanup(daemon.process.wait)
        self.addCleanup(daemon.process.kill)
        return daemon

    def kill(self, daemon):
        daemon.kill(signal.SIGKILL)
        daemon.process.wait(DEADLINE_S)

    def segments(self):
        return sorted(name for name in os.listdir(self.journal) if name.endswith(".journal"))

    def refused(self, *more):
        result = run("--http", "none", "--listen", "tcp://127.0.0.1:0", *self.arguments, *more)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr
