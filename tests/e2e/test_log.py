#!/usr/bin/env python3
"""The log: its forms and levels, and overload told with client and channel, not over and over."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, PROGRAM, Connection, Daemon, Directory, run  # noqa: E402

CHANNELS = "channels={d: {kind: dropping, capacity: 1}, s: {kind: sliding, capacity: 1}, p: {kind: promise}, b: {kind: bounded, capacity: 100}}"


def lines_with(daemon, text):
    return [line for line in daemon.log().splitlines() if text in line]


class Forms(unittest.TestCase):
    def test_json(self):
        with Daemon("--log", "json", "--set", CHANNELS) as daemon, Connection(daemon) as connection:
            connection.ask(id=1, op="hello", protocol=1, name='a "b"\\\n\x7f é')
            for i in range(3):
                connection.ask(id=1, op="put", channel="d", value=i)
            row = json.loads(daemon.wait_log("shed"))
            self.assertEqual((row["level"], row["client"], row["name"], row["channel"]), ("warning", 1, 'a "b"\\?? é', "d"))
            self.assertRegex(row["peer"], r"^127\.0\.0\.1:\d+$")
            self.assertRegex(row["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn('client 1 "a', row["message"])
            daemon.stop()
            for line in daemon.log().splitlines():
                self.assertLessEqual({"time", "level", "message"}, set(json.loads(line)))

    def test_levels(self):
        with Daemon("--set", CHANNELS) as daemon, Connection(daemon) as connection:
            self.assertTrue(lines_with(daemon, " info: "))
            connection.ask(id=1, op="ping")
        done = run("--listen", "unix:///nonexistent/m.sock", "--http", "none", "--set", "log_level=error")
        self.assertRegex(done.stderr, r"^\S+ error: [^\n]+\n$")

    def test_mistakes(self):
        for setting in ("log=xml", "log_level=debug", "log=[]"):
            self.assertEqual(run("--check", "--set", setting).returncode, 1, setting)
        self.assertIn("text or json", run("--check", "--log", "yaml").stderr)


class Unread(Directory):
    def connect(self, path, process):
        """As soon as it listens, which the log cannot tell."""
        while process.poll() is None:
            try:
                return Connection(path)
            except (FileNotFoundError, ConnectionRefusedError):
                os.sched_yield()
        self.fail("the daemon has ended")

    def test_a_full_pipe_neither_stops_the_daemon_nor_keeps_it(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        path = self.path("m.sock")
        process = subprocess.Popen([PROGRAM, "--http", "none", "--listen", "unix://" + path], stderr=writer)
        self.addCleanup(process.kill)
        os.close(writer)
        with self.connect(path, process) as connection:
            self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")
        process.terminate()
        self.assertEqual(process.wait(DEADLINE_S), 0)
        os.close(reader)


class Overload(unittest.TestCase):
    def test_who_sheds_is_told_once_in_a_while(self):
        with Daemon("--set", CHANNELS) as daemon, Connection(daemon) as one, Connection(daemon) as two:
            one.ask(id=1, op="hello", protocol=1, name="sensor")
            for i in range(50):
                one.ask(id=1, op="put", channel="d", value=i)
            two.ask(id=1, op="put", channel="s", value=1)
            two.send(op="put", channel="s", value=2)
            two.ask(id=1, op="ping")
            (line,) = lines_with(daemon, "channel d")
            self.assertRegex(line, r'warning: client 1 "sensor" \(127\.0\.0\.1:\d+\) puts into channel d \(dropping\)')
            (line,) = lines_with(daemon, "channel s")
            self.assertIn(" info: client 2 (", line)

    def test_a_promise_sheds_nothing_that_matters(self):
        with Daemon("--set", CHANNELS) as daemon, Connection(daemon) as one:
            for i in range(3):
                one.ask(id=1, op="put", channel="p", value=i)
            self.assertEqual(lines_with(daemon, "channel p"), [])

    def test_many_who_shed_do_not_fill_the_log(self):
        with Daemon("--set", CHANNELS) as daemon:
            connections = [Connection(daemon) for _ in range(30)]
            for connection in connections:
                connection.ask(id=1, op="put", channel="d", value=1)
                connection.ask(id=1, op="put", channel="d", value=1)
            self.assertEqual(len(lines_with(daemon, "channel d")), 10)
            for connection in connections:
                connection.close()

    def test_who_does_not_read_is_told(self):
        with Daemon("--set", CHANNELS, "--set", "limits.max_output=64KiB", "--set", "limits.max_frame=8MiB") as daemon, Connection(daemon) as one, Connection(daemon) as two:
            one.ask(id=1, op="hello", protocol=1, name="sleeper")
            for i in range(4):
                two.ask(id=1, op="put", channel="b", value="x" * (7 << 20))
                one.send(id=10 + i, op="take", channel="b")
            self.assertRegex(daemon.wait_log("does not read"), r'warning: client 1 "sleeper" \(127\.0\.0\.1:\d+\) does not read its replies of channel b: \d+ bytes')

    def test_who_reads_large_replies_is_not(self):
        with Daemon("--set", CHANNELS, "--set", "limits.max_output=64KiB", "--set", "limits.max_frame=1MiB") as daemon, Connection(daemon) as one:
            for _ in range(5):
                one.ask(id=1, op="put", channel="b", value="x" * 200_000)
                one.ask(id=1, op="take", channel="b")
            self.assertEqual(lines_with(daemon, "does not read"), [])


if __name__ == "__main__":
    unittest.main()
