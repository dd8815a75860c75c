"""The command line's work and serve, for tests. A command that they run speaks with the test through the daemon: it puts into `started` when it runs, and takes from `go`
where it is to wait."""
import os

from cli import OK, PROGRAM, Cli
from millraced import DEADLINE_S, Connection

CHANNELS = (
    "{jobs: {kind: bounded, capacity: 100}, out: {kind: bounded, capacity: 100}, bad: {kind: bounded, capacity: 100}, narrow: {kind: bounded, capacity: 1},"
    " lossy: {kind: dropping, capacity: 1}, started: {kind: unbuffered}, go: {kind: unbuffered}, sums: {kind: unbuffered}}"
)
START = '"$MILLRACE" put --no-reconnect started "$MILLRACE_WORKER"'
WAIT = '"$MILLRACE" -q take go >/dev/null'


class Worker(Cli):
    channels = CHANNELS

    def setUp(self):
        super().setUp()
        self.environment["MILLRACE"] = os.path.abspath(PROGRAM)

    def put(self, *values, channel="jobs"):
        self.expect(OK, "", "put", channel, *map(str, values))

    def taken(self, channel):
        """All that is in there now."""
        shown = self.run_cli("-q", "take", channel, "-n", "1000", "-t", "0").stdout
        return shown.splitlines()

    def stat(self, channel):
        with Connection(self.daemon) as connection:
            return connection.ask(id=1, op="stat", channel=channel)

    def work(self, *arguments):
        return self.run_cli("work", "jobs", *arguments)

    def line(self, stream):
        """One line, and not a byte more: end() reads the rest."""
        text = b""
        while not text.endswith(b"\n") and (byte := os.read(stream.fileno(), 1)):
            text += byte
        return text.decode()

    def end(self, worker):
        out, err = worker.communicate(timeout=DEADLINE_S)
        return worker.returncode, out, err
