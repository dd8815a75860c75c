#!/usr/bin/env python3
"""PROTOCOL.md says what the daemon does: every conversation on it is held with the real one, and its tables are held against the code.

So are the conversations in tests/conversations/, in the same notation, and somewhat more of it: "…" before the end of an object stands for more members, "…x…" for any text with x in it; ">>" asks
again until the reply is as the next line says; "U" is a connection over the Unix socket; "B ends", "B ends sending" and "B is closed" are what happens to connections. A line "set KEY=VALUE" is of
the configuration, "# name" begins a conversation; the rest is for people."""
import json
import os
import re
import socket
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


def files():
    """The files of conversations, and how many they are at least."""
    folder = os.path.join(ROOT, "tests", "conversations")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def conversations_of(path):
    """Settings, and {name: [(who, what, text)]}."""
    settings, found, lines = [], {}, []
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("# "):
                lines = found.setdefault(line[2:], [])
            elif match := re.match(r"([A-Z]?)(>>|[<>]) (.*)", line):
                lines.append((match[1] or "A", match[2], match[3]))
            elif match := re.fullmatch(r"([A-Z]) (ends|ends sending|is closed)", line):
                lines.append((match[1], match[2], ""))
            elif line.startswith("set "):
                settings.append(line[4:])
    return settings, found


def start(settings=tuple(f"channels.{name}={definition}" for name, definition in CHANNELS.items())):
    return Daemon(*(part for setting in settings for part in ("--set", setting)))


def has(actual, expected):
    """Whether `actual` has at least what `expected` has; "…" at the end of a string stands for anything, at both ends for what is around it."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(key in actual and has(actual[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(has, actual, expected))
    if isinstance(expected, str) and expected.startswith("…") and expected.endswith("…"):
        return isinstance(actual, str) and expected[1:-1] in actual
    if isinstance(expected, str) and expected.endswith("…"):
        return actual.startswith(expected[:-1]) and len(actual) > len(expected)
    return actual == expected


class Talk:
    """The connections of a conversation, and the tokens that stand for those of the daemon."""

    def __init__(self, daemon):
        self.daemon, self.connections, self.leases = daemon, {}, {}
        self.came = {}  # replies that were read while another was waited for
        self.speaker = None

    def connection(self, who):
        if who not in self.connections:
            self.connections[who] = Connection(self.daemon.socket_path if who == "U" else self.daemon)
            self.came[who] = []
        return self.connections[who]

    def settle(self):
        """What the last speaker sent has been carried out when this returns."""
        if self.speaker in self.connections:
            self.connections[self.speaker].send(id=99, op="ping")
            while (reply := self.connections[self.speaker].receive())["id"] != 99:
                self.came[self.speaker].append(reply)

    def send(self, who, text):
        if who != self.speaker:
            self.settle()
        self.speaker = who
        for shown, real in self.leases.items():
            text = text.replace(f'"lease":"{shown}"', f'"lease":"{real}"')
        self.connection(who).send(text)

    def receive(self, who):
        return self.came[who].pop(0) if self.came[who] else self.connection(who).receive()

    def end(self, who, sending_only=False):
        self.settle()
        if sending_only:
            self.connections[who].socket.shutdown(socket.SHUT_WR)
        else:
            self.connections.pop(who).close()
        self.speaker = None

    def close(self):
        for connection in self.connections.values():
            connection.close()


def expectation(text):
    """The object that a line says, and whether it says all of it."""
    parts = re.sub(r"(\{|,)…\}", lambda match: "{}" if match[1] == "{" else "}", text)
    return json.loads(parts), not text.endswith("…}")


class Protocol(unittest.TestCase):
    def test_conversations(self):
        found = conversations()
        self.assertGreater(len(found), 15)
        for section, lines in found:
            with self.subTest(section=section, first=lines[0][2]):
                self.hold(start(), lines, {"error", "waiters", "channels", "leases"})

    def test_more_conversations(self):
        for path in files():
            settings, found = conversations_of(path)
            self.assertTrue(found)
            for name, lines in found.items():
                with self.subTest(file=os.path.basename(path), name=name):
                    self.hold(start(settings), lines, {"waiters", "channels"})

    def hold(self, daemon, lines, loose):
        with daemon:
            talk = Talk(daemon)
            try:
                for i, (who, what, text) in enumerate(lines):
                    self.take_turn(talk, who, what, text, loose, lines[i + 1][2] if what == ">>" else None)
            finally:
                talk.close()

    def take_turn(self, talk, who, what, text, loose, awaited):
        if what in (">", ">>"):
            talk.send(who, text)
            while awaited and not has(reply := talk.receive(who), expectation(awaited)[0]):
                talk.send(who, text)
            if awaited:
                talk.came[who].insert(0, reply)
        elif what == "is closed":
            self.assertIsNone(talk.receive(who))
        elif what != "<":
            talk.end(who, what == "ends sending")
        else:
            self.compare(talk, *expectation(text), talk.receive(who), loose)

    def compare(self, talk, expected, is_all, actual, loose):
        if "lease" in expected:  # the page's token stands for the real one
            self.assertRegex(actual.get("lease", ""), "^[0-9a-f]{32}$")
            talk.leases[expected["lease"]] = expected["lease"] = actual["lease"]
        self.assertTrue(actual.get("message") or "error" not in actual)
        self.assertTrue(has(actual, expected), f"\nthe page:   {expected}\nthe daemon: {actual}")
        if is_all and not loose & set(expected):
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
