#!/usr/bin/env python3
"""millraced as a process: its options, its log, signals, the configuration that it reads again, HTTP, sockets, and how it ends."""
import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, LEFT_VALUES, Connection, Daemon, Directory, run  # noqa: E402

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "millraced.yaml")


class Options(Directory):
    def test_version_and_help(self):
        self.assertRegex(run("--version").stdout, r"^millraced \d+\.\d+\.\d+")
        shown = run("--help")
        self.assertEqual(shown.returncode, 0)
        for option in ("--config", "--check", "--listen", "--http", "--set", "SIGHUP"):
            self.assertIn(option, shown.stdout)

    def test_what_is_no_option_is_usage(self):
        for arguments in (["--nonsense"], ["stray"], ["-c"], ["--listen"]):
            with self.subTest(arguments=arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn("--help", result.stderr)

    def test_check_says_what_is_good(self):
        result = run("--check", "-c", SAMPLE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("is good: 5 channels", result.stdout)

    def test_the_debian_package_has_the_journal_in_it(self):
        with open(os.path.join(os.path.dirname(SAMPLE), "..", "debian", "rules"), encoding="utf-8") as file:
            edits = re.search(r"sed -i '(.*)' debian/millraced/etc/millrace/millraced.yaml", file.read())[1]
        edited = subprocess.run(["sed", edits, SAMPLE], capture_output=True, text=True, check=True).stdout
        self.assertIn("\njournal: {path: /var/lib/millrace", edited)
        self.assertIn("is good: 6 channels", run("--check", "-c", self.write(edited)).stdout)

    def test_check_says_what_is_wrong_and_where(self):
        path = self.write("channels:\n  jobs: {kind: bounded, capasity: 3}\n")
        result = run("--check", "-c", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{path}:2:25: ", result.stderr)
        self.assertIn('did you mean "capacity"', result.stderr)

    def test_a_file_that_is_not_there(self):
        result = run("-c", self.path("none.yaml"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("No such file", result.stderr)

    def test_the_sample_runs_as_it_is(self):
        with Daemon("-c", SAMPLE) as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="put", channel="jobs", value=1)["status"], "ok")

    def test_without_a_file_there_are_no_channels(self):
        with Daemon() as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="list"), {"id": 1, "status": "ok", "channels": [], "more": False})

    def test_beyond_loopback_only_if_insecure_is_written(self):
        result = run("--listen", "tcp://0.0.0.0:0", "--http", "none")
        self.assertEqual(result.returncode, 1)
        self.assertIn("insecure: true", result.stderr)
        with Daemon("--set", "insecure=true", listen=["tcp://0.0.0.0:0"]) as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")


class Sockets(Directory):
    def test_an_address_that_is_taken(self):
        with Daemon() as daemon:
            result = run("--listen", f"tcp://127.0.0.1:{daemon.port}", "--http", "none")
            self.assertEqual(result.returncode, 1)
            self.assertIn("Address already in use", result.stderr)

    def test_a_unix_socket_is_for_its_group_and_goes_with_the_daemon(self):
        path = self.path("s")
        with Daemon(listen=[f"unix://{path}"]) as daemon:
            self.assertIn(f"unix://{path}", daemon.wait_log("ready"))
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
            with Connection(path) as connection:
                self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")
        self.assertFalse(os.path.exists(path))

    def test_a_stale_socket_is_replaced(self):
        path = self.path("s")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with Daemon(listen=[f"unix://{path}"]), Connection(path) as connection:
            self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")

    def test_a_live_socket_is_left_alone(self):
        path = self.path("s")
        with Daemon(listen=[f"unix://{path}"]):
            result = run("--listen", f"unix://{path}", "--http", "none")
            self.assertEqual(result.returncode, 1)
            self.assertIn("another process", result.stderr)
            with Connection(path) as connection:
                self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.write("precious", "s")
        result = run("--listen", f"unix://{path}", "--http", "none")
        self.assertEqual(result.returncode, 1)
        self.assertIn("not a socket", result.stderr)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_ipv6(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                self.skipTest("no IPv6 here")
        with Daemon(listen=["tcp://[::1]:0"]) as daemon:
            self.assertIn("tcp://[::1]:", daemon.wait_log("ready"))
            with socket.create_connection(("::1", daemon.port), timeout=DEADLINE_S) as connection:
                connection.sendall(Connection.frame({"id": 1, "op": "ping"}))
                self.assertIn(b'"ok"', connection.recv(100))


class Signals(Directory):
    def test_who_says_end_again_and_again_is_heard_once(self):
        """Also while it takes itself down, when nobody is there any more to hear a signal."""
        for _ in range(10):
            with Daemon() as daemon:
                while daemon.process.poll() is None:
                    daemon.process.send_signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)

    def test_sigterm_and_sigint_end_it_with_everything_parked(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number), Daemon("--set", "channels={c: {kind: unbuffered}, d: {kind: unbuffered}}") as daemon, Connection(daemon) as connection:
                connection.send(id=1, op="take", channel="c", timeout_ms=60000)
                connection.send(id=2, op="alts", arms=[{"take": "c"}, {"put": "d", "value": 1}])
                self.assertEqual(connection.ask(id=3, op="ping")["id"], 3)
                daemon.kill(number)
                self.assertEqual(daemon.wait(), LEFT_VALUES)
                self.assertIn("ending on SIG", daemon.log())
                self.assertIn("0 buffered, 0 leased, 1 parked to be put", daemon.log())
                self.assertEqual([(reply["id"], reply["error"]) for reply in (connection.receive(), connection.receive())], [(1, "draining"), (2, "draining")])
                self.assertIsNone(connection.receive())

    def test_sigterm_drains(self):
        channels = "channels={c: {kind: bounded, capacity: 1}, p: {kind: promise}}"
        with Daemon("--set", "limits.grace_ms=1h", "--set", channels) as daemon, Connection(daemon) as connection, Connection(daemon) as other:
            self.assertEqual(connection.ask(id=1, op="put", channel="p", value=1)["status"], "ok")  # is never used up, and never waited for
            self.assertEqual(connection.ask(id=2, op="put", channel="c", value="a")["status"], "ok")
            connection.send(id=3, op="put", channel="c", value="b")
            lease = other.ask(id=1, op="take", channel="c", lease_ms=3600000)["lease"]
            daemon.kill(signal.SIGTERM)
            daemon.wait_log("draining")
            with self.assertRaises(ConnectionRefusedError):
                Connection(daemon)
            self.assertEqual(connection.ask(id=4, op="put", channel="c", value="c")["error"], "draining")
            self.assertEqual(connection.ask(id=5, op="create", channel="d", kind="promise")["error"], "draining")
            self.assertEqual(connection.ask(id=6, op="alts", arms=[{"take": "p"}, {"put": "c", "value": 1}])["error"], "draining")
            self.assertEqual(other.ask(id=2, op="nack", lease=lease)["status"], "ok")
            self.assertEqual(other.ask(id=3, op="take", channel="c")["value"], "a")
            self.assertEqual(connection.receive(), {"id": 3, "status": "ok"})
            connection.send(id=7, op="take", channel="c", count=2)
            self.assertEqual(connection.receive(), {"id": 7, "status": "ok", "value": "b", "left": 1})
            reply = connection.receive()
            self.assertEqual((reply["id"], reply["error"], reply["left"]), (7, "draining", 1))
            self.assertIsNone(connection.receive())
            self.assertEqual(daemon.wait(), 0)

    def test_a_second_signal_and_the_grace_period_end_the_draining(self):
        for grace, numbers in (("1h", [signal.SIGTERM, signal.SIGTERM]), ("1h", [signal.SIGTERM, signal.SIGINT]), ("1h", [signal.SIGINT]), ("5ms", [signal.SIGTERM])):
            with self.subTest(grace=grace, signals=numbers):
                with Daemon("--set", f"limits.grace_ms={grace}", "--set", "channels.c={kind: bounded, capacity: 3}") as daemon, Connection(daemon) as connection:
                    connection.ask(id=1, op="put", channel="c", values=[1, 2])
                    connection.ask(id=2, op="take", channel="c", lease_ms=60000)
                    for number in numbers:
                        daemon.kill(number)
                        daemon.wait_log("ending on SIGINT" if number == signal.SIGINT else "ending on SIGTERM")
                    self.assertEqual(daemon.wait(), LEFT_VALUES)
                    self.assertIn("1 buffered, 1 leased, 0 parked to be put", daemon.log())

    def test_sighup_brings_new_channels_and_limits(self):
        path = self.write("channels: {a: {kind: bounded, capacity: 1}}\n")
        with Daemon("-c", path) as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="put", channel="a", value="kept")["status"], "ok")
            self.write("limits: {max_inflight: 1}\nchannels: {b: {kind: unbuffered}}\n")
            daemon.kill(signal.SIGHUP)
            daemon.wait_log("reloaded: 1 channels")
            self.assertIn("channel a is gone from the configuration, and stays", daemon.log())
            self.assertEqual(connection.ask(id=2, op="peek", channel="a")["values"], ["kept"])
            connection.send(id=3, op="take", channel="b")
            self.assertEqual(connection.ask(id=4, op="take", channel="b")["error"], "too_many_inflight")

    def test_a_bad_file_changes_nothing(self):
        path = self.write("channels: {a: {kind: promise}}\n")
        with Daemon("-c", path) as daemon, Connection(daemon) as connection:
            self.write("channels: {b: {kind: promise}, c: {}}\n")
            daemon.kill(signal.SIGHUP)
            self.assertIn(f"{path}:1:35", daemon.wait_log("not reloaded"))
            self.assertEqual([row["channel"] for row in connection.ask(id=1, op="list")["channels"]], ["a"])

    def test_a_channel_with_another_definition_is_altered(self):
        path = self.write("channels: {a: {kind: bounded, capacity: 1}, bad: {kind: bounded, capacity: 9}}\n")
        with Daemon("-c", path) as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="put", channel="a", value="kept")["status"], "ok")
            connection.send(id=2, op="put", channel="a", value="parked")
            self.assertEqual(connection.ask(id=3, op="ping")["id"], 3)
            self.write("channels: {a: {kind: bounded, capacity: 2, max_deliveries: 3, dead_letter: bad}, bad: {kind: bounded, capacity: 9}}\n")
            daemon.kill(signal.SIGHUP)
            daemon.wait_log("channel a is altered, capacity 2, it was 1, max_deliveries 3, it was any number, dead_letter bad, it was none")
            self.assertEqual(connection.receive(), {"id": 2, "status": "ok"})
            row = connection.ask(id=4, op="stat", channel="a")
            self.assertEqual((row["capacity"], row["max_deliveries"], row["dead_letter"], row["buffered"]), (2, 3, "bad", 2))
            daemon.wait_log("reloaded: 2 channels in the configuration, 0 could not be created")
            self.assertNotIn("channel bad is altered", daemon.log())

    def test_a_channel_keeps_its_kind(self):
        path = self.write("channels: {a: {kind: bounded, capacity: 1}}\n")
        with Daemon("-c", path) as daemon, Connection(daemon) as connection:
            self.write("channels: {a: {kind: sliding, capacity: 2}}\n")
            daemon.kill(signal.SIGHUP)
            daemon.wait_log("1 could not be created")
            row = connection.ask(id=1, op="stat", channel="a")
            self.assertEqual((row["kind"], row["capacity"]), ("bounded", 1))


class Spin(Directory):
    def test_a_daemon_that_spins_serves_all_the_same(self):
        with Daemon("--set", "spin_us=50", "--set", "channels.c={kind: unbuffered}") as daemon:
            with Connection(daemon) as taker, Connection(daemon) as putter:
                for i in range(100):
                    taker.send(id=i, op="take", channel="c")
                    self.assertEqual(putter.ask(id=i, op="put", channel="c", value=i)["status"], "ok")
                    self.assertEqual(taker.receive()["value"], i)
                self.assertEqual(taker.ask(id=1, op="take", channel="c", timeout_ms=1)["status"], "timeout")


class Log(Directory):
    def test_a_line_is_an_event_with_its_time_and_level(self):
        with Daemon() as daemon:
            self.assertRegex(daemon.wait_log("ready"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z info: ready: tcp://127\.0\.0\.1:\d+ unix:///")

    def test_for_the_journal_a_line_begins_with_its_priority(self):
        journal = ("sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh")
        with Daemon(launcher=journal) as daemon:
            self.assertRegex(daemon.wait_log("ready"), r"^<6>ready: ")

    def test_the_journal_of_another_process_is_not_believed(self):
        os.environ["JOURNAL_STREAM"] = "1:2"
        self.addCleanup(os.environ.pop, "JOURNAL_STREAM")
        with Daemon() as daemon:
            self.assertRegex(daemon.wait_log("ready"), r"^\d{4}-.* info: ready: ")

    def test_what_a_client_sends_breaks_no_line(self):
        with Daemon() as daemon, Connection(daemon) as connection:
            connection.ask(id=1, op="hello", protocol=1, name="x\ny")
            connection.send(id=2, op="bad\nop")
            self.assertIn("unknown_op", connection.receive()["error"])
            daemon.stop()
            for line in daemon.log().splitlines():
                self.assertRegex(line, r"^\d{4}-")


class Health(Directory):
    def get(self, daemon, method, path):
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", daemon.wait_log("health"))[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def test_health(self):
        with Daemon(http="127.0.0.1:0") as daemon:
            self.assertEqual(self.get(daemon, "GET", "/healthz")[0], 200)
            self.assertEqual(self.get(daemon, "HEAD", "/healthz")[0], 200)
            self.assertEqual(self.get(daemon, "GET", "/readyz")[0], 200)
            status, body = self.get(daemon, "GET", "/nonsense")
            self.assertEqual(status, 404)
            self.assertIn(b"/healthz", body)
            self.assertIn(self.get(daemon, "POST", "/healthz")[0], (405, 501))


if __name__ == "__main__":
    unittest.main()
