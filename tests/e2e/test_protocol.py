#!/usr/bin/env python3
"""PROTOCOL.md says what the daemon does: every conversation on it is held with the real one, and its tables are held against the code."""
import json
import os
import re
import socket
import struct
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build")
DEADLINE_S = 30

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


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.stream = self.socket.makefile("rb")

    def send(self, text):
        body = text.encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self):
        (length,) = struct.unpack(">I", self.stream.read(4))
        return json.loads(self.stream.read(length))

    def close(self):
        self.stream.close()
        self.socket.close()


class Daemon:
    def __init__(self):
        command = [os.path.join(BUILD, "millraced"), "--listen", "tcp://127.0.0.1:0", "--http", "none"]
        for name, definition in CHANNELS.items():
            command += ["--set", f"channels.{name}={definition}"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            match = re.search(r"ready.*:(\d+)", line)
            if match:
                self.port = int(match[1])
                return
        raise AssertionError("the daemon did not start")

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)


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
        daemon = Daemon()
        connections = {"A": Connection(daemon.port), "B": Connection(daemon.port)}
        try:
            for who, direction, text in lines:
                if direction == ">":
                    if who == "B":  # what A sent has been carried out by then
                        connections["A"].send('{"id":99,"op":"ping"}')
                        self.assertEqual(connections["A"].receive()["id"], 99)
                    connections[who].send(text)
                else:
                    expected, actual = json.loads(text), connections[who].receive()
                    self.assertTrue(has(actual, expected), f"\nthe page:   {expected}\nthe daemon: {actual}")
                    if "error" not in expected and "waiters" not in expected and "channels" not in expected:
                        self.assertEqual(set(actual), set(expected))
        finally:
            for connection in connections.values():
                connection.close()
            daemon.stop()

    def test_bytes(self):
        """The frames that are shown byte by byte."""
        daemon = Daemon()
        request, reply = (bytes.fromhex(line.strip()) for line in re.findall(r"^    (00 00 00 [0-9a-f ]+)$", page(), re.M))
        connection = Connection(daemon.port)
        connection.socket.sendall(request)
        self.assertEqual(connection.stream.read(len(reply)), reply)
        connection.close()
        daemon.stop()

    def test_every_word_of_the_code_is_on_the_page(self):
        with open(os.path.join(ROOT, "proto", "status.def"), encoding="utf-8") as file:
            words = re.findall(r'^(?:STATUS|ERROR)\(\w+, "(\w+)"', file.read(), re.M)
        self.assertGreater(len(words), 20)
        tables = page().split("## Statuses and errors")[1]
        for word in words:
            self.assertIn(f"`{word}`", tables)

    def test_the_client_on_the_page_works(self):
        daemon = Daemon()
        source = re.search(r"```python\n(.*?)```", page(), re.S)[1].replace("7223", str(daemon.port))
        run = subprocess.run(["python3", "-c", source], capture_output=True, text=True, timeout=DEADLINE_S)
        daemon.stop()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("'value': {'url': 'http://x/y'}", run.stdout)


if __name__ == "__main__":
    unittest.main()
