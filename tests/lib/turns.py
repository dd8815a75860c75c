"""How long the turns of a daemon's loop take, for tests: by the processor's time that millraced measures itself, since its start."""
import os
import re
import unittest

from millraced import Connection, Daemon
from web import Web


class Turns(unittest.TestCase):
    """Has a daemon of its own for each test, and `longest_s`: what a turn may take at most; None: anything."""

    def start(self, *arguments):
        self.daemon = self.enterContext(Daemon(*arguments, http="127.0.0.1:0"))
        self.a, self.b = (self.enterContext(Connection(self.daemon)) for _ in range(2))

    def ask_http(self, path, token=None):
        with Web(self.daemon) as web:
            return web.ask("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})

    def check(self, what, token=None):
        text = self.ask_http("/metrics", token).body.decode()
        longest = float(re.search(r'^millrace_turn_longest_seconds\{within="start"\} (\S+)', text, re.M)[1])
        if os.environ.get("MILLRACE_SHOW"):
            print(f"{what}: {longest * 1000:.1f} ms")
        if self.longest_s is not None:
            self.assertLessEqual(longest, self.longest_s, what)

    def pipeline(self, connection, requests):
        """All in flight, a few hundred at a time; each has to be done."""
        for begin in range(0, len(requests), 500):
            part = requests[begin:begin + 500]
            connection.socket.sendall(b"".join(connection.frame(dict(members, id=i)) for i, members in enumerate(part)))
            replies = [connection.receive() for _ in part]
            self.assertEqual([reply for reply in replies if reply["status"] != "ok"], [])
