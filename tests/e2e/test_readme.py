#!/usr/bin/env python3
"""README.md, as it stands there: every block is pasted into one shell, as a reader would, and prints what the page says."""
import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import BUILD, DEADLINE_S, Directory, run  # noqa: E402
from secure import Authority  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
    README = file.read()

# What is not pasted, and why.
SKIPPED = {
    r"\bapt(-get)? ": "it changes the machine: tests/e2e/fresh and tests/e2e/packages do it in one of their own",
    r"^docker ": "tests/e2e/container does it, where there is docker",
    r"^make( deb)?$": "what it makes is being tested here",
    r"^millrace top$": "it fills the terminal until somebody presses a key: test_top.py does",
    r"\bqueue\.example\b|^millrace take jobs\.resize$": "there is no such host",
}
MARK = "@@"


def blocks():
    """The indented blocks: each a list of [command, lines that it prints]."""
    for block in re.findall(r"(?:^    .*\n)+", README, re.M):
        commands = []
        for line in (line[4:] for line in block.splitlines()):
            if line.startswith("# "):
                commands[-1][1].append(line[2:])
            else:
                commands.append([line, []])
        yield commands


def reason_to_skip(command):
    return next((pattern for pattern in SKIPPED if re.search(pattern, command)), None)


def columns(lines):
    """A table, {heading: [cell…]}; or None."""
    rows = [re.split(r" {2,}", line.strip()) for line in lines]
    if not rows or not all(re.fullmatch(r"[A-Z_]+", word) for word in rows[0]) or len(rows[0]) < 3:
        return None
    return {heading: [row[i] for row in rows[1:]] for i, heading in enumerate(rows[0])}


class Shell:
    """A shell that reads what is pasted, and whose commands may read it too, if they are careless."""

    def __init__(self, directory):
        url = f"unix://{directory}/m.sock"
        environment = {**os.environ, "MILLRACE_SET_LIMITS_GRACE_MS": "0", "MILLRACE_URL": url}
        self.process = subprocess.Popen(["bash"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # Addresses and files of the test's own.
        self.replaced = [
            (r"\$PWD/build/(m\.sock|journal)", f"{directory}/durable.\\1"),
            (r"-c config/millraced\.yaml", f"-c config/millraced.yaml --listen {url} --http 127.0.0.1:0"),
            (r"\bbuild/", os.path.abspath(BUILD) + "/"),
            (r"\$PWD/build\b", os.path.abspath(BUILD)),
        ]
        self.lines, self.log, self.n = queue.Queue(), queue.Queue(), 0
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.log)):
            threading.Thread(target=self.read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def read(stream, lines):
        with stream:
            for line in stream:
                lines.put(line.rstrip("\n"))

    def paste(self, command):
        """What the command prints until the next can be given."""
        self.n += 1
        for pattern, text in self.replaced:
            command = re.sub(pattern, text, command)
        self.process.stdin.write(f"{command}\necho {MARK} {self.n}\n")
        self.process.stdin.flush()
        printed = []
        try:
            while (line := self.lines.get(timeout=DEADLINE_S)) != f"{MARK} {self.n}":
                printed.append(line)
        except queue.Empty:
            raise AssertionError(f"this does not end: {command!r}; it has printed {printed}") from None
        return printed

    def wait_log(self, pattern):
        while not (match := re.search(pattern, self.log.get(timeout=DEADLINE_S))):
            pass
        return match

    def end(self):
        self.paste("kill $(jobs -p) 2>/dev/null; wait")
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)


class Readme(Directory):
    def is_same(self, command, printed, expected):
        table = columns(expected)
        if table is None:
            same = [[re.sub(r"\b[0-9a-f]{32}\b", "LEASE", re.sub(r"\d+ values discarded", "N values discarded", line)) for line in lines] for lines in (printed, expected)]
            self.assertEqual(*same, command)
            return
        found = columns(printed)
        self.assertIsNotNone(found, (command, printed))
        self.assertEqual(set(table) - set(found), set(), command)
        for heading in set(table) & {"NAME", "KIND", "OP", "ARMS", "CAPACITY", "PUTS"}:
            self.assertEqual(*([re.sub(r"\(\d+\)", "(PID)", cell) for cell in cells[heading]] for cells in (found, table)), (command, heading))

    def test_every_block_goes_as_written(self):
        skipped, n = set(), 0
        shell = Shell(self.directory)
        with contextlib.ExitStack() as stack:
            stack.callback(shell.process.kill)
            for command, expected in (one for block in blocks() for one in block):
                if reason := reason_to_skip(command):
                    skipped.add(reason)
                    self.assertEqual(expected, [], command)
                    continue
                if command in ("millrace ls jobs", "millrace waiters"):  # a reader is slower than a put is to park
                    shell.paste("until millrace stat jobs | grep -q '^parked_puts: 1'; do :; done")
                printed = shell.paste(command)
                if "millraced -c" in command:
                    shell.replaced.append((r"127\.0\.0\.1:7224", shell.wait_log(r"http://(127\.0\.0\.1:\d+)")[1]))
                    shell.wait_log("ready")
                if not command.startswith("millrace bench"):
                    self.is_same(command, printed, expected)
                n += 1
            stack.pop_all()
            shell.end()
        self.assertGreater(n, 30)
        self.assertEqual(skipped, set(SKIPPED), "a reason without a block")

    def test_nothing_has_to_be_cut_off_first(self):
        self.assertEqual(re.findall(r"^    (?:\$ |> ).*", README, re.M), [])

    def test_the_program_is_a_whole_one(self):
        (source,) = re.findall(r"```c\n(.*?)```", README, re.S)
        libraries = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson", "libssl", "libcrypto"], capture_output=True, text=True, check=True).stdout.split()
        done = subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT}/client", self.write(source, "m.c"), *libraries], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_configuration_is_one(self):
        (text,) = re.findall(r"```yaml\n(.*?)```", README, re.S)
        authority = Authority(self.directory)
        cert, key = authority.issue("server", "/CN=server", "DNS:localhost")
        for shown, real in (("/etc/millrace/cert.pem", cert), ("/etc/millrace/key.pem", key), ("sha256:…", "sha256:" + "0123456789abcdef" * 2 + ":" + "0123456789abcdef" * 4)):
            self.assertIn(shown, text)
            text = text.replace(shown, real)
        path = self.write(text)
        os.chmod(path, 0o600)
        done = run("--check", "-c", path)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
