#!/usr/bin/env python3
"""The tour in proto/HTTP.md, as it stands there: every command, and what it prints."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, Daemon  # noqa: E402
from web import port_of  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Tour(unittest.TestCase):
    def test_it_goes_as_written(self):
        with open(os.path.join(ROOT, "proto", "HTTP.md"), encoding="utf-8") as file:
            lines = [line[4:] for line in file.read().splitlines() if line.startswith("    ")]
        commands = [line[2:] for line in lines if line.startswith("$ ")]
        self.assertGreater(len(commands), 15)
        with Daemon("-c", os.path.join(ROOT, "config", "millraced.yaml"), http="127.0.0.1:0") as daemon:
            script = "\n".join(f"echo '$ {number}'\n{command}" for number, command in enumerate(commands)) + "\nwait\n"
            script = re.sub(r"127\.0\.0\.1:7224", f"127.0.0.1:{port_of(daemon)}", script)
            done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=DEADLINE_S)
            number = iter(range(len(commands)))
            expected = [f"$ {next(number)}" if line.startswith("$ ") else line for line in lines]
            self.assertEqual((done.stdout.splitlines(), done.stderr), (expected, ""))


if __name__ == "__main__":
    unittest.main()
