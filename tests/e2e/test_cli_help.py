#!/usr/bin/env python3
"""What millrace, the command line, says to people: help that fits the terminal, what was perhaps meant, and tables on small terminals."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import NO_CHANNEL, OK, PROGRAM, USAGE, Cli  # noqa: E402
from millraced import DEADLINE_S  # noqa: E402
from terminal import needs_terminal  # noqa: E402

LONG = "a.very.long.name.of.a.channel.that.no.small.terminal.has.any.room.for"
CHANNELS = f"{{jobs: {{kind: bounded, capacity: 4}}, telemetry: {{kind: dropping, capacity: 2}}, {LONG}: {{kind: sliding, capacity: 1}}}}"


def width(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def on_terminal(columns, *command, environment, lines=24):
    """The lines that the command shows on a terminal of that size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=subprocess.PIPE, env={**environment, "TERM": "xterm"})
    os.close(follower)
    shown = b""
    while True:
        try:
            read = os.read(leader, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
    os.close(leader)
    err = process.communicate(timeout=DEADLINE_S)[1].decode()
    return process.returncode, shown.decode().replace("\r\n", "\n").splitlines(), err


class Help(Cli):
    channels = CHANNELS

    def commands(self):
        return re.findall(r"^  (\w+) +\w", self.run_cli("help").stdout.split("Options:")[0], re.M)

    def test_it_is_80_columns_wide_at_most(self):
        for command in ([], *([name] for name in self.commands())):
            for line in self.run_cli("help", *command).stdout.splitlines():
                self.assertLessEqual(width(line), 80, (command, line))
                self.assertEqual(line, line.rstrip(), command)

    def test_columns_says_how_wide_it_is(self):
        text = {columns: self.run_cli("help", "take", environment={**self.environment, "COLUMNS": columns}).stdout for columns in ("48", "10000")}
        before_examples = {columns: shown.split("\nExamples:")[0] for columns, shown in text.items()}
        for line in before_examples["48"].splitlines():
            self.assertTrue(width(line) <= 48 or " " not in line.strip(), line)
        self.assertEqual(before_examples["48"].split(), before_examples["10000"].split())
        self.assertGreater(max(map(width, before_examples["10000"].splitlines())), 300)

    @needs_terminal
    def test_it_is_folded_to_the_terminal(self):
        for columns in (50, 80, 200):
            status, lines, _ = on_terminal(columns, PROGRAM, "put", "--help", environment=self.environment)
            self.assertEqual(status, OK)
            before_examples = lines[: lines.index("Examples:")]
            self.assertLessEqual(max(map(width, before_examples)), min(columns, 80))

    def test_lists_stay_lists(self):
        shown = self.run_cli("help", "create", environment={**self.environment, "COLUMNS": "60"}).stdout
        self.assertIn("\n  bounded     it waits for room: CAPACITY values fit\n", shown)
        shown = self.run_cli("help", "create", environment={**self.environment, "COLUMNS": "40"}).stdout
        self.assertIn("\n  bounded     it waits for room:\n              CAPACITY values fit\n", shown)

    def test_help_explains_itself(self):
        for arguments in (["help", "--help"], ["help", "help"]):
            self.assertRegex(self.run_cli(*arguments).stdout, r"^usage: millrace help \[OPTION\.\.\.\] \[COMMAND\]\n")

    def test_each_lease_says_what_it_is(self):
        texts = {command: re.search(r"--lease TIME +((?:.+\n {20,})*.+)\n", self.run_cli("help", command).stdout)[1] for command in ("take", "work", "extend")}
        self.assertIn("from now on", texts["extend"])
        self.assertEqual(len(set(texts.values())), 3)


class Suggestions(Cli):
    channels = CHANNELS

    def test_commands(self):
        for wrong, meant in (("tak", "take"), ("tkae", "take"), ("lst", "ls"), ("list", "ls"), ("compl", "completion"), ("wiaters", "waiters"), ("deleet", "delete")):
            self.expect(USAGE, "", wrong, err=f"there is no command '{wrong}'; did you mean '{meant}'?")
            self.expect(USAGE, "", "help", wrong, err=f"did you mean '{meant}'?")
        self.assertNotIn("did you mean", self.run_cli("frobnicate").stderr)

    def test_options(self):
        for wrong, meant in (("--timout", "--timeout"), ("--folow", "--follow"), ("--lease-time=5", None)):
            result = self.run_cli("take", "jobs", wrong)
            self.assertEqual(result.returncode, USAGE)
            self.assertEqual(f"did you mean '{meant}'?" in result.stderr, meant is not None, result.stderr)

    def test_channels(self):
        for arguments in (["put", "jbos", "1"], ["take", "jbos"], ["take", "jbos", "--follow"], ["stat", "jbos"], ["peek", "jbos"], ["close", "jbos"], ["delete", "jbos"], ["waiters", "jbos"],
                          ["request", "jbos", "1"], ["work", "jbos", "--", "cat"], ["alts", "--take", "jbos"], ["alter", "jbos", "--capacity", "3"]):
            result = self.expect(NO_CHANNEL, "", *arguments, err="did you mean 'jobs'?")
            self.assertNotIn("with list", result.stderr)
            self.assertIn("`millrace ls`", result.stderr)
        for arguments in (["tap", "jobs", "telemerty"], ["untap", "jobs", "telemerty"]):
            self.expect(NO_CHANNEL, "", *arguments, err="did you mean 'telemetry'?")
        self.assertNotIn("did you mean", self.expect(NO_CHANNEL, "", "take", "nothing.like.it", err="no such channel").stderr)

    def test_words_of_an_option(self):
        self.expect(USAGE, "", "create", "x", "boundde", "3", err="did you mean 'bounded'?")


@needs_terminal
class Small(Cli):
    channels = CHANNELS

    def shown(self, columns, *arguments):
        status, lines, err = on_terminal(columns, PROGRAM, *arguments, environment=self.environment)
        self.assertEqual((status, err), (OK, ""))
        return lines

    def test_tables_fit(self):
        for arguments in (["ls"], ["top", "--once"], ["waiters"]):
            for columns in (132, 80, 60, 40, 20, 5):
                for line in self.shown(columns, *arguments):
                    self.assertLessEqual(width(line), columns, (arguments, line))

    def test_the_important_columns_stay(self):
        lines = self.shown(40, "ls")
        self.assertTrue(lines[0].startswith("NAME"), lines)
        self.assertIn("BUFFERED", lines[0])
        self.assertTrue(any(line.startswith("a.very.l") and "…" in line for line in lines), lines)
        self.assertTrue(any(line.startswith("jobs ") for line in lines), lines)
        self.assertNotIn("…", "".join(self.shown(200, "ls")))

    def test_json_stays_whole(self):
        self.assertIn(LONG, "".join(self.shown(40, "ls", "-o", "json")))
        self.assertIn(LONG, self.run_cli("ls").stdout)  # as does what no terminal shows


if __name__ == "__main__":
    unittest.main()
