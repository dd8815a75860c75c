#!/usr/bin/env python3
"""Metrics and events: the same numbers as stat's, all channels however many, and what changes."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from web import Web  # noqa: E402

CHANNELS = "channels={b: {kind: bounded, capacity: 4}, d: {kind: dropping, capacity: 1}, s: {kind: sliding, capacity: 1}, u: {kind: unbuffered}, p: {kind: promise}}"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? ([0-9.e+-]+|\+Inf)')


def parse(text):
    """{(name, labels): number}, by the format's rules: a HELP and a TYPE before a metric's samples, which stand together, none twice."""
    samples, types, seen, current = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert (word, name) not in seen, line
            seen.add((word, name))
            if word == "TYPE":
                current, types[name] = name, rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        base = re.sub(r"_(bucket|sum|count)$", "", match[1]) if types[current] == "histogram" else match[1]
        assert base == current, line
        key = (match[1], match[2] or "")
        assert key not in samples, line
        samples[key] = float(match[3])
    return samples


class Metrics(unittest.TestCase):
    def scrape(self, web):
        answer = web.ask("GET", "/metrics")
        self.assertEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(answer.body.decode())

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed: it is of the package prometheus")
    def test_prometheus_takes_them(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as connection:
            connection.ask(id=1, op="put", channel="none", value=1)
            text = web.ask("GET", "/metrics").body.decode()
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_of_the_process(self):
        before = time.time()
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Web(daemon) as web:
            samples = self.scrape(web)
            self.assertLessEqual(before - 1, samples["process_start_time_seconds", ""])
            self.assertLessEqual(samples["process_start_time_seconds", ""], time.time() + 1)
            self.assertEqual(samples["process_open_fds", ""], len(os.listdir(f"/proc/{daemon.process.pid}/fd")))
            self.assertGreaterEqual(samples["process_max_fds", ""], samples["process_open_fds", ""])
            with Web(daemon) as other, Web(daemon) as third:
                self.assertEqual((other.ask("GET", "/healthz").code, third.ask("GET", "/healthz").code), (200, 200))
                self.assertEqual(self.scrape(web)["process_open_fds", ""], samples["process_open_fds", ""] + 2)
            self.assertEqual(self.scrape(web)["process_start_time_seconds", ""], samples["process_start_time_seconds", ""])

    def test_all_of_many_descriptors(self):
        """They are counted in slices."""
        with Daemon(http="127.0.0.1:0") as daemon, Web(daemon) as web, contextlib.ExitStack() as stack:
            few = self.scrape(web)["process_open_fds", ""]
            for _ in range(700):
                self.assertEqual(stack.enter_context(Connection(daemon)).ask(id=1, op="ping")["status"], "ok")
            self.assertEqual(self.scrape(web)["process_open_fds", ""], few + 700)

    def test_requests_and_errors_by_op_and_code(self):
        def counted(web):
            return {key: n for key, n in self.scrape(web).items() if key[0] in ("millrace_requests_total", "millrace_request_errors_total") and n}

        def request(op, n):
            return {("millrace_requests_total", f'op="{op}"'): n}

        def error(op, code, n):
            return {("millrace_request_errors_total", f'op="{op}",code="{code}"'): n}

        with Daemon("--set", CHANNELS, "--set", "limits.grace_ms=60000", http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as one, Connection(daemon) as two:
            self.assertEqual(counted(web), {})
            self.assertEqual(self.scrape(web)["millrace_requests_total", 'op="alts"'], 0)
            one.ask(id=1, op="put", channel="b", value=1)
            one.ask(id=1, op="take", channel="b")
            one.ask(id=1, op="put", channel="none", value=1)
            one.ask(id=1, op="put", channel="b", value=None)
            one.ask(id=1, op="nonsense")
            one.send("{")
            one.receive()
            expected = {**request("put", 3), **request("take", 1), **request("none", 2), **error("put", "no_such_channel", 1), **error("put", "bad_value", 1),
                        **error("none", "unknown_op", 1), **error("none", "bad_json", 1)}  # fmt: skip
            self.assertEqual(counted(web), expected)
            # The same by HTTP, and what is no op there.
            self.assertEqual(web.ask("POST", "/api/v1/channels/b/values", "null").code, 400)
            self.assertEqual(web.ask("POST", "/api/v1/channels/b/values", "{").code, 400)
            self.assertEqual(web.ask("POST", "/api/v1/channels/b/take?x=1").code, 400)
            self.assertEqual(web.ask("POST", "/api/v1/channels/none/take").code, 404)
            self.assertEqual(web.ask("GET", "/nonsense").code, 404)
            expected = {**expected, **request("put", 5), **request("take", 3), **error("put", "bad_value", 2), **error("put", "bad_json", 1), **error("take", "bad_request", 1),
                        **error("take", "no_such_channel", 1), **error("none", "unknown_op", 2)}  # fmt: skip
            self.assertEqual(counted(web), expected)
            # An error that comes later is that of the op that has waited.
            one.send(id=7, op="alts", arms=[{"take": "u"}])
            one.ask(id=8, op="ping")
            two.ask(id=1, op="put", channel="b", value=1)
            daemon.kill(signal.SIGTERM)
            daemon.wait_log("draining")
            self.assertEqual(two.ask(id=2, op="put", channel="b", value=1)["error"], "draining")
            with Web(daemon) as last:
                expected = {**expected, **request("put", 7), **request("alts", 1), **request("ping", 1), **error("put", "draining", 1)}
                self.assertEqual(counted(last), expected)
            two.ask(id=3, op="take", channel="b")
            self.assertEqual(one.receive()["error"], "draining")

    def test_of_taps(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as connection:

            def counted():
                samples = self.scrape(web)
                return [samples[name, ""] for name in ("millrace_taps", "millrace_taps_held", "millrace_tap_carried_total", "millrace_tap_unmatched_total", "millrace_tap_muted_total")]

            self.assertEqual(counted(), [0, 0, 0, 0, 0])
            connection.ask(id=1, op="tap", **{"from": "b", "to": "d"})
            connection.ask(id=1, op="tap", **{"from": "b", "to": "s", "match": {"": 2}})
            connection.ask(id=1, op="tap", **{"from": "b", "to": "p", "state": "mute"})
            connection.ask(id=1, op="put", channel="b", values=[1, 2, 3])
            self.assertEqual(counted(), [3, 0, 2, 2, 3])  # d sheds two of the three
            connection.ask(id=1, op="tap", **{"from": "b", "to": "u"})
            connection.ask(id=1, op="put", channel="b", value=2)
            self.assertEqual(counted(), [4, 1, 3, 2, 4])
            connection.ask(id=1, op="take", channel="u")
            self.assertEqual(counted(), [4, 0, 4, 2, 4])
            connection.ask(id=1, op="delete", channel="b", force=True)
            self.assertEqual(counted(), [0, 0, 4, 2, 4])

    def test_they_are_the_books(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as one, Connection(daemon) as two:
            one.ask(id=1, op="put", channel="b", values=[1, 22, 333, 4444])
            one.send(id=2, op="put", channel="b", value=5)
            for i in range(3):
                two.ask(id=1, op="put", channel="d", value=i)
                two.ask(id=1, op="put", channel="s", value=i)
            two.ask(id=1, op="take", channel="b", lease_ms=100000)
            two.ask(id=1, op="take", channel="b")
            two.ask(id=1, op="put", channel="p", value=1)
            two.ask(id=1, op="close", channel="s")
            two.send(id=2, op="take", channel="u")
            one.ask(id=3, op="put", channel="u", value=1)
            two.receive()
            two.send(id=3, op="alts", arms=[{"take": "u"}, {"take": "u"}])
            self.assertEqual(two.ask(id=4, op="ping")["id"], 4)
            samples = self.scrape(web)
            for row in two.ask(id=5, op="list")["channels"]:
                label = f'channel="{row["channel"]}"'
                for name in ("accepted", "taken", "returned", "dropped", "evicted", "dead_lettered", "discarded"):
                    self.assertEqual(samples[f"millrace_channel_{name}_total", label], row[name], (name, row))
                for name, member in (("depth", "buffered"), *((name, name) for name in ("leased", "parked_puts", "parked_takes", "bytes", "capacity", "closed"))):
                    self.assertEqual(samples[f"millrace_channel_{name}", label], row[member], (name, row))
                self.assertEqual(samples["millrace_channel_info", f'{label},kind="{row["kind"]}"'], 1)
                for side in ("put", "take"):
                    oldest = samples["millrace_channel_oldest_waiter_seconds", f'{label},side="{side}"']
                    self.assertEqual(oldest > 0, f"oldest_{side}_ms" in row)
            self.assertEqual(samples["millrace_channel_fill_ratio", 'channel="b"'], 1.0)
            self.assertNotIn(("millrace_channel_fill_ratio", 'channel="u"'), samples)
            waits = 'channel="u",side="take"'
            self.assertEqual(samples["millrace_channel_wait_seconds_count", waits], 1)
            self.assertEqual(samples["millrace_channel_wait_seconds_bucket", waits + ',le="+Inf"'], 1)
            self.assertNotIn(("millrace_channel_wait_seconds_count", 'channel="s",side="put"'), samples)
            self.assertEqual(samples["millrace_connections", 'wire="frames"'], 2)
            self.assertEqual(samples["millrace_connections", 'wire="http"'], 1)
            self.assertEqual(samples["millrace_channels", ""], 5)
            self.assertEqual(samples["millrace_draining", ""], 0)
            self.assertGreater(samples["millrace_turn_seconds_count", ""], 5)
            self.assertGreater(samples["process_resident_memory_bytes", ""], 100000)

    def test_all_of_many_channels(self):
        n = 3000
        with Daemon(http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as connection:
            for i in range(n):
                connection.send(id=i, op="create", channel=f"c{i}", kind="bounded", capacity=5)
            connection.send(id=n, op="create", kind="promise")
            for _ in range(n + 1):
                self.assertEqual(connection.receive()["status"], "ok")
            samples = self.scrape(web)
            told = {labels for name, labels in samples if name == "millrace_channel_depth"}
            self.assertEqual(told, {f'channel="c{i}"' for i in range(n)})
            self.assertEqual(samples["millrace_channels", ""], n + 1)

    def test_numbers_of_a_channel_are_of_one_moment(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as connection:
            for _ in range(20):
                for i in range(200):
                    connection.send(id=2 * i, op="put", channel="b", value=i)
                    connection.send(id=2 * i + 1, op="take", channel="b")
                samples = self.scrape(web)
                value = {name: samples[f"millrace_channel_{name}", 'channel="b"'] for name in ("accepted_total", "taken_total", "depth")}
                self.assertEqual(value["accepted_total"], value["taken_total"] + value["depth"])
                for _ in range(400):
                    connection.receive()

    def test_only_so_many_scrapes_at_once_and_who_hangs_up_frees_its_place(self):
        with Daemon(http="127.0.0.1:0") as daemon, Connection(daemon) as connection:
            for i in range(3000):
                connection.send(id=i, op="create", channel=f"c{i}" + "x" * 100, kind="bounded", capacity=5)
            for i in range(3000):
                connection.receive()
            held = [Web(daemon, receive_buffer=4096) for _ in range(4)]
            for web in held:
                web.send("GET", "/metrics")
                self.assertEqual(web.receive_head().code, 200)
            with Web(daemon) as web:
                answer = web.ask("GET", "/metrics")
                self.assertEqual((answer.code, answer.headers["retry-after"]), (503, "1"))
                held[0].close()
                while web.ask("HEAD", "/metrics").code != 200:
                    pass
            for web in held[1:]:
                web.close()


class Listener:
    """What the events have told."""

    def __init__(self, daemon, headers=None):
        self.web = Web(daemon)
        self.web.send("GET", "/api/v1/events", headers=headers)
        head = self.web.receive_head()
        assert head.code == 200 and head.headers["content-type"] == "text/event-stream", head
        self.rows, self.tick, self.text, self.names = {}, None, b"", []

    def next(self):
        while b"\n\n" not in self.text:
            self.text += self.web.receive_chunk()
        event, self.text = self.text.split(b"\n\n", 1)
        name, data = re.fullmatch(rb"event: (\w+)\ndata: (.*)", event).groups()
        name, data = name.decode(), json.loads(data)
        self.names.append(name)
        if name == "reset":
            self.rows = {}
        elif name == "rows":
            self.rows.update({row["channel"]: row for row in data})
        elif name == "gone":
            for channel in data:
                self.rows.pop(channel, None)
        elif name == "tick":
            self.tick = data
        return name

    def until(self, condition):
        while not condition():
            self.next()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.web.close()


class Events(unittest.TestCase):
    def test_all_then_what_changes(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Connection(daemon) as connection, Listener(daemon) as one:
            one.until(lambda: one.names[-1:] == ["synced"])
            self.assertEqual(one.names[0], "reset")
            self.assertEqual(list(one.rows.values()), connection.ask(id=1, op="list")["channels"])
            connection.ask(id=1, op="put", channel="b", value=1)
            one.until(lambda: one.rows["b"]["accepted"] == 1)
            self.assertEqual({row["accepted"] for name, row in one.rows.items() if name != "b"}, {0})
            connection.ask(id=1, op="delete", channel="p")
            connection.ask(id=1, op="create", channel="new", kind="promise")
            with Listener(daemon) as two:
                two.until(lambda: "synced" in two.names and "tick" in two.names)
                one.until(lambda: "new" in one.rows and "p" not in one.rows)
                two.until(lambda: "new" in two.rows)
                self.assertEqual(one.rows, two.rows)
                self.assertEqual(two.tick["channels"], 5)
                self.assertEqual(two.tick["http_connections"], 2)

    def test_what_is_quiet_is_not_told_again(self):
        with Daemon("--set", CHANNELS, http="127.0.0.1:0") as daemon, Listener(daemon) as one:
            one.until(lambda: one.names.count("tick") == 2)
            self.assertEqual(one.names[one.names.index("synced") :].count("rows"), 0)

    def test_many_channels_and_one_who_does_not_read(self):
        n = 2000
        with Daemon("--set", "limits.max_output=64KiB", http="127.0.0.1:0") as daemon, Connection(daemon) as connection:
            for i in range(n):
                connection.send(id=i, op="create", channel=f"c{i:04}", kind="dropping", capacity=1)
            for _ in range(n):
                connection.receive()
            with Web(daemon, receive_buffer=4096) as stuck, Listener(daemon) as one:
                stuck.send("GET", "/api/v1/events")
                one.until(lambda: "synced" in one.names)
                self.assertEqual(sorted(one.rows), [f"c{i:04}" for i in range(n)])
                for i in range(n):
                    connection.send(id=i, op="put", channel=f"c{i:04}", value=1)
                for _ in range(n):
                    connection.receive()
                one.until(lambda: all(row["accepted"] == 1 for row in one.rows.values()))

    def test_only_so_many_listen(self):
        with Daemon(http="127.0.0.1:0") as daemon, Web(daemon) as web:
            held = [Listener(daemon) for _ in range(32)]
            self.assertEqual(web.ask("GET", "/api/v1/events").code, 503)
            for one in held:
                one.web.close()
            while True:
                web.send("GET", "/api/v1/events")
                answer = web.receive_head()
                if answer.code == 200:
                    break
                web.stream.read(int(answer.headers["content-length"]))


if __name__ == "__main__":
    unittest.main()
