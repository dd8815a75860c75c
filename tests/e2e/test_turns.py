#!/usr/bin/env python3
"""No op makes a turn of the loop long, by the processor's time that millraced measures itself: each is done at the default limits, by a daemon of its own."""
import json
import os
import selectors
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import turns  # noqa: E402
from millraced import IS_SANITIZED, Connection, raise_open_files  # noqa: E402

BATCH = 10_000
WAITERS, ALTS = 100_000, 20_000
BATCHES, A_BATCH = 1_000, 1_000  # that one connection has parked
PEERS = min(3_000, raise_open_files(10_000) - 200)  # connections
CLIENTS, PIPELINED, FLOOD_S = 50, 5_000, 2
TOGETHER_S = 3  # from when those who wait begin to park until all are due


class Turns(turns.Turns):
    longest_s = 0.02 * (10 if IS_SANITIZED else 1)  # where one step has to be one; most take a quarter of that

    def setUp(self):
        self.start()

    def fill(self, values):
        self.a.ask(id=1, op="create", channel="c", kind="bounded", capacity=10_000_000)
        for _ in range(0, values, BATCH):
            self.assertEqual(self.a.ask(id=1, op="put", channel="c", values=[1] * BATCH)["status"], "ok")

    def test_batches_and_deletion_of_a_million_values(self):
        self.fill(1_000_000)
        self.check("batches of 10,000 values")
        self.assertEqual(self.b.ask(id=1, op="delete", channel="c", force=True)["discarded"], 1_000_000)
        self.b.ask(id=2, op="ping")
        self.check("delete with 1,000,000 values")

    def test_leases_that_go_with_their_channel_or_their_connection(self):
        self.fill(60_000)
        with Connection(self.daemon) as taker:
            self.pipeline(taker, [{"op": "take", "channel": "c", "lease_ms": 600_000}] * 50_000)
            self.check("50,000 takes with a lease")
        while self.b.ask(id=1, op="stat", channel="c")["leased"]:
            pass
        self.check("the end of a connection with 50,000 leases")
        self.pipeline(self.b, [{"op": "take", "channel": "c", "lease_ms": 600_000}] * 50_000)
        self.a.ask(id=1, op="delete", channel="c", force=True)
        self.a.ask(id=2, op="ping")
        self.check("delete with 50,000 leases")

    def test_ephemeral_channels_that_go_with_their_connection(self):
        with Connection(self.daemon) as owner:
            self.pipeline(owner, [{"op": "create", "kind": "bounded", "capacity": 1, "ephemeral": True}] * 50_000)
            self.check("50,000 channels")
        while self.b.ask(id=1, op="list", match="_r.*", limit=1)["channels"]:
            pass
        self.check("the end of a connection with 50,000 ephemeral channels")

    # -- Many who wait, and end together: their outcome comes in slices --

    def crowd(self, n, frames_of, a_connection=1000, parks=True):
        """So many requests, on connections of 1,000 each; frames_of(id) is one. `parks`: all are parked then."""
        connections = []
        for _ in range(0, n, a_connection):
            connection = self.enterContext(Connection(self.daemon))
            connection.socket.sendall(b"".join(frames_of(i) for i in range(a_connection)))
            if parks:
                self.assertEqual(connection.ask(id=a_connection, op="ping")["id"], a_connection)  # one after the other: a turn serves all who have sent
            connections.append(connection)
        return connections

    def outcomes(self, connections, status, a_connection=1000):
        for connection in connections:
            replies = [connection.receive() for _ in range(a_connection)]
            self.assertEqual({reply["status"] for reply in replies}, {status})
            self.assertEqual(sorted(reply["id"] for reply in replies), list(range(a_connection)))

    @staticmethod
    def take(i, **members):
        return Connection.frame({"id": i, "op": "take", "channel": "c", **members})

    def create(self, channel="c", **members):
        members = members or {"kind": "unbuffered"}
        self.assertEqual(self.a.ask(id=1, op="create", channel=channel, **members)["status"], "ok")

    def test_a_close_and_a_deletion_under_many_takes(self):
        for end, waiters in (({"op": "close"}, WAITERS), ({"op": "delete"}, WAITERS // 4)):
            self.create()
            crowd = self.crowd(waiters, self.take)
            self.assertEqual(self.a.ask(id=2, channel="c", **end)["status"], "ok")
            self.assertIn(self.b.ask(id=3, op="take", channel="c").get("error"), (None, "no_such_channel"))  # at once
            self.outcomes(crowd, "closed")
            self.check(f"{end['op']} under {waiters} takes")
            self.a.ask(id=3, op="delete", channel="c")

    def test_a_deletion_under_many_puts(self):
        self.create()
        crowd = self.crowd(WAITERS // 4, lambda i: Connection.frame({"id": i, "op": "put", "channel": "c", "values": [i] * 10}))
        self.assertEqual(self.a.ask(id=2, op="delete", channel="c", force=True)["status"], "ok")
        self.outcomes(crowd, "closed")
        self.check(f"delete under {WAITERS // 4} batches")

    def test_a_close_under_many_alts(self):
        names = [f"c{i}" for i in range(64)]
        for name in names:
            self.create(name)
        arms = json.dumps([{"take": name} for name in names])
        crowd = self.crowd(ALTS, lambda i: Connection.frame(f'{{"id":{i},"op":"alts","arms":{arms}}}'))
        self.assertEqual(self.a.ask(id=2, op="close", channel="c7")["status"], "ok")
        self.outcomes(crowd, "closed")
        self.check(f"close under {ALTS} alts of 64 arms")

    def test_time_outs_that_come_together(self):
        self.create()
        end = time.monotonic() + TOGETHER_S
        crowd = self.crowd(WAITERS, lambda i: self.take(i, timeout_ms=max(1, int(1000 * (end - time.monotonic())))), parks=False)
        self.outcomes(crowd, "timeout")
        self.check(f"{WAITERS} time-outs")

    def test_leases_that_end_together(self):
        self.fill(60_000)
        end = time.monotonic() + TOGETHER_S
        for begin in range(0, 50_000, 500):
            self.pipeline(self.b, [{"op": "take", "channel": "c", "lease_ms": max(1, int(1000 * (end - time.monotonic())))}] * 500)
        while self.b.ask(id=1, op="stat", channel="c")["leased"]:
            pass
        self.assertEqual(self.b.ask(id=1, op="stat", channel="c")["buffered"], 60_000)
        self.check("50,000 leases that end together")

    # -- Batches that are parked: a million values go with them --

    def park_batches(self, connection, **members):
        connection.socket.sendall(b"".join(connection.frame(dict(id=i, op="put", channel="c", values=[1] * A_BATCH, **members)) for i in range(BATCHES)))
        while self.b.ask(id=1, op="stat", channel="c")["parked_puts"] < BATCHES:
            pass

    def await_no_puts(self):
        while self.b.ask(id=1, op="stat", channel="c")["parked_puts"]:
            pass
        self.b.ask(id=2, op="ping")

    def test_parked_batches_that_end(self):
        self.create()
        with Connection(self.daemon) as parked:
            self.park_batches(parked)
            self.check(f"{BATCHES} batches of {A_BATCH} values park")
        self.await_no_puts()
        self.check("their connection ends")
        self.park_batches(self.a)
        self.a.socket.sendall(b"".join(Connection.frame({"id": BATCHES + i, "op": "cancel", "request": i}) for i in range(BATCHES)))
        self.assertEqual({self.a.receive()["status"] for _ in range(2 * BATCHES)}, {"cancelled", "ok"})
        self.check("they are cancelled")
        end = time.monotonic() + TOGETHER_S
        self.park_batches(self.a, timeout_ms=1000 * TOGETHER_S)
        self.assertLess(time.monotonic(), end)
        self.outcomes([self.a], "timeout", BATCHES)
        self.check("they time out")
        self.park_batches(self.a)
        self.assertEqual(self.b.ask(id=1, op="delete", channel="c", force=True)["discarded"], 0)
        self.outcomes([self.a], "closed", BATCHES)
        self.check("their channel is deleted")

    def test_a_source_that_is_deleted_with_its_dead_letters(self):
        self.create("dead", kind="bounded", capacity=1)
        self.a.ask(id=1, op="put", channel="dead", value=0)
        self.create(kind="bounded", capacity=10_000_000, max_deliveries=1, dead_letter="dead")
        for _ in range(BATCHES):
            self.assertEqual(self.a.ask(id=1, op="put", channel="c", values=[1] * A_BATCH)["status"], "ok")
            lease = self.a.ask(id=1, op="take", channel="c", max=A_BATCH, lease_ms=600_000)["lease"]
            self.assertEqual(self.a.ask(id=1, op="nack", lease=lease)["status"], "ok")
        self.assertEqual(self.b.ask(id=1, op="delete", channel="c", force=True)["discarded"], BATCHES * A_BATCH)
        self.assertEqual(self.b.ask(id=2, op="stat", channel="dead")["parked_puts"], 0)
        self.check(f"delete with {BATCHES * A_BATCH} dead letters that wait elsewhere")

    # -- Another definition --

    def test_a_sliding_channel_that_sheds_a_million(self):
        self.create(kind="sliding", capacity=1_000_000)
        for _ in range(0, 1_000_000, BATCH):
            self.a.ask(id=1, op="put", channel="c", values=[1] * BATCH)
        row = self.a.ask(id=1, op="alter", channel="c", capacity=1)
        self.assertEqual((row["buffered"], row["evicted"]), (1, 999_999))
        self.a.ask(id=2, op="ping")
        self.check("alter sheds 1,000,000 values")

    def test_a_channel_that_admits_all_who_are_parked(self):
        self.create(kind="bounded", capacity=1)
        self.a.ask(id=1, op="put", channel="c", value=0)
        crowd = self.crowd(WAITERS, lambda i: Connection.frame({"id": i, "op": "put", "channel": "c", "value": i}))
        self.assertEqual(self.a.ask(id=2, op="alter", channel="c", capacity=10_000_000)["status"], "ok")
        self.outcomes(crowd, "ok")
        self.check(f"alter admits {WAITERS} parked puts")

    # -- Very much at once --

    def test_clients_that_pipeline(self):
        self.create(kind="sliding", capacity=1000)
        ops = ({"op": "put", "channel": "c", "value": "x" * 50}, {"op": "take", "channel": "c", "timeout_ms": 0}, {"op": "stat", "channel": "c"})
        requests = memoryview(b"".join(Connection.frame(dict(ops[i % len(ops)], id=i)) for i in range(PIPELINED)))
        with selectors.DefaultSelector() as selector:
            for _ in range(CLIENTS):
                client = self.enterContext(Connection(self.daemon)).socket
                client.setblocking(False)
                selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE, [0])
            end, received = time.monotonic() + FLOOD_S, 0
            while time.monotonic() < end:
                for key, ready in selector.select():
                    if ready & selectors.EVENT_READ:
                        received += len(key.fileobj.recv(1 << 20))
                    if ready & selectors.EVENT_WRITE:
                        key.data[0] = (key.data[0] + key.fileobj.send(requests[key.data[0]:])) % len(requests)
        self.assertGreater(received, 1_000_000)
        self.check(f"{CLIENTS} clients that pipeline")

    def test_many_connections_that_are_told_at_once(self):
        """Each reply is a call of the system."""
        peers = [self.enterContext(Connection(self.daemon)) for _ in range(PEERS)]

        def park(channel, timeout_ms=lambda: 60_000):
            self.a.ask(id=1, op="create", channel=channel, kind="promise")
            for peer in peers:
                peer.send(id=1, op="take", channel=channel, timeout_ms=timeout_ms())
            while self.a.ask(id=1, op="stat", channel=channel)["parked_takes"] < PEERS:
                pass

        for op, status in (("close", "closed"), ("delete", "closed"), ("put", "ok")):
            park(op)
            self.a.ask(id=1, op=op, channel=op, **({"value": 1} if op == "put" else {}))
            self.assertEqual({peer.receive()["status"] for peer in peers}, {status})
            self.check(f"{op} tells {PEERS} connections")
        end = time.monotonic() + TOGETHER_S
        park("time-outs", lambda: max(1, int(1000 * (end - time.monotonic()))))
        self.assertEqual({peer.receive()["status"] for peer in peers}, {"timeout"})
        self.check(f"{PEERS} connections time out together")

    def test_a_page_of_many_channels(self):
        self.pipeline(self.a, [{"op": "create", "kind": "bounded", "capacity": 1, "ephemeral": True}] * 20_000)
        self.pipeline(self.b, [{"op": "list", "match": "q*"}] * 100)
        self.check("100 lists of 20,000 channels in flight")


if __name__ == "__main__":
    unittest.main()
