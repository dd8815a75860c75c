#!/usr/bin/env python3
"""Taps through the real daemon, by its protocol: subscriptions, matches, circles, rights, pages."""
import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import NO_CHANNEL, OK, PROGRAM, TIMEOUT, Cli  # noqa: E402
from millraced import BUILD, DEADLINE_S, Connection, Daemon, Directory  # noqa: E402


class Taps(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(Daemon(*self.arguments()))
        self.connection = self.enterContext(Connection(self.daemon))
        self.id = 0

    def arguments(self):
        channels = ["events={kind: bounded, capacity: 10}", "orders={kind: bounded, capacity: 10}", "audit={kind: bounded, capacity: 10}"]
        return [argument for channel in channels for argument in ("--set", "channels." + channel)]

    def ask(self, connection=None, **members):
        self.id += 1
        return (connection or self.connection).ask(id=self.id, **members)

    def ok(self, connection=None, **members):
        reply = self.ask(connection, **members)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def refused(self, code, words, connection=None, **members):
        reply = self.ask(connection, **members)
        self.assertEqual((reply["status"], reply.get("error")), ("error", code), reply)
        self.assertIn(words, reply["message"])

    def rows(self, connection=None, **members):
        rows, after = [], 0
        while True:
            page = self.ok(connection, op="taps", after=after, **members)
            rows += page["taps"]
            if not page["more"]:
                return rows
            after = page["next"]

    def test_hello_names_the_feature(self):
        self.assertIn("taps", self.ok(op="hello", protocol=1)["features"])

    def test_a_match_carries_what_it_matches(self):
        reply = self.ok(op="tap", **{"from": "events", "to": "orders", "match": {"/type": "order", "/n": 1}})
        self.assertEqual((reply["to"], reply["created"]), ("orders", True))
        for value in ({"type": "order", "n": 1.0}, {"type": "order", "n": 2}, {"n": 1, "type": "order", "x": [1]}):
            self.ok(op="put", channel="events", value=value)
        self.assertEqual(self.ok(op="take", channel="orders", max=9)["values"], [{"type": "order", "n": 1.0}, {"n": 1, "type": "order", "x": [1]}])
        row, = self.rows()
        self.assertEqual((row["from"], row["to"], row["match"], row["close"], row["state"]), ("events", "orders", {"/type": "order", "/n": 1}, True, "run"))
        self.assertEqual((row["carried"], row["unmatched"], row["muted"], row["held"], row["held_ms"]), (2, 1, 0, 0, 0))

    def test_a_subscription_is_the_connections_own_and_goes_with_it(self):
        with Connection(self.daemon) as subscriber:
            channel = self.ok(subscriber, op="tap", **{"from": "events", "kind": "sliding", "capacity": 1})["to"]
            self.assertRegex(channel, r"^_t\.[0-9a-f]{32}$")
            self.ok(op="put", channel="events", values=[1, 2, 3])
            self.assertEqual(self.ok(subscriber, op="take", channel=channel)["value"], 3)
            subscriber.send(id=1, op="take", channel=channel)
            self.ok(op="put", channel="events", value=4)
            self.assertEqual(subscriber.receive()["value"], 4)
        while self.rows():
            pass
        self.ok(op="put", channel="events", value=5)
        self.assertEqual(self.ok(op="stat", channel="events")["buffered"], 1)

    def test_it_is_there_already(self):
        self.ok(op="tap", **{"from": "events", "to": "audit", "match": {"/a": 1}, "close": False, "state": "mute"})
        self.assertFalse(self.ok(op="tap", **{"from": "events", "to": "audit"})["created"])
        row, = self.rows(channel="audit")
        self.assertNotIn("match", row)
        self.assertEqual((row["close"], row["state"]), (True, "run"))

    def test_backpressure_is_told(self):
        self.ok(op="create", channel="slow", kind="unbuffered")
        self.ok(op="tap", **{"from": "events", "to": "slow"})
        self.ok(op="put", channel="events", value=1)
        self.assertEqual(self.rows()[0]["held"], 1)
        self.assertEqual(self.ok(op="stat", channel="events")["leased"], 1)
        waiter, = self.ok(op="waiters", channel="slow")["waiters"]
        self.assertEqual((waiter["op"], waiter["arms"]), ("tap", [{"put": "slow"}]))
        self.assertNotIn("connection", waiter)

    def test_what_is_wrong_is_said(self):
        self.refused("bad_request", "pointers", op="tap", **{"from": "events", "to": "audit", "match": "x"})
        self.refused("bad_request", "begins with '/'", op="tap", **{"from": "events", "to": "audit", "match": {"type": 1}})
        self.refused("bad_request", "\"state\" is", op="tap", **{"from": "events", "to": "audit", "state": "stop"})
        self.refused("bad_request", "not both", op="tap", **{"from": "events", "to": "audit", "kind": "bounded", "capacity": 1})
        self.refused("bad_request", "not both", op="tap", **{"from": "events"})
        self.refused("bad_channel", "needs a \"capacity\"", op="tap", **{"from": "events", "kind": "sliding"})
        self.refused("no_such_channel", "\"nowhere\"", op="tap", **{"from": "events", "to": "nowhere"})
        self.refused("no_such_tap", "\"events\" to \"audit\"", op="untap", **{"from": "events", "to": "audit"})
        self.assertEqual(self.rows(), [])

    def test_a_circle_is_named(self):
        self.ok(op="tap", **{"from": "events", "to": "orders"})
        self.ok(op="tap", **{"from": "orders", "to": "audit"})
        self.refused("bad_request", "audit -> events -> orders -> audit", op="tap", **{"from": "audit", "to": "events"})

    def test_pages(self):
        for number in range(70):
            self.ok(op="create", channel=f"d{number}", kind="dropping", capacity=1)
            if number < 64:
                self.ok(op="tap", **{"from": "events", "to": f"d{number}"})
        self.refused("overloaded", "at most 64 taps", op="tap", **{"from": "events", "to": "d64"})
        self.assertEqual([row["to"] for row in self.rows(limit=7)], [f"d{number}" for number in range(64)])
        self.assertEqual([row["to"] for row in self.rows(channel="d3", limit=1)], ["d3"])

    def test_closing(self):
        self.ok(op="tap", **{"from": "events", "to": "audit"})
        self.ok(op="close", channel="events")
        self.assertEqual(self.ask(op="take", channel="audit")["status"], "closed")
        self.assertEqual(self.ask(op="tap", **{"from": "orders", "to": "audit"})["status"], "closed")


CONFIGURATION = """
channels:
  events: {kind: bounded, capacity: 10}
  audit: {kind: bounded, capacity: 10}
  search: {kind: bounded, capacity: 10}
  orders: {kind: bounded, capacity: 10}
taps:
  - {from: events, to: [audit, search]}
  - {from: events, to: orders, match: {/type: order, /n: 1, /s: "1"}, close: false, state: STATE}
"""


class Configured(Directory):
    def test_taps_of_the_configuration_are_there_and_follow_it(self):
        path = self.write(CONFIGURATION.replace("STATE", "run"))
        with Daemon("-c", path) as daemon, Connection(daemon) as connection:
            rows = connection.ask(id=1, op="taps")["taps"]
            self.assertEqual([(row["from"], row["to"], row["close"], row["state"], row.get("match")) for row in rows],
                             [("events", "audit", True, "run", None), ("events", "search", True, "run", None),
                              ("events", "orders", False, "run", {"/type": "order", "/n": 1, "/s": "1"})])  # fmt: skip
            connection.ask(id=2, op="put", channel="events", value={"type": "order", "n": 1, "s": "1"})
            self.assertEqual([row["carried"] for row in connection.ask(id=3, op="taps")["taps"]], [1, 1, 1])
            self.write(CONFIGURATION.replace("STATE", "mute"))
            daemon.kill(signal.SIGHUP)
            daemon.wait_log("reloaded")
            self.assertEqual([(row["state"], row["carried"]) for row in connection.ask(id=4, op="taps")["taps"]], [("run", 1), ("run", 1), ("mute", 1)])

    def test_what_is_wrong_is_refused_with_its_place(self):
        for taps, words in (("[{from: events}]", "2:8: a tap needs from and to"), ("[{from: events, to: x}]", '"x" is none of the channels'),
                            ("[{from: events, to: audit, match: {type: 1}}]", "begins with '/'"), ("[{from: events, to: audit, state: stop}]", "is not a state"),
                            ("[{from: events, to: audit}, {from: audit, to: events}]", "circle"), ("[{from: events, to: events}]", "circle"),
                            ("[{from: events, to: audit, match: {/a: [1]}}]", "a string, a number")):  # fmt: skip
            path = self.write(f"channels: {{events: {{kind: unbuffered}}, audit: {{kind: unbuffered}}}}\ntaps: {taps}\n")
            done = subprocess.run([os.path.join(BUILD, "millraced"), "--check", "-c", path], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, taps)
            self.assertIn(words, done.stdout + done.stderr)


class CommandLine(unittest.TestCase):
    def test_tap_taps_and_untap(self):
        with Daemon("--set", "channels.a={kind: bounded, capacity: 9}", "--set", "channels.b={kind: unbuffered}") as daemon:

            def millrace(*words):
                done = subprocess.run([os.path.join(BUILD, "millrace"), "--url", f"tcp://127.0.0.1:{daemon.port}", *words], capture_output=True, text=True)
                return done.returncode, done.stdout

            self.assertEqual(millrace("tap", "a", "b"), (0, "tapped\n"))
            self.assertEqual(millrace("tap", "a", "b"), (0, "it was there\n"))
            self.assertEqual(millrace("tap", "b", "a")[0], 1)
            self.assertEqual(millrace("put", "a", "1")[0], 0)
            code, text = millrace("taps", "a", "-o", "json")
            row = json.loads(text)
            self.assertEqual((code, row["from"], row["to"], row["held"]), (0, "a", "b", 1))
            self.assertEqual(millrace("untap", "a", "b"), (0, "untapped\n"))
            self.assertEqual(millrace("untap", "a", "b")[0], 1)
            self.assertEqual(millrace("taps", "nowhere")[0], 7)

    def test_what_cannot_be_is_told(self):
        with Daemon("--set", "channels.a={kind: bounded, capacity: 9}", "--set", "channels.b={kind: unbuffered}") as daemon:
            for words, said in ((["a"], "needs the kind"), (["a", "b", "--sliding", "3"], "has a kind of its own"), (["a", "b", "-n", "3"], "without a TARGET"),
                                (["a", "--sliding", "3", "--bounded", "3"], "one kind"), (["a", "--sliding", "0"], "not a number"), (["a", "b", "--state", "stop"], "say run"),
                                (["a", "b", "--match", "type=order"], "POINTER=VALUE"), (["a", "b", "--match", "/type"], "POINTER=VALUE"),
                                (["a", "--unbuffered", "--keep-open"], "with a TARGET")):  # fmt: skip
                done = subprocess.run([os.path.join(BUILD, "millrace"), "--url", f"tcp://127.0.0.1:{daemon.port}", "tap", *words], capture_output=True, text=True)
                self.assertEqual(done.returncode, 2, words)
                self.assertIn(said, done.stderr)


class Live(Cli):
    """`millrace tap` without a target prints what comes."""

    channels = "{events: {kind: bounded, capacity: 100}, orders: {kind: bounded, capacity: 100}}"

    def rows(self):
        return [json.loads(line) for line in self.run_cli("taps", "-o", "json").stdout.splitlines()]

    def subscribe(self, *arguments):
        process = self.start("tap", "events", *arguments)
        while not self.rows():
            pass
        return process

    def finish(self, process, out="", status=OK):
        self.assertEqual((process.communicate(timeout=DEADLINE_S), process.returncode), ((out, ""), status))

    def test_until_the_source_ends(self):
        live = self.subscribe("--sliding", "100", "--match", "/type=order", "--match", "/n=1", "-o", "json")
        self.assertEqual(self.rows()[0]["match"], {"/type": "order", "/n": 1})
        self.run_cli("put", "events", '{"type":"order","n":1}', '{"type":"x","n":1}', '{"n":1.0,"type":"order"}')
        self.run_cli("close", "events")
        self.finish(live, '{"channel":"events","value":{"type":"order","n":1}}\n{"channel":"events","value":{"n":1.0,"type":"order"}}\n')

    def test_a_number_of_them(self):
        for arguments in ([], ["--batch", "50"]):
            live = self.subscribe("--unbuffered", "-n", "3", *arguments)
            self.run_cli("put", "events", "1", "2", "3")
            self.finish(live, "1\n2\n3\n")
            while self.rows():
                pass

    def test_time_is_over_and_ctrl_c(self):
        self.expect(TIMEOUT, "", "tap", "events", "--sliding", "1", "--timeout", "1", err="events")
        live = self.subscribe("--dropping", "1")
        live.terminate()
        self.finish(live, status=143)

    def test_who_reads_slowly(self):
        """Sliding misses what is old, and holds nobody up; a bounded one holds the source up."""
        with open(os.devnull, "rb") as nothing:
            live = subprocess.Popen([PROGRAM, "tap", "events", "--sliding", "2"], env=self.environment, stdin=nothing, stdout=subprocess.PIPE)
        while not self.rows():
            pass
        value = json.dumps("x" * 3000)
        self.expect(OK, "", "put", "events", "-q", *(str(n) for n in range(9)), *[value] * 200, "198", "199")
        while self.rows()[0]["carried"] != 211:
            pass
        seen = []
        while not seen or seen[-1] != "199":
            seen.append(live.stdout.readline().decode().strip())
        self.assertEqual(seen[-2:], ["198", "199"])
        self.assertLess(len(seen), 200)
        live.terminate()
        live.communicate(timeout=DEADLINE_S)

    def test_a_source_that_is_exhausted_or_not_there(self):
        self.run_cli("close", "events")
        self.expect(OK, "", "tap", "events", "--sliding", "1")
        self.expect(NO_CHANNEL, "", "tap", "evnets", "--sliding", "1", err="events")

    def test_a_target_with_all_that_it_can_have(self):
        self.expect(OK, "tapped\n", "tap", "events", "orders", "--match", "/s=\"1\"", "--match", "/t=it's", "--match", "=null", "--state", "mute", "--keep-open")
        row, = self.rows()
        self.assertEqual((row["match"], row["state"], row["close"]), ({"/s": "1", "/t": "it's", "": None}, "mute", False))


if __name__ == "__main__":
    unittest.main()
