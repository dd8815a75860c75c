"""millrace, the command line, against a daemon of its own: for tests by exit status and output."""
import os
import subprocess
import unittest

from millraced import BUILD, DEADLINE_S, Connection, Daemon

PROGRAM = os.path.join(BUILD, "millrace")
OK, ERROR, USAGE, TIMEOUT, CLOSED, CONNECT, DENIED, NO_CHANNEL, DROPPED = range(9)


class Cli(unittest.TestCase):
    channels = "{}"
    settings = ()  # more of them, KEY=VALUE

    def setUp(self):
        self.daemon = Daemon(*(word for setting in (f"channels={self.channels}", *self.settings) for word in ("--set", setting)))
        self.environment = {**os.environ, "MILLRACE_URL": f"unix://{self.daemon.socket_path}"}

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log())

    def run_cli(self, *arguments, stdin="", environment=None):
        return subprocess.run(
            [PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=DEADLINE_S, env=environment or self.environment
        )

    def expect(self, status, out, *arguments, stdin="", err=None):
        """Exactly this on standard output, and these words on standard error; nothing there unless `err` is given."""
        result = self.run_cli(*arguments, stdin=stdin)
        self.assertEqual((result.returncode, result.stdout), (status, out), result.stderr)
        if err is None:
            self.assertEqual(result.stderr, "")
        else:
            self.assertIn(err, result.stderr)
        return result

    def start(self, *arguments, **options):
        return subprocess.Popen([PROGRAM, *arguments], env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def wait_parked(self, channel, member="parked_takes", number=1):
        with Connection(self.daemon) as connection:
            while connection.ask(id=1, op="stat", channel=channel)[member] != number:
                pass
