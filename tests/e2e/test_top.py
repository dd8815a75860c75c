#!/usr/bin/env python3
"""millrace top: once for scripts, and live on a terminal."""
import json
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CONNECT, OK, PROGRAM, USAGE, Cli  # noqa: E402
from millraced import DEADLINE_S, Connection  # noqa: E402
from terminal import needs_terminal  # noqa: E402


class Top(Cli):
    channels = "{deep: {kind: bounded, capacity: 100}, lossy: {kind: dropping, capacity: 1}, meet: {kind: unbuffered}, idle: {kind: promise}}"

    def setUp(self):
        super().setUp()
        self.connection = Connection(self.daemon)
        self.addCleanup(self.connection.close)
        for i in range(5):
            self.connection.ask(id=1, op="put", channel="deep", value=i)
            self.connection.ask(id=1, op="put", channel="lossy", value=i)
        self.connection.send(id=2, op="take", channel="meet")
        self.connection.ask(id=3, op="ping")

    def names(self, *arguments):
        return [json.loads(line)["channel"] for line in self.run_cli("top", "--once", "-o", "json", *arguments).stdout.splitlines()]

    def test_orders(self):
        self.assertEqual(self.names(), ["deep", "lossy", "idle", "meet"])
        self.assertEqual(self.names("--sort", "name"), ["deep", "idle", "lossy", "meet"])
        self.assertEqual(self.names("--sort", "shed")[0], "lossy")
        self.assertEqual(self.names("--sort", "oldest")[0], "meet")
        self.assertEqual(self.names("-n", "2"), ["deep", "lossy"])
        self.assertEqual(self.names("[im]*"), ["idle", "meet"])

    def test_a_table_and_its_numbers(self):
        lines = self.run_cli("top", "--once").stdout.splitlines()
        self.assertEqual(lines[0].split(), "CHANNEL KIND CAPACITY DEPTH IN/S OUT/S SHED/S SHED PUTS TAKES OLDEST_MS".split())
        self.assertEqual(lines[1].split(), "deep bounded 100 5 0.0 0.0 0.0 0 0 0 -".split())
        self.assertEqual(lines[2].split()[7], "4")
        self.assertEqual(self.run_cli("top", "--once", "-o", "raw").stdout.splitlines()[0].split("\t")[:4], ["deep", "bounded", "100", "5"])

    def test_rates_are_of_the_second_that_it_looks(self):
        process = subprocess.Popen([PROGRAM, "top", "-o", "json", "--sort", "rate"], stdout=subprocess.PIPE, text=True, env=self.environment)
        while process.poll() is None:
            self.connection.ask(id=1, op="put", channel="lossy", value=1)
            self.connection.ask(id=1, op="take", channel="deep", timeout_ms=1)
            self.connection.ask(id=1, op="put", channel="deep", value=1)
        row = {row["channel"]: row for row in map(json.loads, process.communicate()[0].splitlines())}
        self.assertGreater(row["deep"]["in_rate"], 0)
        self.assertGreater(row["deep"]["out_rate"], 0)
        self.assertGreater(row["lossy"]["shed_rate"], 0)
        self.assertEqual(row["idle"]["in_rate"], 0)

    def test_mistakes(self):
        self.expect(USAGE, "", "top", "--sort", "size", err="depth, rate, shed, oldest or name")

    def live(self, columns=80, **environment):
        """A `top` on a terminal of that width, and 24 lines."""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(PROGRAM, [PROGRAM, "top"], {**self.environment, "TERM": "xterm", **environment})
        self.addCleanup(os.close, self.terminal)
        self.seen = b""

    def until(self, text):
        """All that it shows before this text."""
        while text not in self.seen:
            self.assertTrue(select.select([self.terminal], [], [], DEADLINE_S)[0], self.seen)
            self.seen += os.read(self.terminal, 65536)
        before, self.seen = self.seen.split(text, 1)
        return before

    def end(self):
        """The rest of it, and its exit status."""
        while True:
            try:
                read = os.read(self.terminal, 65536)
            except OSError:
                break
            if not read:
                break
            self.seen += read
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @needs_terminal
    def test_live(self):
        self.live()
        self.until(b"\x1b[?1049h")
        self.until(b"by depth")
        self.until(b"deep ")
        os.write(self.terminal, b"s")
        self.until(b"by shed")
        self.until(b"lossy")
        os.write(self.terminal, b"q")
        self.until(b"\x1b[?1049l")
        self.assertEqual(self.end(), OK)

    @needs_terminal
    def test_no_line_is_wider_than_the_terminal(self):
        self.connection.ask(id=4, op="create", channel="x" * 128, kind="bounded", capacity=10)
        for columns in (114, 80, 60, 40, 20):
            self.live(columns)
            self.until(b"\x1b[H")
            screen = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.until(b"\x1b[J")).decode()
            for line in screen.replace("\r", "").split("\n"):
                self.assertLess(len(line), columns, line)
            self.assertIn("deep ", screen)
            self.assertIn("\u2026", screen)
            os.write(self.terminal, b"q")
            self.assertEqual(self.end(), OK)

    @needs_terminal
    def test_no_colours_where_nobody_wants_them(self):
        colour = re.compile(rb"\x1b\[[0-9;]*m")
        for environment, has_colours in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
            self.live(**environment)
            self.until(b"\x1b[H")
            self.assertEqual(bool(colour.search(self.until(b"\x1b[J"))), has_colours, environment)
            os.write(self.terminal, b"q")
            self.assertEqual(self.end(), OK)

    @needs_terminal
    def test_a_dumb_terminal_gets_one_table(self):
        self.live(TERM="dumb")
        self.assertEqual(self.end(), OK)
        self.assertNotIn(b"\x1b", self.seen)
        self.assertIn(b"deep ", self.seen)

    @needs_terminal
    def test_the_end_of_the_daemon_is_told_on_the_screen_that_stays(self):
        self.live()
        self.until(b"deep ")
        self.daemon.kill(signal.SIGKILL)
        self.assertEqual(self.end(), CONNECT)
        self.assertIn(b"connection", self.seen[self.seen.index(b"\x1b[?1049l") :])
        self.daemon.wait()
        self.daemon.stop = lambda: 0


if __name__ == "__main__":
    unittest.main()
