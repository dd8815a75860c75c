#!/usr/bin/env python3
"""What a burst of values took goes back to the system once it is drained, and what is needed again and again does not; and no op makes a turn of the loop long."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import IS_SANITIZED, Connection, Daemon  # noqa: E402

BATCH, VALUES, TAKE = 10_000, 1_000_000, 1000
CHANNEL = "channels={c: {kind: bounded, capacity: 2000000}}"


def resident_bytes(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024


def faults(daemon):
    """Pages that it was given since it was started."""
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[7])


def fill(connection, values):
    for _ in range(0, values, BATCH):
        assert connection.ask(id=1, op="put", channel="c", values=[1] * BATCH)["status"] == "ok"


@unittest.skipIf(IS_SANITIZED, "memory says nothing under a sanitizer")
class Memory(unittest.TestCase):
    def test_what_a_burst_took_goes_back(self):
        with Daemon("--set", CHANNEL) as daemon, Connection(daemon) as connection:
            fill(connection, BATCH)
            connection.ask(id=1, op="delete", channel="c", force=True)
            connection.ask(id=1, op="create", channel="c", kind="bounded", capacity=2_000_000)
            before = resident_bytes(daemon)
            fill(connection, VALUES)
            self.assertGreater(resident_bytes(daemon), 5 * before)
            for _ in range(VALUES // TAKE):
                self.assertEqual(len(connection.ask(id=1, op="take", channel="c", max=TAKE)["values"]), TAKE)
            daemon.wait_log("went back to the system")
            self.assertLessEqual(resident_bytes(daemon), 2 * before)

    def test_what_large_values_took_goes_back(self):
        value = "x" * 1_000_000
        with Daemon("--set", CHANNEL) as daemon, Connection(daemon) as connection:
            before = resident_bytes(daemon)
            for _ in range(40):
                self.assertEqual(connection.ask(id=1, op="put", channel="c", value=value)["status"], "ok")
            self.assertGreater(resident_bytes(daemon), 5 * before)
            for _ in range(40):
                self.assertEqual(connection.ask(id=1, op="take", channel="c")["value"], value)
            daemon.wait_log("went back to the system")
            self.assertLessEqual(resident_bytes(daemon), 2 * before)

    def test_the_same_again_needs_no_fresh_pages(self):
        works = {"batches": ({"values": ["x" * 1024] * 200}, {"max": 200}), "large values": ({"value": "x" * 700_000}, {})}
        with Daemon("--set", CHANNEL) as daemon, Connection(daemon) as connection:
            for name, (put, take) in works.items():
                with self.subTest(name):
                    for again in range(2):
                        before = faults(daemon)
                        for _ in range(20):
                            connection.ask(id=1, op="put", channel="c", **put)
                            connection.ask(id=2, op="take", channel="c", **take)
                    self.assertLess(faults(daemon) - before, 300)  # a page now and then: how the bytes come in differs


if __name__ == "__main__":
    unittest.main()
