#!/usr/bin/env python3
"""No op makes a turn of the loop long, by the processor's time that millraced measures itself: each is done at the default limits, by a daemon of its own."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from web import Web  # noqa: E402

# What a turn may take at most, where one step has to be one (SPEC: 20 ms), with room for a machine half as fast and sanitizers off.
LONGEST_S = 0.04
BATCH = 10_000


class Turns(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(Daemon(http="127.0.0.1:0"))
        self.web = Web(self.daemon)
        self.addCleanup(self.web.close)
        self.a, self.b = (self.enterContext(Connection(self.daemon)) for _ in range(2))

    def longest(self):
        text = self.web.ask("GET", "/metrics").body.decode()
        return float(re.search(r'^millrace_turn_longest_seconds\{within="start"\} (\S+)', text, re.M)[1])

    def check(self, what):
        longest = self.longest()
        if os.environ.get("MILLRACE_SHOW"):
            print(f"{what}: {longest * 1000:.1f} ms")
        self.assertLessEqual(longest, LONGEST_S, what)

    def fill(self, values):
        self.a.ask(id=1, op="create", channel="c", kind="bounded", capacity=10_000_000)
        for _ in range(0, values, BATCH):
            self.assertEqual(self.a.ask(id=1, op="put", channel="c", values=[1] * BATCH)["status"], "ok")

    def pipeline(self, connection, n, **members):
        """Many requests in flight, a few hundred at a time."""
        replies = []
        for begin in range(0, n, 500):
            count = min(500, n - begin)
            connection.socket.sendall(b"".join(connection.frame(dict(members, id=i)) for i in range(count)))
            replies += [connection.receive() for _ in range(count)]
        return replies

    def test_batches_and_deletion_of_a_million_values(self):
        self.fill(1_000_000)
        self.check("batches of 10,000 values")
        self.assertEqual(self.b.ask(id=1, op="delete", channel="c", force=True)["discarded"], 1_000_000)
        self.b.ask(id=2, op="ping")
        self.check("delete with 1,000,000 values")

    def test_leases_that_go_with_their_channel_or_their_connection(self):
        self.fill(60_000)
        with Connection(self.daemon) as taker:
            self.pipeline(taker, 50_000, op="take", channel="c", lease_ms=600_000)
            self.check("50,000 takes with a lease")
        while self.b.ask(id=1, op="stat", channel="c")["leased"]:
            pass
        self.check("the end of a connection with 50,000 leases")
        self.pipeline(self.b, 50_000, op="take", channel="c", lease_ms=600_000)
        self.a.ask(id=1, op="delete", channel="c", force=True)
        self.a.ask(id=2, op="ping")
        self.check("delete with 50,000 leases")

    def test_ephemeral_channels_that_go_with_their_connection(self):
        with Connection(self.daemon) as owner:
            self.pipeline(owner, 50_000, op="create", kind="bounded", capacity=1, ephemeral=True)
            self.check("50,000 channels")
        while self.b.ask(id=1, op="list", match="_r.*", limit=1)["channels"]:
            pass
        self.check("the end of a connection with 50,000 ephemeral channels")

    def test_a_page_of_many_channels(self):
        self.pipeline(self.a, 20_000, op="create", kind="bounded", capacity=1, ephemeral=True)
        self.pipeline(self.b, 100, op="list", match="q*")
        self.check("100 lists of 20,000 channels in flight")


if __name__ == "__main__":
    unittest.main()
