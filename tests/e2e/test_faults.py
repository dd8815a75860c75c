#!/usr/bin/env python3
"""Bad networks and dying clients: whatever becomes of a connection, a value is whole or not there, what was parked leaves, books balance, and others go on."""
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)
from millraced import DEADLINE_S, Connection, Daemon  # noqa: E402
from proxy import Fault, Proxy, random_faults  # noqa: E402

KIB = 1024
CHANNELS = "channels={meet: {kind: unbuffered}, jobs: {kind: bounded, capacity: 10000}, lossy: {kind: dropping, capacity: 3}, latest: {kind: sliding, capacity: 3}}"
VISITORS = 10000


def check_books(test, row):
    entered = row["accepted"] + row["returned"]
    left = sum(row[name] for name in ("taken", "buffered", "leased", "evicted", "dead_lettered", "discarded"))
    test.assertEqual(entered, left, row)


class Faults(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 32)))
        print(f"seed {self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)

    def start(self, *arguments):
        daemon = self.enterContext(Daemon("--set", CHANNELS, *arguments))
        self.witness = self.enterContext(Connection(daemon))
        return daemon

    def stat(self, channel):
        row = self.witness.ask(id=1, op="stat", channel=channel)
        check_books(self, row)
        return row

    def wait_stat(self, channel, **expected):
        """Until it says so: the daemon hears of an end when it hears of it."""
        deadline = time.monotonic() + DEADLINE_S
        while any((row := self.stat(channel))[name] != number for name, number in expected.items()):
            self.assertLess(time.monotonic(), deadline, row)
        return row

    def drain(self, channel):
        values = []
        while (reply := self.witness.ask(id=1, op="take", channel=channel, max=1000, timeout_ms=0))["status"] == "ok":
            values += reply["values"]
        return values


class Network(Faults):
    def test_split_and_delayed_it_is_the_same(self):
        daemon = self.start()
        for fault in (Fault(piece=1), Fault(piece=20, delay_s=0.0005), Fault(piece=1000, delay_s=0.001)):
            with Proxy(daemon.port, lambda fault=fault: fault) as proxy, Connection(proxy.port) as connection:
                values = [{"n": i, "text": "\u00e9" * i} for i in range(30)]
                for i, value in enumerate(values):
                    connection.send(id=i, op="put", channel="jobs", value=value)
                connection.send(id=100, op="take", channel="jobs", max=1000)
                replies = [connection.receive() for _ in range(31)]
                self.assertEqual([reply["id"] for reply in replies], [*range(30), 100])
                self.assertEqual(replies[-1]["values"], values)
        check_books(self, self.stat("jobs"))

    def test_cut_or_reset_at_every_byte_of_a_put(self):
        """The value is there whole, or not at all; and no connection is left behind."""
        daemon = self.start()
        frame = Connection.frame({"id": 1, "op": "put", "channel": "jobs", "value": "whole"})
        for kind in ("cut", "reset"):
            for after in range(len(frame) + 1):
                with Proxy(daemon.port, lambda: Fault(kind, "daemon", after)) as proxy, Connection(proxy.port) as connection:
                    connection.socket.sendall(frame + b"\0")
                    try:
                        while connection.socket.recv(1000):
                            pass
                    except ConnectionError:
                        pass
            if kind == "cut":  # the last one let the whole frame through; the daemon may not have come to it yet
                self.assertEqual(self.witness.ask(id=1, op="take", channel="jobs", timeout_ms=1000 * DEADLINE_S)["value"], "whole")
            values = self.drain("jobs")
            self.assertIn(len(values), (0, 1) if kind == "reset" else (0,), kind)  # a reset may overtake the last byte
            self.assertEqual(values, ["whole"] * len(values))

    def test_swallowed_replies_hold_nobody_up(self):
        """The client hears nothing any more, and its connection stands: what it has parked stays, and goes when it goes."""
        daemon = self.start()
        with Proxy(daemon.port, lambda: Fault("swallow", "client", 0)) as proxy, Connection(proxy.port) as connection:
            connection.send(id=1, op="take", channel="meet")
            self.wait_stat("meet", parked_takes=1)
            connection.send(id=2, op="ping")
            connection.send(id=3, op="take", channel="meet")
            self.assertEqual(self.witness.ask(id=1, op="put", channel="meet", value=1)["status"], "ok")
        self.wait_stat("meet", parked_takes=0)

    def test_a_crowd_through_a_bad_network(self):
        """Puts and takes of many, each through its own faults. What was acknowledged was accepted; what was taken was put, once; and the books balance."""
        daemon = self.start()
        put, acknowledged, taken, lock = set(), set(), [], threading.Lock()

        def client(proxy, number):
            rng = random.Random(self.seed + number)
            for life in range(8):
                try:
                    with Connection(proxy.port) as connection:
                        connection.socket.settimeout(0.3)  # of one whose replies are swallowed
                        for i in range(40):
                            value = f"{number}.{life}.{i}." + "x" * rng.randrange(300)
                            with lock:
                                put.add(value)
                            reply = connection.ask(id=i, op="put", channel="jobs", value=value)
                            with lock:
                                acknowledged.update([value] if reply["status"] == "ok" else [])
                            if rng.random() < 0.5:
                                reply = connection.ask(id=i, op="take", channel="jobs", timeout_ms=0)
                                with lock:
                                    taken.extend([reply["value"]] if reply["status"] == "ok" else [])
                except (OSError, TypeError, struct.error, ValueError):
                    pass  # its connection has met its fault

        with Proxy(daemon.port, random_faults(self.seed)) as proxy:
            clients = [threading.Thread(target=client, args=(proxy, number)) for number in range(8)]
            for each in clients:
                each.start()
            for each in clients:
                each.join()
            self.assertGreater(proxy.n_faults, 10)
        self.wait_stat("jobs", parked_takes=0, parked_puts=0)
        left = self.drain("jobs")
        row = self.stat("jobs")
        self.assertEqual(len(set(taken + left)), len(taken + left), "a value was taken twice")
        self.assertLessEqual(set(taken + left), put)
        self.assertGreaterEqual(row["accepted"], len(acknowledged))
        self.assertGreater(len(acknowledged), 100)
        lost = len(acknowledged - set(taken + left))  # with a reply that was cut: at most once
        self.assertLessEqual(lost, row["taken"] - len(taken) - len(left))


class Killed(Faults):
    """Clients that SIGKILL ends, at each step of a hand-off."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start()
        self.victims = self.enterContext(
            subprocess.Popen([sys.executable, os.path.join(LIB, "victim.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )

    def kill(self, *messages, cut=None, **life):
        sent = b"".join(map(Connection.frame, messages))[:cut]
        self.victims.stdin.write(json.dumps({"port": self.daemon.port, "send": sent.hex(), **life}) + "\n")
        self.victims.stdin.flush()
        self.assertEqual(self.victims.stdout.readline().strip(), "dead")

    def test_while_it_sends_a_put(self):
        put = {"id": 1, "op": "put", "channel": "jobs", "value": "v"}
        whole = len(Connection.frame(put))
        for cut in range(whole):
            self.kill(put, cut=cut)
        self.kill(put)
        self.wait_stat("jobs", accepted=1, buffered=1)
        self.assertEqual(self.drain("jobs"), ["v"])

    def test_while_its_put_is_parked(self):
        self.kill({"id": 1, "op": "put", "channel": "meet", "value": 1}, {"id": 2, "op": "ping"}, wait=1)
        self.wait_stat("meet", parked_puts=0, accepted=0)
        self.assertEqual(self.witness.ask(id=1, op="take", channel="meet", timeout_ms=0)["status"], "timeout")

    def test_while_its_batch_is_partly_in(self):
        self.kill({"id": 1, "op": "put", "channel": "jobs", "values": list(range(10010))}, {"id": 2, "op": "ping"}, wait=1)
        self.wait_stat("jobs", parked_puts=0, accepted=10000, buffered=10000)
        self.assertEqual(self.drain("jobs"), list(range(10000)))

    def test_while_its_take_is_parked(self):
        self.kill({"id": 1, "op": "take", "channel": "meet"}, {"id": 2, "op": "ping"}, wait=1)
        self.wait_stat("meet", parked_takes=0)
        self.assertEqual(self.witness.ask(id=1, op="put", channel="meet", value=1, timeout_ms=0)["status"], "timeout")
        self.kill({"id": 1, "op": "take", "channel": "jobs", "count": 10}, {"id": 2, "op": "ping"}, wait=1)
        self.wait_stat("jobs", parked_takes=0)
        self.assertEqual(self.witness.ask(id=1, op="put", channel="jobs", value=1)["status"], "ok")
        self.assertEqual(self.drain("jobs"), [1])

    def test_while_its_alts_is_parked(self):
        arms = [{"take": "meet"}, {"put": "meet", "value": 1}, {"take": "jobs"}]
        self.kill({"id": 1, "op": "alts", "arms": arms}, {"id": 2, "op": "ping"}, wait=1)
        self.wait_stat("meet", parked_takes=0, parked_puts=0)
        self.wait_stat("jobs", parked_takes=0)

    def test_with_the_value_unread_or_half_read(self):
        """Plain takes are at most once: it is gone, and counted as taken."""
        for n, life in enumerate([{"wait": 10}, {"read": 1}, {"read": 10}, {"read": 20}], 1):
            self.assertEqual(self.witness.ask(id=1, op="put", channel="jobs", value="gone")["status"], "ok")
            self.kill({"id": 1, "op": "take", "channel": "jobs"}, **life)
            self.wait_stat("jobs", taken=n, buffered=0)

    def test_with_a_lease(self):
        """Read or not, it comes back: at least once; and says with deliveries that it was given before. A sticky one comes back when its time is over."""
        self.assertEqual(self.witness.ask(id=1, op="put", channel="jobs", value="job")["status"], "ok")
        take = {"id": 1, "op": "take", "channel": "jobs", "lease_ms": 3600000}
        for deliveries, life in enumerate([{"wait": 10}, {"read": 1}, {"read": 30}], 1):
            self.kill(take, **life)
            self.wait_stat("jobs", leased=0, buffered=1)
            taken = self.witness.ask(id=1, op="take", channel="jobs", lease_ms=3600000)
            self.assertEqual((taken["value"], taken["deliveries"]), ("job", 2 * deliveries))
            self.assertEqual(self.witness.ask(id=1, op="nack", lease=taken["lease"])["status"], "ok")
        self.kill({**take, "lease_ms": 200, "sticky": True}, read=30)
        self.assertEqual(self.witness.ask(id=1, op="take", channel="jobs", lease_ms=1000)["deliveries"], 8)

    def test_with_a_count_and_leases(self):
        """What it had been pushed comes back in its order."""
        self.assertEqual(self.witness.ask(id=1, op="put", channel="jobs", values=list(range(100)))["status"], "ok")
        self.kill({"id": 1, "op": "take", "channel": "jobs", "count": 70, "lease_ms": 3600000}, read=3000)
        self.wait_stat("jobs", leased=0, buffered=100)
        self.assertEqual(self.drain("jobs"), list(range(100)))


class Crowds(Faults):
    def test_ten_thousand_visitors(self):
        """They come, send a part of something, and are reset."""
        daemon = self.start()
        frame = Connection.frame({"id": 1, "op": "alts", "arms": [{"take": "meet"}, {"put": "meet", "value": "x" * 2000}]})
        for _ in range(VISITORS):
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=DEADLINE_S) as visitor:
                visitor.sendall(frame[: self.random.randrange(len(frame))])  # two that were whole could meet, and then a value would be left
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wait_stat("meet", parked_takes=0, parked_puts=0, bytes=0)

    def test_fast_ones_beside_one_that_does_not_read(self):
        """Its replies fill all that may be filled; the others' hand-offs go on, none of them refused."""
        daemon = self.start()
        self.assertEqual(self.witness.ask(id=1, op="put", channel="jobs", value="x" * (500 * KIB))["status"], "ok")
        with Connection(daemon) as slow, Connection(daemon) as taker:
            slow.socket.sendall(Connection.frame({"id": 1, "op": "peek", "channel": "jobs"}) * 100)
            slow.send(id=2, op="take", channel="meet")
            for i in range(2000):
                taker.send(id=1, op="take", channel="meet")
                self.assertEqual(self.witness.ask(id=1, op="put", channel="meet", value=i)["status"], "ok")
                self.assertEqual(taker.receive()["value"], i)


if __name__ == "__main__":
    unittest.main()
