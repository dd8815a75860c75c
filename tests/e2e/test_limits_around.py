#!/usr/bin/env python3
"""Every limit, by a user who has no right at all: nobody gets round it, and everybody else goes on.

Such a user may create reply channels, use them, and put to those of others. Each limit of config/limits.h has a test here, or ELSEWHERE says where: one that is added without fails."""
import os
import re
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from secure import make_token  # noqa: E402
from web import JSON, Web  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KIB = 1024
FOR_EVER = 100_000_000  # a time-out, in ms

ELSEWHERE = {
    "max_frame": "test_users.py: test_a_strangers_frame_is_small",
    "max_buffers": "test_users_limits.py: test_strangers_go_first_when_the_buffers_are_full",
    "max_login_ms": "test_users_limits.py: test_late_for_hello",
    "tcp_timeout_ms": "test_limits.py: test_tcp_timeout_ms_ends_who_has_no_room",
}
ELSEWHERE_OF_A_USER = {
    "max_connections": "test_users_limits.py: test_limits_of_a_user",
    "max_requests_per_s": "test_users_limits.py: test_a_users_rate",
}


class Around(unittest.TestCase):
    def start(self, limits, least="", channels=""):
        """The daemon, with these limits; `least` are those of the user."""
        (self.token, hash_), (self.boss_token, boss_hash) = make_token(), make_token()
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".yaml"))
        file.write(f"limits: {{{limits}}}\nchannels: {{{channels}}}\nusers:\n  least: {{token: {hash_}{least}}}\n"
                   f"  boss: {{token: {boss_hash}, put: '*', take: '*', manage: '*', observe: '*'}}\n")
        file.flush()
        arguments = () if "grace_ms" not in limits else ("--set", limits.replace("grace_ms: ", "limits.grace_ms="))
        self.daemon = self.enterContext(Daemon("-c", file.name, *arguments, http="127.0.0.1:0"))
        self.boss = self.connect(self.boss_token)

    def connect(self, token=None):
        connection = self.enterContext(Connection(self.daemon))
        self.assertEqual(connection.ask(id=0, op="hello", protocol=1, token=token or self.token)["status"], "ok")
        return connection

    def web(self, token=None):
        web = self.enterContext(Web(self.daemon))
        web.headers = {**JSON, "Authorization": f"Bearer {token or self.token}"}
        return web

    def reply_channel(self, connection, kind="bounded", capacity=1000, **members):
        capacity = {} if kind in ("unbuffered", "promise") else {"capacity": capacity}
        reply = connection.ask(id=0, op="create", ephemeral=True, kind=kind, **capacity, **members)
        self.assertEqual(reply["status"], "ok", reply)
        return reply["channel"]

    def refused(self, reply, code, words=""):
        self.assertEqual((reply["status"], reply.get("error")), ("error", code), reply)
        self.assertIn(words, reply["message"])

    def until_refused(self, connection, most, first=1, **members):
        """Pipelines this request until one is refused, and cancels nothing; how many were not, and the refusal. The others park."""
        for i in range(first, first + most):
            connection.send(dict(members, id=i))
        connection.send({"id": first + most, "op": "ping"})
        refusals = []
        while (reply := connection.receive())["id"] != first + most:
            refusals.append(reply)
        self.assertGreater(len(refusals), 0, "nothing was refused")
        return most - len(refusals), refusals[0]

    def others_go_on(self):
        """Who has rights is served: what the user has used up was its own."""
        self.assertEqual(self.boss.ask(id=1, op="ping")["status"], "ok")

    # -- Connections --

    def test_max_connections(self):
        self.start("max_connections: 4")
        self.connect()
        strangers = [self.enterContext(Connection(self.daemon)) for _ in range(2)]  # who have not said who they are count too
        with Connection(self.daemon) as more:
            self.refused(more.receive(), "overloaded", "max_connections")
        for stranger in strangers:
            stranger.socket.sendall(b"\0\0")
        with Connection(self.daemon) as more:
            self.refused(more.receive(), "overloaded", "max_connections")
        self.others_go_on()

    def test_max_http_connections(self):
        self.start("max_http_connections: 2")
        webs = [self.web(), self.enterContext(Web(self.daemon))]
        webs[1].send_raw("GET /he")  # a request that never comes whole
        more = self.enterContext(Web(self.daemon))
        self.assertEqual(more.receive().code, 503)
        self.assertEqual(webs[0].ask("GET", "/healthz", headers={}).code, 200)
        self.others_go_on()

    def test_max_idle_ms(self):
        self.start("max_idle_ms: 100ms")
        idle = self.connect()
        own = self.reply_channel(idle)
        idle.ask(id=1, op="put", channel=own, value=1)
        self.assertEqual(idle.ask(id=2, op="take", channel=own, lease_ms=FOR_EVER, sticky=True)["status"], "ok")  # which would outlive it
        self.refused(idle.receive(), "overloaded", "max_idle_ms")
        self.assertIsNone(idle.receive())

    def test_grace_ms(self):
        self.start("grace_ms: 100ms")
        least = self.connect()
        own = self.reply_channel(least)
        least.ask(id=1, op="put", channel=own, value=1)
        lease = least.ask(id=2, op="take", channel=own, lease_ms=FOR_EVER)["lease"]
        least.send(id=3, op="take", channel=own)
        self.daemon.kill(signal.SIGTERM)
        self.assertEqual(least.ask(id=4, op="extend", lease=lease, lease_ms=FOR_EVER)["status"], "ok")
        self.refused(least.receive(), "draining")
        self.assertEqual(self.daemon.process.wait(30), 3)

    # -- What is parked --

    def test_max_inflight(self):
        self.start("max_inflight: 3")
        for request in ({"op": "take"}, {"op": "take", "count": 1000}, {"op": "take", "lease_ms": 1000, "sticky": True}, {"op": "alts"}):
            least = self.connect()
            own = self.reply_channel(least, "unbuffered")
            about = {"arms": [{"take": own}] * 64} if request["op"] == "alts" else {"channel": own}
            n, refusal = self.until_refused(least, 9, **request, **about)
            self.assertEqual(n, 3, request)
            self.refused(refusal, "too_many_inflight")
        least = self.connect()
        own = self.reply_channel(least, "unbuffered")
        for _ in range(4):  # those without an id count too
            least.send(op="put", channel=own, value=1)
        self.refused(least.receive(), "too_many_inflight")
        self.assertEqual(least.ask(id=5, op="take", channel=own, max=9)["values"], [1] * 3)

    def test_max_inflight_of_a_user(self):
        self.start("", least=", max_inflight: 3")
        connections = [self.connect() for _ in range(3)]
        own = self.reply_channel(connections[0], "unbuffered")
        for connection in connections:
            connection.send(id=1, op="put", channel=own, value=1)
        self.assertEqual(connections[2].ask(id=2, op="ping")["status"], "ok")
        self.refused(self.connect().ask(id=1, op="put", channel=own, value=1), "too_many_inflight")
        web = self.web()
        self.assertEqual(web.ask("POST", f"/api/v1/channels/{own}/values", 1, web.headers).json()["error"], "too_many_inflight")

    def test_max_waiters(self):
        self.start("max_waiters: 5")
        victim = self.connect(self.boss_token)
        its = self.reply_channel(victim, "unbuffered")
        least = self.connect()
        n, refusal = self.until_refused(least, 9, op="alts", arms=[{"put": its, "value": 1}] * 2)
        self.assertEqual(n, 2)
        self.refused(refusal, "too_many_waiters")
        bounded = self.reply_channel(victim, capacity=1)
        least.ask(id=50, op="put", channel=bounded, value=1)
        n, refusal = self.until_refused(least, 9, first=100, op="put", channel=bounded, values=[1, 2], delay_ms=FOR_EVER)
        self.assertEqual(n, 5)
        self.refused(refusal, "too_many_waiters")
        self.assertEqual(victim.ask(id=9, op="take", channel=its)["value"], 1)

    def test_max_parked(self):
        self.start("max_parked: 128KiB", channels="c: {kind: bounded, capacity: 9}")
        least = self.connect()
        own = self.reply_channel(least, "unbuffered")
        n, refusal = self.until_refused(least, 100, op="alts", arms=[{"take": own}] * 64)
        self.assertTrue(40 <= n <= 64, n)
        self.refused(refusal, "overloaded", "max_parked")
        full = self.reply_channel(least)
        for _ in range(500):  # what is small still fits, and then nothing does
            if (reply := least.ask(id=200, op="put", channel=full, value=1, delay_ms=FOR_EVER))["status"] != "ok":
                break
        self.refused(reply, "overloaded", "max_parked")
        self.assertEqual(least.ask(id=201, op="put", channel=full, value=1)["status"], "ok")
        self.refused(least.ask(id=202, op="take", channel=full, lease_ms=1000, sticky=True), "overloaded", "max_parked")
        web = self.web()
        self.assertEqual(web.ask("POST", f"/api/v1/channels/{own}/take", {}, web.headers).code, 503)
        self.assertEqual(self.boss.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
        self.assertEqual(self.boss.ask(id=3, op="take", channel="c")["value"], 1)
        taps = {"op": "tap", "from": self.reply_channel(least)}  # as does what they match
        pointer = {"/" * 1000: 1}
        for tap in ({"kind": "sliding", "capacity": 1}, {"to": self.reply_channel(least)}):
            self.refused(least.ask(id=203, **taps, **tap, match=pointer), "overloaded", "max_parked")
            self.assertEqual(least.ask(id=204, **taps, **tap)["status"], "ok")
        self.refused(least.ask(id=205, **taps, **tap, match=pointer), "overloaded", "max_parked")
        least.close()
        while self.boss.ask(id=4, op="put", channel="c", value=1, delay_ms=1)["status"] != "ok":
            pass  # until its end is seen

    def test_max_park_ms(self):
        self.start("max_park_ms: 50ms")
        least = self.connect()
        own = self.reply_channel(least, "unbuffered")
        full = self.reply_channel(least, capacity=1)
        least.ask(id=1, op="put", channel=full, value=1)
        for request in ({"op": "take", "channel": own}, {"op": "take", "channel": own, "timeout_ms": FOR_EVER}, {"op": "take", "channel": own, "count": 9},
                        {"op": "alts", "arms": [{"take": own}], "timeout_ms": FOR_EVER}, {"op": "put", "channel": own, "value": 1},
                        {"op": "put", "channel": full, "value": 1, "delay_ms": 1}, {"op": "put", "channel": full, "value": 1, "producer": "p", "seq": 1}):
            self.assertEqual(least.ask(id=2, **request)["status"], "timeout", request)
        least.send(op="put", channel=own, value=1)
        self.assertEqual(least.receive()["status"], "timeout")
        least.send(id=3, op="take", channel=own, count=1000, timeout_ms=FOR_EVER)  # values do not make it longer
        other = self.connect()
        while (reply := other.ask(id=1, op="put", channel=own, value=1, timeout_ms=0))["status"] == "ok":
            pass
        self.assertEqual(reply["status"], "timeout")

    # -- Channels and taps --

    def create_until_refused(self, most, *connections):
        created = 0
        for i in range(2 * most):
            reply = connections[i % len(connections)].ask(id=i + 1, op="create", ephemeral=True, kind="promise")
            if reply["status"] != "ok":
                return created, reply
            created += 1
        self.fail(f"{created} channels, and no end")

    def test_max_channels(self):
        self.start("max_channels: 20", channels="c: {kind: bounded, capacity: 9}")
        least, other = self.connect(), self.connect()
        created, refusal = self.create_until_refused(20, least, other)
        self.assertEqual(created, 19)
        self.refused(refusal, "overloaded")
        self.assertEqual(self.boss.ask(id=1, op="put", channel="c", value=1)["status"], "ok")

    def test_max_channels_of_a_user(self):
        self.start("max_channels: 200", least=", max_channels: 7")
        created, refusal = self.create_until_refused(20, self.connect(), self.connect(), self.connect())
        self.assertEqual(created, 7)
        self.refused(refusal, "overloaded", "max_channels of this user")
        self.assertEqual(self.boss.ask(id=1, op="create", channel="c", kind="promise")["status"], "ok")

    def test_max_taps(self):
        self.start("max_taps: 5")
        least = self.connect()
        names = [self.reply_channel(least) for _ in range(8)]
        replies = [least.ask(id=i, op="tap", **{"from": names[0], "to": name}) for i, name in enumerate(names[1:])]
        self.assertEqual([reply["status"] for reply in replies[:5]], ["ok"] * 5, replies)
        self.refused(replies[5], "overloaded", "max_taps")
        self.assertEqual(least.ask(id=20, op="tap", **{"from": names[0], "to": names[1]})["status"], "ok")  # it is there
        self.others_go_on()

    # -- Memory --

    def put_until_refused(self, connection, **members):
        for n in range(100_000):
            reply = connection.ask(id=1, op="put", timeout_ms=0, **members)
            if reply["status"] != "ok":
                self.refused(reply, "overloaded")
                return n
        self.fail("there is no end of what may be put")

    def test_max_memory(self):
        """1 MiB: of the smallest values in batches, of those that wait for their time, of what taps copy, and of what is remembered of producers."""
        least_value = 64 + 1
        for way, kind, members in (("small", "bounded", {"values": [1] * 1000}), ("delayed", "bounded", {"values": [1] * 1000, "delay_ms": FOR_EVER}),
                                   ("large", "bounded", {"value": "x" * 100 * KIB})):
            with self.subTest(way):
                self.start("max_memory: 1MiB")
                least = self.connect()
                own = self.reply_channel(least, kind, capacity=1_000_000)
                n = self.put_until_refused(least, channel=own, **members)
                self.assertEqual(n, KIB * KIB // (least_value * 1000 if way != "large" else 100 * KIB + 66))
                self.assertEqual(least.ask(id=2, op="alts", arms=[{"put": own, "value": "x" * 90 * KIB}])["error"], "overloaded")
                self.others_go_on()

    def test_max_memory_counts_what_taps_copy(self):
        self.start("max_memory: 1MiB")
        least = self.connect()
        names = [self.reply_channel(least, capacity=1_000_000) for _ in range(65)]
        for i, name in enumerate(names[1:]):
            least.ask(id=i, op="tap", **{"from": names[0], "to": name})
        self.assertLess(self.put_until_refused(least, channel=names[0], value=1), KIB * KIB // (64 * 64) + 1)

    def test_max_producers(self):
        self.start("max_memory: 2MiB, max_producers: 50")
        least = self.connect()
        own = self.reply_channel(least, "sliding", 1)
        for i in range(200):
            self.assertEqual(least.ask(id=1, op="put", channel=own, value=1, producer=f"p{i}", seq=0)["status"], "ok")
        web = self.web(self.boss_token)
        text = web.ask("GET", "/metrics", headers=web.headers).body.decode()
        self.assertEqual(re.search(r"^millrace_producers (\d+)", text, re.M)[1], "50")
        for seq in range(0, 2000):  # windows stop growing, and they count
            least.send(op="put", channel=own, value=1, producer="p", seq=seq)
        self.assertEqual(least.ask(id=2, op="put", channel=own, value=1, producer="p", seq=0)["error"], "stale_producer")

    def test_producer_ttl(self):
        self.start("producer_ttl: 1s")
        least = self.connect()
        own = self.reply_channel(least)
        least.ask(id=1, op="put", channel=own, value=1, producer="p", seq=0)
        web = self.web(self.boss_token)

        def remembered():
            text = web.ask("GET", "/metrics", headers=web.headers).body.decode()
            return int(re.search(r"^millrace_producers (\d+)", text, re.M)[1])

        self.assertEqual(remembered(), 1)
        while remembered():  # nobody has to come for it to be forgotten
            pass

    def test_max_memory_of_a_user(self):
        self.start("", least=", max_memory: 64KiB")
        a, b = self.connect(), self.connect()
        names = [self.reply_channel(connection, capacity=10_000) for connection in (a, b)]
        n = self.put_until_refused(a, channel=names[0], value=1, delay_ms=FOR_EVER)
        self.assertEqual(n, 64 * KIB // 65)
        self.refused(b.ask(id=1, op="put", channel=names[1], value=1), "overloaded", "max_memory of user")
        victim = self.connect(self.boss_token)
        its = self.reply_channel(victim)
        self.refused(b.ask(id=2, op="put", channel=its, value=1), "overloaded", "max_memory of user")
        self.assertEqual(self.boss.ask(id=1, op="put", channel=its, value=1)["status"], "ok")

    def test_max_output(self):
        """Who does not read is not read, whatever it asks: what the daemon holds for it stays near the limit."""
        self.start("max_output: 64KiB, max_buffers: 16MiB")
        least = self.enterContext(Connection(self.daemon))
        least.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        least.send(id=0, op="hello", protocol=1, token=self.token)
        own = self.reply_channel(self.connect(), "promise")
        least.send(id=1, op="put", channel=own, value="x" * 60 * KIB)
        least.socket.setblocking(False)
        frames = b"".join(Connection.frame({"id": i, "op": "list", "match": "*"}) + Connection.frame({"id": 100 + i, "op": "put", "channel": own, "value": 1}) for i in range(90))
        sent = 0
        try:
            while sent < 64 * KIB * KIB:
                sent += least.socket.send(frames)
        except BlockingIOError:
            pass
        self.assertLess(sent, 64 * KIB * KIB, "it is read for ever")
        web = self.web(self.boss_token)
        text = web.ask("GET", "/metrics", headers=web.headers).body.decode()
        self.assertLess(int(re.search(r"^millrace_buffer_bytes (\d+)", text, re.M)[1]), 2 * KIB * KIB)
        self.others_go_on()

    # -- This list itself --

    def names(self, path, pattern):
        with open(os.path.join(TOP, path), encoding="utf-8") as file:
            return set(re.findall(pattern, file.read(), re.M))

    def test_every_limit_is_here(self):
        for limits, elsewhere, suffix in ((self.names("config/limits.h", r"^\tLIMIT\((\w+),"), ELSEWHERE, ""),
                                          (self.names("config/users_config.c", r"^\tUSER_LIMIT\((\w+),"), ELSEWHERE_OF_A_USER, "_of_a_user")):
            self.assertGreater(len(limits), 4)
            for limit in limits:
                where = elsewhere.get(limit)
                if where:
                    file, name = where.split(": ")
                    self.assertIn(name, self.names(f"tests/e2e/{file}", r"def (\w+)"), limit)
                else:
                    self.assertTrue(hasattr(self, f"test_{limit}{suffix}"), f"nobody tries to get round {limit}{suffix}")


if __name__ == "__main__":
    unittest.main()
