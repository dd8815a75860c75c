#!/usr/bin/env python3
"""Every limit at its edge, through the real daemon: what is refused, with which words, and that everybody else goes on."""
import os
import resource
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import BUILD, DEADLINE_S, IS_SANITIZED, Connection, Daemon  # noqa: E402

KIB, MIB = 1024, 1024 * 1024
CROWD = 10000
IDLE = 4000
PARKED = 100000


def resident_bytes(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * KIB for line in file if line.startswith("VmRSS"))


class Limits(unittest.TestCase):
    def is_ok(self, reply):
        self.assertEqual(reply["status"], "ok", reply)

    def is_error(self, reply, code, words=""):
        self.assertEqual((reply["status"], reply.get("error")), ("error", code), reply)
        self.assertIn(words, reply["message"])

    def wait_until_served(self, daemon):
        """Others have left: the daemon hears of it when it hears of it, and until then refuses a connection, which may be reset while it asks."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                with Connection(daemon) as again:
                    if again.ask(id=1, op="ping")["status"] == "ok":
                        return
            except ConnectionError:
                pass
            self.assertLess(time.monotonic(), deadline)

    def test_max_connections(self):
        with Daemon("--set", "limits.max_connections=2") as daemon, Connection(daemon) as first:
            second = Connection(daemon)
            self.is_ok(second.ask(id=1, op="ping"))
            with Connection(daemon) as third:
                refusal = third.receive()
                self.assertIsNone(refusal["id"])
                self.is_error(refusal, "overloaded", "max_connections")
                self.assertIsNone(third.receive())
            second.close()
            self.wait_until_served(daemon)
            self.is_ok(first.ask(id=1, op="ping"))

    def test_max_inflight_counts_what_is_parked(self):
        with Daemon("--set", "limits.max_inflight=2", "--set", "channels.c={kind: unbuffered}") as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="hello", protocol=1)["max_inflight"], 2)
            connection.send(id=2, op="take", channel="c")
            connection.send(id=3, op="alts", arms=[{"take": "c"}, {"take": "c"}])
            self.is_error(connection.ask(id=4, op="take", channel="c"), "too_many_inflight")
            self.assertEqual(connection.ask(id=5, op="take", channel="c", timeout_ms=0)["status"], "timeout")
            connection.send(id=6, op="cancel", request=2)
            self.assertEqual([connection.receive()["status"] for _ in range(2)], ["cancelled", "ok"])
            connection.send(id=7, op="take", channel="c")
            self.assertEqual(connection.ask(id=8, op="stat", channel="c")["parked_takes"], 3)
            with Connection(daemon) as other:
                other.send(id=1, op="take", channel="c")
                self.assertEqual(other.ask(id=2, op="stat", channel="c")["parked_takes"], 4)

    def test_max_waiters_counts_arms(self):
        with Daemon("--set", "channels.c={kind: unbuffered, max_waiters: 3}") as daemon, Connection(daemon) as connection:
            connection.send(id=1, op="take", channel="c")
            self.is_error(connection.ask(id=2, op="alts", arms=[{"take": "c"}] * 3), "too_many_waiters", "c")
            connection.send(id=3, op="alts", arms=[{"take": "c"}] * 2)
            self.is_error(connection.ask(id=4, op="take", channel="c"), "too_many_waiters")
            connection.send(id=6, op="put", channel="c", value=1)  # one leaves, and there is room
            replies = {connection.receive()["id"] for _ in range(2)}
            self.assertEqual(replies, {1, 6})
            connection.send(id=7, op="take", channel="c")
            self.assertEqual(connection.ask(id=8, op="stat", channel="c")["parked_takes"], 3)

    def test_max_channels(self):
        with Daemon("--set", "limits.max_channels=2", "--set", "channels.a={kind: promise}") as daemon, Connection(daemon) as connection:
            self.is_ok(connection.ask(id=1, op="create", channel="b", kind="promise"))
            self.is_error(connection.ask(id=2, op="create", channel="c", kind="promise"), "overloaded")
            self.is_ok(connection.ask(id=3, op="create", channel="b", kind="promise"))
            self.is_ok(connection.ask(id=4, op="delete", channel="a"))
            self.is_ok(connection.ask(id=5, op="create", channel="c", kind="promise"))

    def test_max_memory_refuses_puts_and_loses_nothing(self):
        value = "x" * (100 * KIB - 2)
        with Daemon(
            "--set", "limits.max_memory=1MiB", "--set", "channels={c: {kind: bounded, capacity: 1000}, d: {kind: unbuffered}}"
        ) as daemon, Connection(daemon) as connection, Connection(daemon) as taker:
            taker.send(id=1, op="take", channel="d")
            accepted = 0
            while (reply := connection.ask(id=1, op="put", channel="c", value=value))["status"] == "ok":
                accepted += 1
            self.is_error(reply, "overloaded")
            self.assertEqual(accepted, 10)
            # Even where a take waits, and for an alts with a put arm; not for one of takes.
            self.is_error(connection.ask(id=2, op="put", channel="d", value=value), "overloaded")
            self.is_error(connection.ask(id=3, op="alts", arms=[{"put": "d", "value": value}, {"take": "c"}]), "overloaded")
            self.is_ok(connection.ask(id=4, op="alts", arms=[{"take": "c"}]))
            self.is_ok(connection.ask(id=5, op="take", channel="c"))
            self.is_ok(connection.ask(id=6, op="put", channel="d", value=1))
            self.assertEqual(taker.receive()["value"], 1)
            taken = 0
            while connection.ask(id=7, op="take", channel="c", timeout_ms=0)["status"] == "ok":
                taken += 1
            self.assertEqual(taken, accepted - 2)

    def test_max_park_ms_caps_every_wait(self):
        with Daemon("--set", "limits.max_park_ms=1ms", "--set", "channels.c={kind: unbuffered}") as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="take", channel="c")["status"], "timeout")
            self.assertEqual(connection.ask(id=2, op="take", channel="c", timeout_ms=2147483647)["status"], "timeout")
            self.assertEqual(connection.ask(id=3, op="alts", arms=[{"take": "c"}])["status"], "timeout")

    def test_max_frame(self):
        with Daemon("--set", "limits.max_frame=64KiB", "--set", "channels.c={kind: bounded, capacity: 9}") as daemon:
            head, tail = b'{"id":1,"op":"put","channel":"c","value":"', b'"}'
            with Connection(daemon) as connection:
                self.assertEqual(connection.ask(id=1, op="hello", protocol=1)["max_frame_bytes"], 64 * KIB)
                body = head + b"x" * (64 * KIB - len(head) - len(tail)) + tail
                connection.socket.sendall(len(body).to_bytes(4, "big") + body)
                self.is_ok(connection.receive())
                body = head + b"x" * (64 * KIB - len(head) - len(tail) + 1) + tail
                connection.socket.sendall(len(body).to_bytes(4, "big") + body)
                reply = connection.receive()
                self.assertIsNone(reply["id"])
                self.is_error(reply, "frame_too_large")
                self.assertIsNone(connection.receive())
            with Connection(daemon) as connection:
                self.assertEqual(connection.ask(id=1, op="stat", channel="c")["accepted"], 1)

    def test_a_client_that_does_not_read_is_not_read(self):
        """It waits for itself: the daemon's memory stays, and others are served."""
        with Daemon("--set", "channels.c={kind: bounded, capacity: 9}") as daemon, Connection(daemon) as other, Connection(daemon) as slow:
            self.is_ok(other.ask(id=1, op="put", channel="c", value="x" * (500 * KIB)))
            before = resident_bytes(daemon)
            slow.socket.setblocking(False)
            frame, sent, partial = Connection.frame({"id": 1, "op": "peek", "channel": "c"}), 0, b""
            limit = 20 * MIB // len(frame)  # requests for 10 GiB of replies, were they all carried out
            try:
                while sent < limit:
                    n = slow.socket.send(partial or frame)
                    partial = (partial or frame)[n:]
                    sent += not partial
            except BlockingIOError:
                pass
            self.assertLess(sent, limit)
            self.is_ok(other.ask(id=2, op="ping"))
            if not IS_SANITIZED:
                self.assertLess(resident_bytes(daemon) - before, 16 * MIB)
            # When it reads at last, it gets every reply.
            slow.socket.settimeout(DEADLINE_S)
            for _ in range(min(sent, 50)):
                self.assertEqual(len(slow.receive()["values"][0]), 500 * KIB)
            self.is_ok(other.ask(id=3, op="ping"))

    def test_a_consumer_that_does_not_read_leaves_its_queue(self):
        """It gets no more than its output holds, and what it does not take goes to others; when it reads, it is served again."""
        with Daemon("--set", "channels.c={kind: unbuffered}") as daemon, Connection(daemon) as other, Connection(daemon) as slow:
            slow.send(id=1, op="take", channel="c", count=1000)
            while other.ask(id=1, op="stat", channel="c")["parked_takes"] == 0:
                pass
            text, n, parked = "x" * (200 * KIB), 0, False
            while not parked and n < 200:
                parked = other.ask(id=n, op="put", channel="c", value=[n, text], timeout_ms=0)["status"] == "timeout"
                n += not parked
            self.assertTrue(parked, "the consumer never had enough")
            self.assertEqual(other.ask(id=1000, op="stat", channel="c")["parked_takes"], 0)
            other.send(id=1001, op="put", channel="c", value=[n, text])
            for i in range(n):
                self.assertEqual(slow.receive()["value"][0], i)
            reply = slow.receive()
            self.assertEqual((reply["value"][0], reply["left"]), (n, 999 - n))
            self.assertEqual(other.receive(), {"id": 1001, "status": "ok"})

    def test_fewer_connections_than_open_files(self):
        """Of the descriptors that the system allows, some are kept back: who is refused for them is told so."""
        with Daemon(nofile=40) as daemon, Connection(daemon) as first:
            daemon.wait_log("allows this process 40 open files: there can be 20 connections")
            crowd = [Connection(daemon) for _ in range(30)]
            told = [connection for connection in crowd[19:] if self.is_refused(connection)]
            self.assertEqual(len(told), 11)
            self.is_ok(first.ask(id=1, op="ping"))
            daemon.wait_log("a connection was refused")
            self.assertEqual(daemon.log().count("a connection was refused"), 1)  # and not one line for each
            for connection in crowd:
                connection.close()
            self.wait_until_served(daemon)

    def is_refused(self, connection):
        reply = connection.receive()
        self.is_error(reply, "overloaded", "max_connections")
        return connection.receive() is None

    def test_open_files_run_out(self):
        """Descriptors that something else has taken (here the limit is lowered under a running daemon): it refuses, and does not spin."""
        with Daemon() as daemon, Connection(daemon) as first:
            self.is_ok(first.ask(id=1, op="ping"))
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (14, 14))
            crowd = [Connection(daemon) for _ in range(40)]
            daemon.wait_log("no descriptor is left for it (raise the limit on open files)")
            self.is_error(crowd[-1].receive(), "overloaded", "no descriptor")
            self.is_ok(first.ask(id=2, op="ping"))
            for connection in crowd:
                connection.close()
            self.wait_until_served(daemon)

    def test_not_even_one_open_file(self):
        """Below what is open already even the reserve is of no use: the listener rests, and what waits is served when there is room."""
        with Daemon("--set", "channels.c={kind: unbuffered}") as daemon, Connection(daemon) as first:
            self.is_ok(first.ask(id=1, op="ping"))
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, 4096))
            with Connection(daemon) as waiting:
                waiting.send(id=1, op="ping")
                daemon.wait_log("no connections can be accepted just now")
                before = self.cpu_ticks(daemon)
                self.assertEqual(first.ask(id=1, op="take", channel="c", timeout_ms=500)["status"], "timeout")
                self.assertLess(self.cpu_ticks(daemon) - before, os.sysconf("SC_CLK_TCK") // 4)  # half of that time, if it did nothing else
                resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
                self.is_ok(waiting.receive())
                self.assertEqual(daemon.log().count("no connections can be accepted"), 1)

    def cpu_ticks(self, daemon):
        with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))

    def test_max_buffers_closes_whose_frame_stands_still(self):
        """Of many frames that never come whole, those that have waited the longest go, and are told why; whoever gets on is served."""
        part = (200 * KIB).to_bytes(4, "big") + b"x" * (100 * KIB)
        with Daemon("--set", "limits.max_buffers=1MiB", "--set", "channels.c={kind: bounded, capacity: 9}") as daemon, Connection(daemon) as quick:
            crowd = []
            for i in range(30):
                crowd.append(Connection(daemon))
                crowd[-1].socket.sendall(part)
                self.is_ok(quick.ask(id=i, op="put", channel="c", value="y" * (300 * KIB)))
                self.is_ok(quick.ask(id=i, op="take", channel="c"))
            refusal = crowd[0].receive()
            self.assertIsNone(refusal["id"])
            self.is_error(refusal, "overloaded", "max_buffers")
            self.assertIsNone(crowd[0].receive())
            self.assertEqual(daemon.log().count("max_buffers"), 1)
            crowd[-1].socket.sendall(b"x" * (100 * KIB))  # the last one has its place still
            self.is_error(crowd[-1].receive(), "bad_json")
            for connection in crowd:
                connection.close()

    def test_max_buffers_closes_who_does_not_read(self):
        """Many that each stay below max_output are too much together."""
        with Daemon(
            "--set", "limits.max_buffers=8MiB", "--set", "channels.c={kind: bounded, capacity: 9}"
        ) as daemon, Connection(daemon) as other:
            self.is_ok(other.ask(id=1, op="put", channel="c", value="x" * (900 * KIB)))
            before = resident_bytes(daemon)
            peeks = Connection.frame({"id": 1, "op": "peek", "channel": "c"}) * 20
            crowd = [Connection(daemon) for _ in range(40)]
            for connection in crowd:
                connection.socket.sendall(peeks)
                self.is_ok(other.ask(id=2, op="ping"))
            daemon.wait_log("max_buffers")
            if not IS_SANITIZED:
                self.assertLess(resident_bytes(daemon) - before, 24 * MIB)
            self.assertEqual(len(other.ask(id=3, op="peek", channel="c")["values"][0]), 900 * KIB)
            for connection in crowd:
                connection.close()

    def test_requests_that_have_had_their_turn_go_on_by_themselves(self):
        """More replies than one turn may write, to requests of one flight, after which the client says nothing more, or has ended its side."""
        with Daemon("--set", "channels.c={kind: bounded, capacity: 9}") as daemon, Connection(daemon) as other:
            self.is_ok(other.ask(id=1, op="put", channel="c", value="x" * (200 * KIB)))
            for where in (daemon, daemon.socket_path):
                for ends in (False, True):
                    with Connection(where) as connection:
                        connection.socket.sendall(b"".join(Connection.frame({"id": i, "op": "peek", "channel": "c"}) for i in range(40)))
                        if ends:
                            connection.socket.shutdown(socket.SHUT_WR)
                        for i in range(40):
                            reply = connection.receive()
                            self.assertEqual((reply["id"], len(reply["values"][0])), (i, 200 * KIB))

    def test_max_idle_ms(self):
        with Daemon("--set", "limits.max_idle_ms=100ms", "--set", "channels={c: {kind: unbuffered}, d: {kind: bounded, capacity: 1}}") as daemon:
            with Connection(daemon) as waiting, Connection(daemon) as idle, Connection(daemon) as working:
                self.is_ok(working.ask(id=1, op="put", channel="d", value=1))
                lease = working.ask(id=2, op="take", channel="d", lease_ms=60000)["lease"]
                waiting.send(id=1, op="take", channel="c")
                notice = idle.receive()
                self.assertIsNone(notice["id"])
                self.is_error(notice, "overloaded", "max_idle_ms")
                self.assertIsNone(idle.receive())
                with Connection(daemon) as busy:  # one that is parked is not idle, however long
                    for i in range(20):
                        self.assertEqual(busy.ask(id=i, op="take", channel="c", timeout_ms=20)["status"], "timeout")
                    self.is_ok(busy.ask(id=1, op="put", channel="c", value=1))
                self.assertEqual(waiting.receive()["value"], 1)
                self.is_error(waiting.receive(), "overloaded", "max_idle_ms")  # and now it is
                self.is_ok(working.ask(id=3, op="ack", lease=lease))  # nor is one that has work in its hands
                self.is_error(working.receive(), "overloaded", "max_idle_ms")

    def test_tcp_timeout_ms_ends_who_has_no_room(self):
        """A client that is alive and reads nothing, while more waits for it than the systems' buffers hold."""
        with Daemon("--set", "limits.tcp_timeout_ms=1s", "--set", "channels.c={kind: bounded, capacity: 9}") as daemon, Connection(daemon) as other:
            self.is_ok(other.ask(id=1, op="put", channel="c", value="x" * (900 * KIB)))
            stuck = Connection(daemon)
            stuck.socket.sendall(Connection.frame({"id": 1, "op": "peek", "channel": "c"}) * 40)
            self.assertIn("timed out", daemon.wait_log("tcp_timeout_ms"))
            stuck.close()

    def allow_files(self, number):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < number:
            self.skipTest(f"only {hard} open files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_ten_thousand_connections_park_and_vanish(self):
        self.allow_files(CROWD + 100)
        with Daemon("--set", "channels.c={kind: unbuffered}", "--set", f"limits.max_connections={CROWD + 2}") as daemon, Connection(daemon) as witness:
            frame, crowd = Connection.frame({"id": 1, "op": "take", "channel": "c"}), []
            for _ in range(CROWD):
                crowd.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=DEADLINE_S))
                crowd[-1].sendall(frame)
            self.wait_for(witness, "parked_takes", CROWD)
            for connection in crowd:
                connection.close()
            self.wait_for(witness, "parked_takes", 0)

    def wait_for(self, connection, member, number):
        deadline = time.monotonic() + DEADLINE_S
        while (now := connection.ask(id=1, op="stat", channel="c")[member]) != number:
            self.assertLess(time.monotonic(), deadline, f"{member} is {now}, not {number}")

    @unittest.skipIf(IS_SANITIZED, "memory says nothing under a sanitizer")
    def test_what_an_idle_connection_costs(self):
        """Under 512 bytes, once it has put a value and taken it again, so that what was needed for that has to be gone."""
        self.allow_files(IDLE + 100)
        frames = b"".join(Connection.frame({"id": 1, "op": op, "channel": "c", **members}) for op, members in (("put", {"value": 1}), ("take", {})))
        replies = Connection.frame('{"id":1,"status":"ok"}') + Connection.frame('{"id":1,"status":"ok","value":1}')
        with Daemon("--set", "channels.c={kind: bounded, capacity: 9}", "--set", f"limits.max_connections={IDLE + 2}") as daemon:
            before, crowd = 0, []
            for i in range(IDLE):
                if i == IDLE // 10:  # what it needs once, it has by now
                    before = resident_bytes(daemon)
                crowd.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=DEADLINE_S))
                crowd[-1].sendall(frames)
                self.assertEqual(crowd[-1].recv(len(replies), socket.MSG_WAITALL), replies)
            self.assertLess((resident_bytes(daemon) - before) / (IDLE - IDLE // 10), 512)
            for connection in crowd:
                connection.close()

    @unittest.skipIf(IS_SANITIZED, "memory says nothing under a sanitizer")
    def test_what_a_parked_request_costs(self):
        """100,000 of them: a take under 200 bytes beyond its connection, an alts of one arm with a time-out under 400."""
        take = {"op": "take", "channel": "c"}
        alts = {"op": "alts", "arms": [{"take": "c"}], "timeout_ms": 3600000}
        for request, limit in ((take, 200), (alts, 400)):
            with self.subTest(op=request["op"]), Daemon("--set", "channels.c={kind: unbuffered}") as daemon, Connection(daemon) as witness:
                crowd = [Connection(daemon) for _ in range(100)]
                for connection in crowd:
                    self.is_ok(connection.ask(id=1, op="ping"))
                before = resident_bytes(daemon)
                for connection in crowd:
                    connection.socket.sendall(b"".join(Connection.frame({"id": i, **request}) for i in range(PARKED // len(crowd))))
                self.wait_for(witness, "parked_takes", PARKED)
                each = (resident_bytes(daemon) - before) / PARKED
                self.assertLess(each, limit)
                for connection in crowd:
                    connection.close()
                self.wait_for(witness, "parked_takes", 0)


if __name__ == "__main__":
    unittest.main()
