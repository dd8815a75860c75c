#!/usr/bin/env python3
"""What bash and zsh complete, by the scripts that `millrace completion` prints: asked of the shells themselves."""
import os
import pty
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import OK, USAGE, Cli  # noqa: E402
from millraced import BUILD, DEADLINE_S  # noqa: E402
from terminal import needs_terminal  # noqa: E402

CHANNELS = "{jobs: {kind: bounded, capacity: 4}, latest: {kind: sliding, capacity: 1}, leader: {kind: promise}, 'a:one': {kind: promise}, 'a:two': {kind: promise}}"
KINDS = {"unbuffered", "bounded", "dropping", "sliding", "promise"}
FORMATS = {"text", "json", "raw"}


class Completion(Cli):
    channels = CHANNELS

    def setUp(self):
        super().setUp()
        self.environment["PATH"] = os.path.abspath(BUILD) + ":" + os.environ["PATH"]

    def script(self, shell):
        result = self.run_cli("completion", shell)
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        return result.stdout

    def commands(self):
        """Each command, and its options, as the help has them."""
        names = re.findall(r"^  (\w+) +\w", self.run_cli("help").stdout.split("Options:")[0], re.M)
        return {name: set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", self.run_cli("help", name).stdout, re.M)) for name in names if name != "help"}

    def test_another_shell(self):
        self.expect(USAGE, "", "completion", "fish", err="bash or zsh")


class Bash(Completion):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.daemon.directory, "completion")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.script("bash"))

    def complete(self, line, environment=None):
        script = f'. {self.path}; COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=(millrace); _millrace; printf "%s\\n" "${{COMPREPLY[@]}}"'
        result = subprocess.run(
            ["bash", "-c", script, "bash", line], capture_output=True, text=True, timeout=DEADLINE_S, env=environment or self.environment
        )
        self.assertEqual(result.stderr, "", line)
        return set(result.stdout.split())

    def test_commands(self):
        commands = set(self.commands())
        self.assertGreater(len(commands), 10)
        self.assertEqual(self.complete("millrace "), commands | {"help"})
        self.assertEqual(self.complete("millrace help "), commands | {"help"})
        self.assertEqual(self.complete("millrace -q -u unix:///x p"), {"put", "peek", "ping"})

    def test_options_of_each_command(self):
        for command, options in self.commands().items():
            self.assertEqual({word for word in self.complete(f"millrace {command} -") if word.startswith("--")}, options, command)
            self.assertEqual(self.complete(f"millrace {command} --quie"), {"--quiet"})

    def test_words(self):
        channels = {"jobs", "latest", "leader", "a:one", "a:two"}
        for line, words in {
            "millrace take ": channels,
            "millrace take l": {"latest", "leader"},
            "millrace take --timeout 5s j": {"jobs"},
            "millrace take jobs ": set(),
            "millrace ls le": {"leader"},
            "millrace move jobs l": {"latest", "leader"},
            "millrace tap lat": {"latest"},
            "millrace cluster ": {"move"},
            "millrace context ": {"list", "show", "use", "none"},
            "millrace create x ": KINDS,
            "millrace create x sl": {"sliding"},
            "millrace -o ": FORMATS,
            "millrace take --output j": {"json"},
            "millrace alts --take la": {"latest"},
            "millrace alts --put la": {"latest"},
            "millrace alts -p --take la": {"latest"},  # -p is another option of bench
            "millrace bench -p 4 --kind sl": {"sliding"},
            "millrace bench --kind ": KINDS - {"promise"},
            "millrace work jobs --to lat": {"latest"},
            "millrace completion ": {"bash", "zsh"},
            "millrace take a:": {"one", "two"},
            "millrace take a:o": {"one"},
            "millrace nonsense ": set(),
        }.items():
            self.assertEqual(self.complete(line), words, line)
        self.assertIn("sha256sum", self.complete("millrace work jobs -- sha256"))

    def test_no_daemon_is_no_error(self):
        nowhere = {**self.environment, "MILLRACE_URL": "unix:///nonexistent/socket"}
        self.assertEqual(self.complete("millrace take ", environment=nowhere), set())
        self.assertEqual(self.complete(f"millrace -u unix://{self.daemon.socket_path} take jo", environment=nowhere), {"jobs"})


@needs_terminal
@unittest.skipUnless(shutil.which("zsh"), "there is no zsh here")
class Zsh(Completion):
    """A zsh in a terminal of its own. What is on its line goes to a pipe at the key ^X."""

    def setUp(self):
        super().setUp()
        with open(os.path.join(self.daemon.directory, "_millrace"), "w", encoding="utf-8") as file:
            file.write(self.script("zsh"))
        self.fifo = os.path.join(self.daemon.directory, "line")
        os.mkfifo(self.fifo)
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**self.environment, "TERM": "dumb"})
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.close, self.terminal)
        self.type(f"fpath=({self.daemon.directory} $fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep\n")
        self.type(f'tell() {{ print -r -- "$BUFFER" > {self.fifo}; BUFFER= }}; zle -N tell; bindkey "^X" tell\n')

    def type(self, text):
        os.write(self.terminal, text.encode())

    def complete(self, line):
        self.type(line + "\t\x18")
        with open(self.fifo, encoding="utf-8") as file:
            return file.read().rstrip("\n")

    def test_lines(self):
        for line, completed in {
            "millrace pee": "millrace peek ",
            "millrace take lat": "millrace take latest ",
            "millrace take --fol": "millrace take --follow ",
            "millrace create x sl": "millrace create x sliding ",
            "millrace take -o js": "millrace take -o json ",
            "millrace alts --put lat": "millrace alts --put latest ",
            "millrace work jobs --to lea": "millrace work jobs --to leader ",
            "millrace help wai": "millrace help waiters ",
            "millrace work jobs sha256su": "millrace work jobs sha256sum ",
            "millrace work jobs -- sha256su": "millrace work jobs -- sha256sum ",
            f"millrace -u unix://{self.daemon.socket_path} take jo": f"millrace -u unix://{self.daemon.socket_path} take jobs ",
        }.items():
            self.assertEqual(self.complete(line), completed)


if __name__ == "__main__":
    unittest.main()
