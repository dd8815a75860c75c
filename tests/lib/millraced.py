"""The real daemon, and raw connections to it, for tests in Python. Everything waits for events, at most DEADLINE_S."""
import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

BUILD = os.environ.get("BUILD", "build")
IS_SANITIZED = os.path.basename(os.path.normpath(BUILD)) in ("asan", "tsan", "valgrind")  # where memory says nothing
PROGRAM = os.path.join(BUILD, "millraced")
DEADLINE_S = 60


def run(*arguments, **options):
    """Runs it to its end: for options that make it end, and for mistakes."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, **options)


def raise_open_files(wanted):
    """As many as that, of this process and of those that it starts, as far as the system lets it. Returns how many there may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))
    return soft


class Directory(unittest.TestCase):
    """Has a directory of its own for each test."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="millrace-test.")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, text, name="m.yaml"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


LEFT_VALUES = 3  # the exit status if nobody took what was there


class Daemon:
    """Started with a free port of 127.0.0.1 and a Unix socket (unless `listen` says otherwise), ready when made. For `with`.

    When it ends it does not wait for values to be taken, unless an argument sets limits.grace_ms. `launcher` is a command that runs it, in its own place; `popen` are options of
    subprocess.Popen. Who does not want it to wait until it is ready calls wait_ready() later."""

    def __init__(self, *arguments, listen=None, http="none", nofile=None, launcher=(), waits=True, **popen):
        self.directory = tempfile.mkdtemp(prefix="millrace-test.")
        self.socket_path = os.path.join(self.directory, "m.sock")
        listen = ["tcp://127.0.0.1:0", f"unix://{self.socket_path}"] if listen is None else listen
        command = [*launcher, PROGRAM, "--http", http, "--set", "limits.grace_ms=0", *arguments]
        for url in listen:
            command += ["--listen", url]

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=limit if nofile else None, **popen)
        self.pipe = os.dup(self.process.stderr.fileno())  # the reader's, who closes it
        os.set_blocking(self.pipe, False)
        self.lines = []
        self.rest = b""  # of a line that has not come whole
        self.changed = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        if waits:
            self.wait_ready()

    def wait_ready(self):
        ready = self.wait_log("ready")
        self.port, self.tls_port = (self.port_of(scheme, ready) for scheme in ("tcp", "tls"))

    @staticmethod
    def port_of(scheme, ready):
        match = re.search(rf"{scheme}://[^ ]*:(\d+)", ready)
        return int(match[1]) if match else None

    def read_log(self):
        while not self.ended:
            select.select([self.pipe], [], [])
            with self.changed:
                self.take_over()
        os.close(self.pipe)

    def take_over(self):
        """What is in the pipe now; with the lock."""
        with contextlib.suppress(BlockingIOError):
            while not self.ended:
                data = os.read(self.pipe, 1 << 16)
                *whole, self.rest = (self.rest + data).split(b"\n")
                self.lines += [f"{line.decode()}\n" for line in whole]
                self.ended = not data
        self.changed.notify_all()

    def find_log(self, text):
        """Waits for a line with this text, and returns it; None if the daemon ends without it."""

        def find():
            return next((line for line in self.lines if text in line), None)

        with self.changed:
            assert self.changed.wait_for(lambda: find() or self.ended, DEADLINE_S), f"neither {text!r} nor an end: {''.join(self.lines)}"
            return find()

    def wait_log(self, text):
        """Waits for a line with this text, and returns it."""
        line = self.find_log(text)
        assert line, f"no {text!r} in the log: {self.log()}"
        return line

    def comes_up(self):
        """Whether it gets ready, and does not end before."""
        if not self.find_log("ready"):
            return False
        self.wait_ready()
        return True

    def log(self):
        """All that it has logged so far."""
        with self.changed:
            self.take_over()
            return "".join(self.lines)

    def kill(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Its exit status, when it has ended."""
        status = self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return status

    def stop(self, number=signal.SIGTERM):
        """0 if it ended as it should, whether or not values were left that nobody took."""
        if self.process.poll() is None:
            self.kill(number)
        status = self.wait()
        return 0 if status == LEFT_VALUES else status

    def __enter__(self):
        return self

    def __exit__(self, *error):
        status = self.stop() if not self.reader_done() else 0
        assert status == 0 or error[0], f"the daemon ended with {status}: {self.log()}"

    def reader_done(self):
        return self.process.returncode is not None and self.process.stderr.closed


class Connection:
    """Frames in, frames out."""

    def __init__(self, where):
        """A daemon, a port or a Unix socket's path."""
        where = where.port if isinstance(where, Daemon) else where
        if isinstance(where, int):
            self.socket = socket.create_connection(("127.0.0.1", where), timeout=DEADLINE_S)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE_S)
            self.socket.connect(where)
        self.stream = self.socket.makefile("rb")

    @staticmethod
    def frame(message):
        body = message.encode() if isinstance(message, str) else json.dumps(message).encode()
        return struct.pack(">I", len(body)) + body

    def send(self, message=None, **members):
        self.socket.sendall(self.frame(members if message is None else message))

    def receive(self):
        """The next reply; None at the end of the connection."""
        header = self.stream.read(4)
        if not header:
            return None
        return json.loads(self.stream.read(*struct.unpack(">I", header)))

    def ask(self, **members):
        self.send(**members)
        return self.receive()

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
