#!/usr/bin/env python3
"""PROTOCOL.md says what the daemon does: every conversation on it is held with the real one, and its tables are held against the code."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, Connection, Daemon  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CHANNELS = {
    "jobs": "{kind: bounded, capacity: 2}",
    "meet": "{kind: unbuffered}",
    "lossy": "{kind: dropping, capacity: 1}",
    "latest": "{kind: sliding, capacity: 1}",
    "leader": "{kind: promise}",
}


def page():
    with open(os.path.join(ROOT, "proto", "PROTOCOL.md"), encoding="utf-8") as file:
        return file.read()


def conversations():
    """Lists of (section, [(who, direction, text)])."""
    section, lines, found = "", [], []
    for line in page().splitlines() + [""]:
        match = re.match(r"    (B?)([<>]) (.*)", line)
        if match:
            lines.append((match[1] or "A", match[2], match[3]))
        elif lines:
            found.append((section, lines))
            lines = []
        if line.startswith("#"):
            section = line.lstrip("# ")
    return found


def start():
    return Daemon(*(part for name, definition in CHANNELS.items() for part in ("--set", f"channels.{name}={definition}")))


def has(actual, expected):
    """Whether `actual` has at least what `expected` has; "…" at the end of a string stands for anything."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(key in actual and has(actual[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(has, actual, expected))
    if isinstance(expected, str) and expected.endswith("…"):
        return actual.startswith(expected[:-1]) and len(actual) > len(expected)
    return actual == expected


class Protocol(unittest.TestCase):
    def test_conversations(self):
        found = conversations()
        self.assertGreater(len(found), 15)
        for section, lines in found:
            with self.subTest(section=section, first=lines[0][2]):
                self.hold(lines)

    def hold(self, lines):
        with start() as daemon, Connection(daemon) as first, Connection(daemon) as second:
            connections, leases = {"A": first, "B": second}, {}
            for who, direction, text in lines:
                if direction == ">":
                    if who == "B":  # what A sent has been carried out by then
                        self.assertEqual(first.ask(id=99, op="ping")["id"], 99)
                    for shown, real in leases.items():
                        text = text.replace(shown, real)
                    connections[who].send(text)
                else:
                    expected, actual = json.loads(text), connections[who].receive()
                    if "lease" in expected:  # the page's token stands for the real one
                        self.assertRegex(actual.get("lease", ""), "^[0-9a-f]{32}$")
                        leases[expected["lease"]] = expected["lease"] = actual["lease"]
                    self.assertTrue(has(actual, expected), f"\nthe page:   {expected}\nthe daemon: {actual}")
                    if not {"error", "waiters", "channels", "leases"} & set(expected):
                        self.assertEqual(set(actual), set(expected))

    def test_bytes(self):
        """The frames that are shown byte by byte."""
        request, reply = (bytes.fromhex(line.strip()) for line in re.findall(r"^    (00 00 00 [0-9a-f ]+)$", page(), re.M))
        with start() as daemon, Connection(daemon) as connection:
            connection.socket.sendall(request)
            self.assertEqual(connection.stream.read(len(reply)), reply)

    def test_every_word_of_the_code_is_on_the_page(self):
        with open(os.path.join(ROOT, "proto", "status.def"), encoding="utf-8") as file:
            words = re.findall(r'^(?:STATUS|ERROR)\(\w+, "(\w+)"', file.read(), re.M)
        self.assertGreater(len(words), 20)
        tables = page().split("## Statuses and errors")[1]
        for word in words:
            self.assertIn(f"`{word}`", tables)

    def test_the_client_on_the_page_works(self):
        with start() as daemon:
            source = re.search(r"```python\n(.*?)```", page(), re.S)[1].replace("7223", str(daemon.port))
            run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=DEADLINE_S)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("'value': {'url': 'http://x/y'}", run.stdout)


if __name__ == "__main__":
    unittest.main()
