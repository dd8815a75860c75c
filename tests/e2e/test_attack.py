#!/usr/bin/env python3
"""Clients gone mad: good, bad and mutated requests, cut anywhere, connections that vanish. The daemon goes on, and its books balance at the end."""
import json
import os
import random
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, Connection, Daemon  # noqa: E402

CHANNELS = "{a: {kind: unbuffered}, b: {kind: bounded, capacity: 3}, c: {kind: dropping, capacity: 2}, d: {kind: sliding, capacity: 2}, e: {kind: promise}}"
ROUNDS = 6000


class Attack(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 32)))
        self.random = random.Random(self.seed)
        self.n_ok = 0

    def value(self):
        return self.random.choice([1, "x", [], {"k": [None, 1.5]}, "\u00e9" * 20, None, -0.0, True])

    def request(self):
        pick = self.random.choice
        channel = pick("abcdefg") if self.random.random() < 0.98 else pick(["", "-x", "n" * 200, 7, None])
        op = pick(["put", "put", "take", "take", "alts", "alts", "create", "close", "delete", "cancel", "peek", "list", "stat", "waiters", "hello", "ping", "ack", "alter", "leases", "move", 3])
        request = {"id": self.random.randrange(50), "op": op, "channel": channel}
        arms = [{"take": pick("abcdef")} if self.random.random() < 0.5 else {"put": pick("abcdef"), "value": self.value()} for _ in range(pick([1, 2, 5]))]
        members = {
            "put": pick([{"value": self.value()}, {"values": [self.value() for _ in range(pick([0, 1, 3, 9]))]}]),
            "take": pick([{}, {"max": pick([1, 3, 1000, 0])}, {"lease_ms": pick([1, 5, 100000]), "sticky": pick([True, False])}]),
            "alter": pick([{"capacity": pick([0, 1, 2, 9])}, {"max_deliveries": pick([0, 1, 2]), "dead_letter": pick([None, "b", "c", channel])}, {"max_waiters": pick([1, 100])}]),
            "move": {"from": channel, "to": pick("abcdef"), "max": pick([1, 3, 10000, 0])},
            "leases": pick([{}, {"after": pick([0, 3, 1 << 50])}]),
            "alts": {"arms": arms, "priority": pick([True, False])},
            "create": {"kind": pick(["bounded", "promise", "none"]), "capacity": pick([0, 1, 5]), "ephemeral": pick([True, False])},
            "delete": {"force": pick([True, False])},
            "cancel": {"request": self.random.randrange(50)},
            "list": {"match": pick(["*", "[a-c]", "\\"])},
            "hello": {"protocol": pick([1, 2])},
        }
        request.update(members.get(op, {}))
        if op in ("alts", "cancel", "list", "hello", "ping"):
            del request["channel"]
        if op == "move":
            del request["channel"]
            if self.random.random() < 0.5:
                del request["to"]
        if op == "put" and self.random.random() < 0.3:
            request.update(producer=pick(["p", "q", "r" * 64, ""]), seq=pick([0, 1, 2, 3, self.random.randrange(2000), (1 << 53) - 1]))
        if op == "put" and self.random.random() < 0.2:
            request["delay_ms"] = pick([0, 1, 3, 100000])
        if op == "put" and self.random.random() < 0.2:
            del request["id"]
        if op in ("put", "take", "alts") and self.random.random() < 0.7:
            request["timeout_ms"] = pick([0, 1, 5, 100000])
        return request

    def bytes(self):
        kind = self.random.random()
        if kind < 0.02:
            return self.random.randbytes(self.random.randrange(40))  # no protocol at all
        body = bytearray(json.dumps(self.request(), ensure_ascii=self.random.random() < 0.5).encode())
        if kind < 0.15:
            for _ in range(self.random.randrange(1, 4)):
                body[self.random.randrange(len(body))] = self.random.randrange(256)
        frame = len(body).to_bytes(4, "big") + body
        return frame[: self.random.randrange(len(frame))] if kind > 0.99 else frame

    def play(self, daemon):
        crowd = []
        for _ in range(ROUNDS):
            if len(crowd) < 8:
                crowd.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=DEADLINE_S))
            client = self.random.choice(crowd)
            try:
                client.sendall(b"".join(self.bytes() for _ in range(self.random.choice([1, 1, 2, 10]))))
                client.setblocking(False)
                received = client.recv(1 << 20)
                self.n_ok += received.count(b'"status":"ok"')
                gone = received == b""
                client.settimeout(DEADLINE_S)
            except BlockingIOError:
                gone = False
                client.settimeout(DEADLINE_S)
            except OSError:
                gone = True
            if gone or self.random.random() < 0.01:
                crowd.remove(client)
                client.close()
        for client in crowd:
            client.close()

    def test_whatever_comes(self):
        print(f"seed {self.seed}", file=sys.stderr)
        with self.subTest(seed=self.seed), Daemon("--set", f"channels={CHANNELS}") as daemon, Connection(daemon) as witness:
            self.play(daemon)
            self.assertEqual(witness.ask(id=1, op="ping")["status"], "ok")
            rows = witness.ask(id=2, op="list")["channels"]
            for row in rows:
                if row["kind"] == "promise":
                    continue
                entered = row["accepted"] + row["returned"]
                left = sum(row[name] for name in ("taken", "buffered", "leased", "evicted", "dead_lettered", "discarded"))
                self.assertEqual(entered, left, row)
            self.assertGreater(self.n_ok, ROUNDS // 10)  # they were not all turned away


if __name__ == "__main__":
    unittest.main()
