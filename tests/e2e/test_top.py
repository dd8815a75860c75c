#!/usr/bin/env python3
"""millrace top: once for scripts, and live on a terminal."""
import json
import os
import pty
import select
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import OK, PROGRAM, USAGE, Cli  # noqa: E402
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

    @needs_terminal
    def test_live(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, "top"], {**self.environment, "TERM": "xterm"})
        seen = b""

        def until(text):
            nonlocal seen
            while text not in seen:
                self.assertTrue(select.select([terminal], [], [], DEADLINE_S)[0], seen)
                seen += os.read(terminal, 65536)
            seen = seen[seen.index(text) + len(text) :]

        until(b"\x1b[?1049h")
        until(b"by depth")
        until(b"deep ")
        os.write(terminal, b"s")
        until(b"by shed")
        until(b"lossy")
        os.write(terminal, b"q")
        until(b"\x1b[?1049l")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), OK)
        os.close(terminal)


if __name__ == "__main__":
    unittest.main()
