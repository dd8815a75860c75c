#!/usr/bin/env python3
"""Nor does what has to be looked at make a turn long: names by globs and by a user's many patterns, channels by scrapes and events, values by the pointers of taps. Measured as in test_turns.py."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import turns  # noqa: E402
from millraced import IS_SANITIZED, Connection, raise_open_files  # noqa: E402
from secure import make_token  # noqa: E402
from users import RIGHTS, Files, lines_of  # noqa: E402
from web import Web  # noqa: E402

CHANNELS = 1_000
REPLY_CHANNELS = 100_000
TAPS, POINTERS = 64, 32  # the most that there may be
VALUE_BYTES = 900_000
PATTERNS = 900
ALTS = 150  # of 64 arms
LOGINS = min(6_000, raise_open_files(10_000) - 200)


class Turns(turns.Turns):
    longest_s = 0.02 * (20 if IS_SANITIZED else 1)


class Anybody(Turns):
    def setUp(self):
        self.start()

    def test_globs_that_take_long(self):
        self.pipeline(self.a, [{"op": "create", "channel": f"{'a' * 123}{i:05}", "kind": "promise"} for i in range(CHANNELS)])
        for glob in ("*" + "[a]" * 80 + "b", "*" + "[" * 255, "*[" + "bcdefghijklmnopqrstuvwxyz" * 9 + "]", "*" + "a" * 120 + "b5", "*a" * 120 + "*b"):
            reply, n = {"more": True, "next": ""}, 0
            while reply["more"]:
                reply = self.a.ask(id=1, op="list", match=glob, **({"after": reply["next"]} if reply["next"] else {}))
                self.assertEqual(reply["channels"], [])
                n += 1
            self.assertLess(n, CHANNELS)
        self.check("globs")

    def test_pointers_that_are_looked_for_everywhere(self):
        """By all taps that a channel may have, in values that are made for it."""
        kinds = [
            (lambda i: f"/z{chr(64 + i)}", b'{', b'"zz":2,', b'"":0}'),
            (lambda i: "/" * (i + 1), b'{', b'"":2,', b'"":0}'),
            (lambda i: f"/k{chr(64 + i)}", b'{', b'"\\u006b1":2,', b'"":0}'),
            (lambda i: f"/k/{i}", b'{', b'"k":[0,0],', b'"":0}'),
            (lambda i: f"/{i * 1000}/x", b'[', b'1,', b'0]'),
        ]
        self.a.ask(id=1, op="create", channel="carried", kind="sliding", capacity=1)
        for n, (pointer, opening, part, ending) in enumerate(kinds):
            source = f"s{n}"
            self.a.ask(id=1, op="create", channel=source, kind="bounded", capacity=1)
            self.pipeline(self.a, [{"op": "tap", "from": source, "kind": "dropping", "capacity": 1, "match": {pointer(i): 1 for i in range(POINTERS)}}] * TAPS)
            body = b'{"id":1,"op":"put","channel":"%s","value":%s%s%s}' % (source.encode(), opening, part * (VALUE_BYTES // len(part)), ending)
            self.a.socket.sendall(len(body).to_bytes(4, "big") + body)
            self.assertEqual(self.a.receive()["status"], "ok")
            while self.a.ask(id=1, op="stat", channel=source)["leased"]:
                pass
            self.check(pointer(1))

    def test_others_reply_channels(self):
        """They are not scraped; who listens to events is told when they go, however many go at once."""
        self.pipeline(self.a, [{"op": "create", "kind": "bounded", "capacity": 1, "ephemeral": True}] * REPLY_CHANNELS)
        self.assertNotIn(b"_r.", self.ask_http("/metrics").body)
        self.check("a scrape")
        with Web(self.daemon) as events:
            events.send("GET", "/api/v1/events")
            events.receive_head()
            while b"synced" not in events.receive_chunk():
                pass
            self.a.close()
            gone = 0
            while gone < REPLY_CHANNELS:
                chunk = events.receive_chunk()
                gone += chunk.count(b'"_r.') if chunk.startswith(b"event: gone") else 0
        self.check("what is gone")


class Users(Turns):
    """One who may do everything, and one with very many patterns, of which all have to be tried."""

    def setUp(self):
        self.files = Files()
        self.addCleanup(self.files.remove)
        self.tokens = [make_token() for _ in range(2)]
        self.admin, self.user = (token for token, _ in self.tokens)
        self.patterns = json.dumps([f"*x{i:03}*a" for i in range(PATTERNS)] + ["seen"])
        self.start("-c", self.files.write(self.users(self.patterns)))
        for connection, token in ((self.a, self.admin), (self.b, self.user)):
            self.assertEqual(connection.ask(id=1, op="hello", protocol=1, token=token)["status"], "ok")
        self.names = [f"{i:04}." + "a" * 100 for i in range(CHANNELS)] + ["seen"]
        self.pipeline(self.a, [{"op": "create", "channel": name, "kind": "bounded", "capacity": 1} for name in self.names])

    def users(self, patterns, **others):
        return lines_of({name: {"token": token, **dict.fromkeys(RIGHTS, allowed), **others}
                         for name, (_, token), allowed, others in zip(("admin", "user"), self.tokens, ('["*"]', patterns), ({}, others))})

    def test_rows(self):
        self.pipeline(self.a, [{"op": "tap", "from": self.names[i], "to": self.names[i + 1], "state": "pause"} for i in range(CHANNELS)])
        for op in ("list", "taps"):
            reply = self.b.ask(id=1, op=op)
            self.assertTrue(reply["more"], reply)
        self.check("list and taps", self.admin)

    def test_arms_of_waiters(self):
        arms = [{"take": name} for name in ["seen"] + self.names[:63]]
        for i in range(100):
            self.a.send(id=i + 2, op="alts", arms=arms)
        self.assertEqual(self.a.ask(id=1, op="ping")["status"], "ok")
        self.assertGreater(len(self.b.ask(id=1, op="waiters")["waiters"]), 0)
        self.check("waiters", self.admin)

    def test_rights_that_are_withdrawn(self):
        self.files.reload(self.daemon, self.users('["*"]'))
        for i in range(ALTS):
            arms = [{"take": name} for name in self.names[i % 15 * 64:][:64]]
            self.b.send(id=i, op="alts", arms=arms)
        self.assertEqual(self.b.ask(id=ALTS, op="ping")["status"], "ok")
        self.files.reload(self.daemon, self.users(self.patterns))
        self.assertEqual({self.b.receive()["error"] for _ in range(ALTS)}, {"denied"})
        self.check("rights are withdrawn", self.admin)

    def test_subscriptions_that_may_stay(self):
        """To see that, all patterns of the other rights are tried, too."""
        self.files.reload(self.daemon, self.users('["*"]'))
        self.pipeline(self.b, [{"op": "tap", "from": name, "kind": "dropping", "capacity": 1} for name in self.names])
        self.files.reload(self.daemon, self.users(self.patterns, take='["*"]'))
        self.assertEqual(self.b.ask(id=1, op="ping")["status"], "ok")
        self.check("subscriptions stay", self.admin)

    def test_arms_that_may_be_taken(self):
        """Each of them is looked up anew."""
        self.files.reload(self.daemon, self.users(self.patterns, take='["*"]'))
        body = b"".join(self.b.frame({"id": i, "op": "alts", "arms": [{"take": name} for name in self.names[i % 15 * 64:][:64]], "timeout_ms": 0}) for i in range(ALTS))
        self.b.socket.sendall(body)
        self.assertEqual({self.b.receive()["status"] for _ in range(ALTS)}, {"timeout"})
        self.check("alts", self.admin)

    def test_connections_of_a_user_who_is_gone(self):
        peers = [self.enterContext(Connection(self.daemon)) for _ in range(LOGINS)]
        for peer in peers:
            peer.send(id=1, op="hello", protocol=1, token=self.user)
        self.assertEqual({peer.receive()["status"] for peer in peers}, {"ok"})
        text = self.users(self.patterns)
        self.files.reload(self.daemon, text[:text.index("  user:")])
        self.assertEqual({peer.receive()["error"] for peer in peers}, {"unauthenticated"})
        self.check("a user is gone", self.admin)

    def test_scrapes_and_events(self):
        text = self.ask_http("/metrics", self.user).body
        self.assertEqual(set(re.findall(rb'channel="([^"]*)"', text)), {b"seen"})
        with Web(self.daemon) as events:
            events.send("GET", "/api/v1/events", headers={"Authorization": f"Bearer {self.user}"})
            events.receive_head()
            while b"synced" not in events.receive_chunk():
                pass
            self.pipeline(self.a, [{"op": "put", "channel": name, "value": 1} for name in self.names])
            while b'"channel":"seen"' not in events.receive_chunk():
                pass
        self.check("scrapes and events", self.admin)


if __name__ == "__main__":
    unittest.main()
