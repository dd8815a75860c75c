#!/usr/bin/env python3
"""Large values make no turn of the loop long, by the processor's time that millraced measures itself, neither where they come in nor where they go out."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import IS_SANITIZED, Connection  # noqa: E402
from turns import Turns  # noqa: E402

MIB = 1 << 20
VALUE_BYTES = 15 * MIB


class LargeTurns(Turns):
    longest_s = None if IS_SANITIZED else 0.01  # SPEC: 5 ms, with room for a machine half as fast

    def setUp(self):
        self.start("--set", "limits.max_frame=16777215")
        for name, kind in (("c", {"kind": "bounded", "capacity": 20}), ("p", {"kind": "promise"})):
            self.assertEqual(self.a.ask(id=1, op="create", channel=name, **kind)["status"], "ok")
        self.touch_memory()

    def touch_memory(self):
        """What the system gives for the first time comes page by page, which is none of the daemon's work: values of 1 MiB, a turn each, let it come before."""
        for _ in range(17):
            self.put("c", "w" * MIB)
        for _ in range(17):
            self.take(self.b, "c")

    def put(self, channel, value):
        self.assertEqual(self.a.ask(id=1, op="put", channel=channel, value=value)["status"], "ok")

    def take(self, connection, channel, **members):
        return connection.ask(id=1, op="take", channel=channel, **members)["value"]

    def test_a_value_that_is_put_and_taken(self):
        value = "v" * VALUE_BYTES
        for members in ({}, {"lease_ms": 60_000}):
            self.put("c", value)
            self.check("a put of 15 MiB")
            self.assertEqual(self.take(self.b, "c", **members), value)
            self.check("a take of 15 MiB")

    def test_a_promise_that_many_take(self):
        value = "v" * (4 * MIB)
        self.put("p", value)
        takers = [self.enterContext(Connection(self.daemon)) for _ in range(8)]
        for taker in takers:
            taker.send(id=1, op="take", channel="p")
        for taker in takers:
            self.assertEqual(taker.receive()["value"], value)
        self.check("8 takes of a promise of 4 MiB")


if __name__ == "__main__":
    unittest.main()
