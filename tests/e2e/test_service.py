#!/usr/bin/env python3
"""millraced under a supervisor: what it tells through NOTIFY_SOCKET, sockets that are handed over to it, and settings from the environment."""
import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, PROGRAM, Connection, Daemon, Directory, run  # noqa: E402

# Runs a program in its own place with the descriptors of the first argument as the ones from 3 on, and says so in its environment, as systemd does.
LAUNCHER = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(fds)))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """The socket that NOTIFY_SOCKET names; messages as they come."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(DEADLINE_S)
        self.environment = {**os.environ, "NOTIFY_SOCKET": name}

    def receive(self):
        lines = self.socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def wait(self, member):
        """The first that has this member, and those before it."""
        before = []
        while True:
            message = self.receive()
            if member in message:
                return message, before
            before.append(message)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()


class Notify(Directory):
    def test_it_is_ready_when_it_accepts(self):
        for name in (self.path("notify"), f"@millrace-test-{os.getpid()}"):
            with self.subTest(name=name), Supervisor(name) as supervisor, Daemon(env=supervisor.environment) as daemon:
                message = supervisor.receive()
                self.assertEqual(message["READY"], "1")
                self.assertIn(f"tcp://127.0.0.1:{daemon.port} unix://{daemon.socket_path}; 0 connections", message["STATUS"])

    def test_one_that_does_not_start_is_not_ready(self):
        with Supervisor(self.path("notify")) as supervisor:
            self.assertEqual(run("--listen", "tcp://0.0.0.0:0", env=supervisor.environment).returncode, 1)
            self.assertEqual(select.select([supervisor.socket], [], [], 0)[0], [])

    def test_the_watchdog_hears_of_it_again_and_again(self):
        with Supervisor(self.path("notify")) as supervisor:
            environment = {**supervisor.environment, "WATCHDOG_USEC": "20000"}
            with Daemon("--set", "channels.c={kind: bounded, capacity: 2}", env=environment) as daemon, Connection(daemon) as connection:
                self.assertEqual(connection.ask(id=1, op="put", channel="c", value=1)["status"], "ok")
                for _ in range(3):
                    self.assertEqual(supervisor.wait("WATCHDOG")[0]["WATCHDOG"], "1")
                status = ""
                while "1 connections, 1 channels, 1 values buffered" not in status:
                    status = supervisor.wait("WATCHDOG")[0]["STATUS"]

    def test_another_process_s_watchdog_and_nonsense_are_none(self):
        for watchdog in ({"WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "99999999999999999999"}):
            with self.subTest(watchdog=watchdog), Supervisor(self.path("notify")) as supervisor:
                options = ("--set", "channels.c={kind: unbuffered}")
                with Daemon(*options, env={**supervisor.environment, **watchdog}) as daemon, Connection(daemon) as connection:
                    self.assertEqual(connection.ask(id=1, op="take", channel="c", timeout_ms=20)["status"], "timeout")
                message, before = supervisor.wait("STOPPING")
                self.assertEqual([list(each) for each in before], [["READY", "STATUS"]])
            os.unlink(self.path("notify"))

    def test_reloading(self):
        path = self.write("channels: {a: {kind: unbuffered}}\n")
        with Supervisor(self.path("notify")) as supervisor, Daemon("-c", path, env=supervisor.environment) as daemon:
            self.assertIn("1 channels", supervisor.receive()["STATUS"])
            for text, status in (("channels: {b: {kind: unbuffered}}", "2 channels"), ("chanels: {}", "not reloaded"), ("{}", "2 channels")):
                self.write(text)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                daemon.kill(signal.SIGHUP)
                message = supervisor.receive()
                self.assertEqual(message["RELOADING"], "1")
                self.assertTrue(before <= int(message["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
                message = supervisor.receive()
                self.assertEqual(message["READY"], "1")
                self.assertIn(status, message["STATUS"])

    def test_draining_and_ending(self):
        with Supervisor(self.path("notify")) as supervisor:
            options = ("--set", "limits.grace_ms=10m", "--set", "channels.c={kind: bounded, capacity: 2}")
            with Daemon(*options, env=supervisor.environment) as daemon, Connection(daemon) as connection:
                connection.ask(id=1, op="put", channel="c", value=1)
                supervisor.wait("READY")
                daemon.kill(signal.SIGTERM)
                message, _ = supervisor.wait("STOPPING")
                self.assertGreaterEqual(int(message["EXTEND_TIMEOUT_USEC"]), 10 * 60 * 1000000)
                self.assertIn("draining; 1 connections, 1 channels, 1 values buffered", message["STATUS"])
                self.assertEqual(connection.ask(id=2, op="take", channel="c")["value"], 1)
                self.assertIn("ending; ", supervisor.wait("STOPPING")[0]["STATUS"])
                self.assertEqual(daemon.wait(), 0)

    def test_a_supervisor_that_does_not_read_holds_nothing_up(self):
        with Supervisor(self.path("notify")) as supervisor, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    other.sendto(b"STATUS=x", self.path("notify"))
            with Daemon(env={**supervisor.environment, "WATCHDOG_USEC": "2000"}) as daemon, Connection(daemon) as connection:
                self.assertIn("cannot be told", daemon.wait_log("warning"))
                self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")

    def test_one_that_is_no_socket_is_told_to_the_log(self):
        for name in ("relative", "/", self.path("none"), "/" + 200 * "x"):
            with self.subTest(name=name), Daemon(env={**os.environ, "NOTIFY_SOCKET": name}) as daemon:
                daemon.wait_log("warning")


class Handed(Directory):
    def setUp(self):
        super().setUp()
        self.sockets = []

    def listen(self, address, family=socket.AF_INET):
        """Stays with this process, as a supervisor's does. Its descriptor is above those that the launcher writes to."""
        with socket.socket(family) as low:
            listening = socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, 50))
        self.addCleanup(listening.close)
        listening.bind(address)
        listening.listen(64)
        self.sockets.append(listening)
        return listening

    def options(self, *fds, **environment):
        fds = fds or [listening.fileno() for listening in self.sockets]
        return {
            "launcher": (sys.executable, "-c", LAUNCHER, ",".join(map(str, fds))),
            "pass_fds": fds,
            "env": {**os.environ, **environment},
        }

    def refused(self, *arguments, **options):
        """What it says; it does not start."""
        done = subprocess.run([*options.pop("launcher"), PROGRAM, "--http", "none", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, **options)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def ping(self, where):
        with Connection(where) as connection:
            self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")

    def test_those_at_the_configured_addresses_are_used_for_them(self):
        tcp, unix = self.listen(("127.0.0.1", 0)), self.path("s")
        self.listen(unix, socket.AF_UNIX)
        port = tcp.getsockname()[1]
        with Daemon(listen=["tcp://127.0.0.1:0", f"tcp://127.0.0.1:{port}", f"unix://{unix}"], **self.options()) as daemon:
            ready = daemon.wait_log("ready")
            self.assertEqual(ready.count("tcp://"), 2)
            self.assertTrue(ready.endswith(f" tcp://127.0.0.1:{port} unix://{unix}\n"), ready)
            for where in (daemon, port, unix):
                self.ping(where)
        self.assertTrue(os.path.exists(unix))

    def test_the_default_address_gives_way(self):
        self.listen(self.path("s"), socket.AF_UNIX)
        with Daemon(listen=[], **self.options()) as daemon:
            self.assertTrue(daemon.wait_log("ready").endswith(f"ready: unix://{self.path('s')}\n"))
            self.assertNotIn("7223", daemon.log())
            self.ping(self.path("s"))
        self.assertTrue(os.path.exists(self.path("s")))

    def test_those_at_other_addresses_are_served_too(self):
        tcp = self.listen(("127.0.0.1", 0))
        self.listen(f"\0millrace-test-{os.getpid()}", socket.AF_UNIX)
        with Daemon(**self.options()) as daemon:
            self.assertIn(f"unix://@millrace-test-{os.getpid()}", daemon.wait_log("ready"))
            for where in (tcp.getsockname()[1], daemon.socket_path, f"\0millrace-test-{os.getpid()}"):
                self.ping(where)

    def test_beyond_loopback_only_if_insecure_is_written(self):
        port = self.listen(("0.0.0.0", 0)).getsockname()[1]
        self.assertIn(f"tcp://0.0.0.0:{port} was handed over", self.refused(**self.options()))
        with Daemon("--set", "insecure=true", **self.options()):
            self.ping(port)

    def test_another_process_s_are_left_alone(self):
        self.listen(("127.0.0.1", 0))
        with Daemon(listen=["tcp://127.0.0.1:0"], **self.options(LISTEN_PID="1")) as daemon:
            self.assertEqual(daemon.wait_log("ready").count("tcp://"), 1)
            self.assertNotIn("handed over", daemon.log())

    def test_what_is_no_listening_socket_is_refused(self):
        good = self.listen(("127.0.0.1", 0)).fileno()
        with socket.socket() as idle, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, open(os.devnull, encoding="utf-8") as null:
            for bad in (idle, datagrams, null):
                bad = fcntl.fcntl(bad.fileno(), fcntl.F_DUPFD_CLOEXEC, 50)
                self.assertIn('descriptor 4 ("second")', self.refused(**self.options(good, bad, LISTEN_FDNAMES="first:second")))
                self.assertIn('descriptor 4 ("")', self.refused(**self.options(good, bad, LISTEN_FDNAMES="first")))
                os.close(bad)
        for count in ("many", "17", "-1", "99999999999999999999", "1x"):
            self.assertIn(f'LISTEN_FDS is "{count}"', self.refused(**self.options(good, LISTEN_FDS=count)))

    def test_who_connects_while_there_is_no_daemon_is_served_by_the_next(self):
        port = self.listen(("127.0.0.1", 0)).getsockname()[1]
        with Daemon(listen=[], **self.options()):
            self.ping(port)
        with Connection(port) as connection:
            connection.send(id=1, op="ping")
            with Daemon(listen=[], **self.options()):
                self.assertEqual(connection.receive()["status"], "ok")

    def test_an_upgrade_under_load_turns_nobody_away(self):
        """Each visitor connects and asks, again and again, through three daemons, one after another. A daemon may end while it asks; none refuses it."""
        port = self.listen(("127.0.0.1", 0)).getsockname()[1]
        over, failures, answers = threading.Event(), [], [0, 0, 0, 0]  # one for each visitor

        def visit(number):
            while not over.is_set():
                try:
                    with Connection(port) as connection:
                        answers[number] += connection.ask(id=1, op="ping") is not None
                except (BrokenPipeError, ConnectionResetError):
                    pass  # connected, but its daemon has ended
                except OSError as error:
                    failures.append(error)

        visitors = [threading.Thread(target=visit, args=(number,)) for number in range(len(answers))]
        for visitor in visitors:
            visitor.start()
        try:
            for _ in range(3):
                with Daemon("--set", "limits.grace_ms=5s", listen=[], **self.options()):
                    goal = sum(answers) + 100
                    while sum(answers) < goal and not failures:
                        self.ping(port)
            over.set()
            with Daemon(listen=[], **self.options()):  # for those that are still in the queue
                for visitor in visitors:
                    visitor.join(DEADLINE_S)
        finally:
            over.set()
        self.assertEqual(failures, [])
        self.assertGreaterEqual(sum(answers), 300)

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "no systemd-socket-activate here")
    def test_systemd_socket_activate(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-l", self.path("s"), "--fdname=tcp:unix", os.path.abspath(PROGRAM), "--http", "none"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            heard = ""
            while heard.count("Listening") < 2:
                heard += process.stderr.readline()
            self.ping(port)
            self.ping(self.path("s"))
            process.send_signal(signal.SIGTERM)
            self.assertIn(f"ready: tcp://127.0.0.1:{port} unix://{self.path('s')}\n", process.stderr.read())
            self.assertEqual(process.wait(DEADLINE_S), 0)


class Environment(Directory):
    def test_it_comes_over_the_file_and_below_the_command_line(self):
        path = self.write("limits: {max_inflight: 1, max_frame: 64KiB, max_output: 64KiB}\nchannels: {a: {kind: promise}}\n")
        environment = {
            **os.environ,
            "MILLRACE_CONFIG": path,
            "MILLRACE_SET_LIMITS_MAX_INFLIGHT": "2",
            "MILLRACE_SET_LIMITS_MAX_FRAME": "128KiB",
            "MILLRACE_SET_CHANNELS": "{b: {kind: bounded, capacity: 2}}",
        }
        with Daemon("--set", "limits.max_inflight=3", env=environment) as daemon, Connection(daemon) as connection:
            hello = connection.ask(id=1, op="hello", protocol=1)
            self.assertEqual((hello["max_inflight"], hello["max_frame_bytes"]), (3, 128 * 1024))
            self.assertEqual([row["channel"] for row in connection.ask(id=2, op="list")["channels"]], ["b"])

    def test_a_whole_comes_before_its_parts(self):
        environment = {**os.environ, "MILLRACE_SET_LIMITS_MAX_INFLIGHT": "2", "MILLRACE_SET_LIMITS": "{max_inflight: 1, max_frame: 64KiB}"}
        with Daemon(env=environment) as daemon, Connection(daemon) as connection:
            hello = connection.ask(id=1, op="hello", protocol=1)
            self.assertEqual((hello["max_inflight"], hello["max_frame_bytes"]), (2, 64 * 1024))

    def test_the_command_line_s_file_is_read_instead(self):
        path = self.write("channels: {a: {kind: promise}}")
        done = run("--check", "-c", path, env={**os.environ, "MILLRACE_CONFIG": self.path("none.yaml")})
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_mistake_names_the_variable(self):
        for name, value, expected in (
            ("MILLRACE_SET_LIMITS_MAX_FRAM", "1MiB", 'did you mean "max_frame"'),
            ("MILLRACE_SET_LIMITS_MAX_FRAME", "much", "much"),
            ("MILLRACE_SET_CHANELS", "{}", 'did you mean "channels"'),
            ("MILLRACE_SET_HTTP", "", "expected a value"),
        ):
            with self.subTest(name=name):
                done = run("--check", env={**os.environ, name: value})
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{name}:", done.stderr)
                self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    unittest.main()
