#!/usr/bin/env python3
"""millrace, the command line, survives its daemon: it says so, waits, and goes on; or ends with exit status 5. And as process 1 of a container it obeys signals."""
import os
import pty
import random
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CONNECT, OK, PROGRAM  # noqa: E402
from millraced import DEADLINE_S, Connection, Daemon, Directory  # noqa: E402
from proxy import Fault, Proxy  # noqa: E402
from terminal import needs_terminal  # noqa: E402

CHANNELS = "{jobs: {kind: bounded, capacity: 4}, out: {kind: bounded, capacity: 100}, meet: {kind: unbuffered}, sums: {kind: unbuffered}}"
LOST, BACK = "waiting for the daemon to come back", "the daemon is back"


class Mortal(Directory):
    """A daemon that ends and comes back at the same address."""

    def setUp(self):
        super().setUp()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}
        self.environment["MILLRACE_URL"] = f"unix://{self.path('m.sock')}"
        self.begin()
        self.addCleanup(lambda: self.daemon and self.end())

    def begin(self):
        self.daemon = Daemon("--set", f"channels={CHANNELS}", listen=[self.environment["MILLRACE_URL"]])

    def end(self, number=signal.SIGKILL):
        self.daemon.kill(number)
        self.daemon.wait()
        self.daemon = None

    def connection(self):
        return Connection(self.path("m.sock"))

    def run_cli(self, *arguments, **options):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment, check=False, **options)

    def start(self, *arguments, **options):
        process = subprocess.Popen([PROGRAM, *arguments], env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def wait_until(self, channel, member, number):
        with self.connection() as connection:
            while connection.ask(id=1, op="stat", channel=channel)[member] != number:
                pass

    def tells(self, process, text):
        line = process.stderr.readline()
        self.assertIn(text, line)

    def restart(self, process):
        """It tells that the daemon is lost once, and once that it is back."""
        self.end()
        self.tells(process, LOST)
        self.begin()
        self.tells(process, BACK)

    def finish(self, process, status=OK, number=signal.SIGTERM):
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, status, err)
        return out, err


class Recovery(Mortal):
    def test_take_follow(self):
        for arguments in ([], ["--batch", "10"]):
            taker = self.start("take", "jobs", "--follow", *arguments)
            self.run_cli("put", "jobs", "1")
            self.assertEqual(taker.stdout.readline(), "1\n")
            self.wait_until("jobs", "leased", 0)
            self.restart(taker)
            self.run_cli("put", "jobs", "2")
            self.assertEqual(taker.stdout.readline(), "2\n")
            self.assertEqual(self.finish(taker, 143), ("", ""))

    def test_a_subscription_begins_anew(self):
        for arguments in ([], ["--batch", "10"]):
            live = self.start("tap", "jobs", "--sliding", "10", *arguments)
            while not self.run_cli("taps", "-o", "raw").stdout:
                pass
            self.run_cli("put", "jobs", "1")
            self.assertEqual(live.stdout.readline(), "1\n")
            self.end()
            self.tells(live, LOST)
            self.begin()
            self.tells(live, BACK)
            while not self.run_cli("taps", "-o", "raw").stdout:
                pass
            self.run_cli("put", "jobs", "2")
            self.assertEqual(live.stdout.readline(), "2\n")
            self.assertEqual(self.finish(live, 143), ("", ""))

    def test_put_from_a_pipe(self):
        putter = self.start("put", "out", stdin=subprocess.PIPE)
        putter.stdin.write("1\n2\n")
        putter.stdin.flush()
        self.wait_until("out", "buffered", 2)
        self.end()
        putter.stdin.write("3\n")
        putter.stdin.flush()
        self.tells(putter, LOST)
        self.begin()
        self.tells(putter, BACK)
        putter.stdin.write("4\n")
        putter.stdin.close()
        self.assertEqual((putter.wait(DEADLINE_S), putter.stderr.read()), (OK, ""))
        self.assertEqual(self.run_cli("take", "out", "-n", "2").stdout, "3\n4\n")
        putter.stdout.close()
        putter.stderr.close()

    def test_put_to_a_daemon_that_is_about_to_end(self):
        """What was parked there is put into the next one, in order; what had gone in is not put again."""
        putter = self.start("put", "jobs", "-o", "json", "1", "2", "3", "4", "5", "6")
        self.wait_until("jobs", "parked_puts", 1)
        self.end(signal.SIGTERM)
        self.tells(putter, LOST)
        self.begin()
        self.tells(putter, BACK)
        out, err = putter.communicate(timeout=DEADLINE_S)
        self.assertEqual((putter.returncode, out, err), (OK, '{"accepted":6,"dropped":0,"evicted":0}\n', ""))
        self.assertEqual(self.run_cli("take", "jobs", "-n", "2").stdout, "5\n6\n")

    def test_work(self):
        worker = self.start("work", "jobs", "-j", "3", "--to", "out", "--", "cat")
        self.wait_until("jobs", "parked_takes", 3)
        self.restart(worker)
        self.run_cli("put", "jobs", "1", "2")
        self.wait_until("out", "buffered", 2)
        _, err = self.finish(worker)
        self.assertNotIn(LOST, err)

    def test_work_whose_command_runs_meanwhile(self):
        read, write = os.pipe()
        os.set_inheritable(read, True)
        worker = self.start("work", "jobs", "--to", "out", "--", "sh", "-c", f"cat; read -r x <&{read}", pass_fds=[read])
        self.run_cli("put", "jobs", "1")
        self.wait_until("jobs", "leased", 1)
        self.end()
        os.write(write, b"go\n")
        self.tells(worker, LOST)
        self.begin()
        self.tells(worker, BACK)
        self.wait_until("out", "buffered", 1)
        self.tells(worker, "the value may be done twice")
        self.finish(worker)
        os.close(read)
        os.close(write)

    def test_alts(self):
        chooser = self.start("alts", "--take", "jobs", "--take", "meet")
        self.wait_until("meet", "parked_takes", 1)
        self.restart(chooser)
        self.run_cli("put", "meet", "7")
        out, err = chooser.communicate(timeout=DEADLINE_S)
        self.assertEqual((chooser.returncode, out, err), (OK, "1 meet 7\n", ""))

    def test_request_and_serve(self):
        client = self.start("request", "sums", "[1,2]")
        self.wait_until("sums", "parked_puts", 1)
        self.end(signal.SIGTERM)
        self.tells(client, LOST)
        self.begin()
        self.tells(client, BACK)
        server = self.start("serve", "sums", "--", "cat")
        out, err = client.communicate(timeout=DEADLINE_S)
        self.assertEqual((client.returncode, out, err), (OK, "[1,2]\n", ""))
        self.wait_until("sums", "parked_takes", 1)
        self.restart(server)
        self.wait_until("sums", "parked_takes", 1)
        self.assertEqual(self.run_cli("request", "sums", "5").stdout, "5\n")
        self.finish(server)

    def test_who_is_told_not_to_ends_with_5(self):
        for arguments in (["take", "jobs", "--follow"], ["work", "jobs", "--", "cat"], ["serve", "jobs", "--", "cat"], ["alts", "--take", "jobs"]):
            process = self.start(*arguments, "--no-reconnect") if "--" not in arguments else self.start(arguments[0], "--no-reconnect", *arguments[1:])
            self.wait_until("jobs", "parked_takes", 1)
            self.end()
            _, err = process.communicate(timeout=DEADLINE_S)
            self.assertEqual((process.returncode, LOST in err, "connection" in err), (CONNECT, False, True), err)
            self.begin()

    def test_a_time_out_holds_for_the_waiting_too(self):
        taker = self.start("take", "jobs", "--follow", "--timeout", "700ms")
        self.wait_until("jobs", "parked_takes", 1)
        self.end()
        self.tells(taker, LOST)
        _, err = taker.communicate(timeout=DEADLINE_S)
        self.assertEqual(taker.returncode, CONNECT, err)

    def test_ctrl_c_while_it_waits(self):
        for arguments, status in ((["take", "jobs", "--follow"], 130), (["put", "jobs"], 130), (["work", "jobs", "--", "cat"], 130)):
            process = self.start(*arguments, stdin=subprocess.PIPE)
            if arguments[0] == "put":
                process.stdin.write("1\n2\n3\n4\n5\n")
                process.stdin.flush()
                self.wait_until("jobs", "parked_puts", 1)
                self.end(signal.SIGTERM)
            else:
                self.wait_until("jobs", "parked_takes", 1)
                self.end()
            self.tells(process, LOST)
            self.finish(process, status, signal.SIGINT)
            self.begin()

    def test_the_first_connection_is_not_waited_for(self):
        self.end()
        for command in (["take", "jobs", "--follow"], ["work", "jobs", "--", "cat"]):
            self.assertEqual(self.run_cli(*command).returncode, CONNECT)


class Cuts(unittest.TestCase):
    """The network cuts the connection again and again, in the middle of frames: nothing is lost, nothing is there twice."""

    SEED = int(os.environ.get("MILLRACE_SEED", "4711"))
    LINES = 3000

    def faults(self, n):
        rng = random.Random(self.SEED)
        print(f"seed {self.SEED}", flush=True)
        cut = [Fault(rng.choice(["cut", "reset"]), rng.choice(["daemon", "client"]), rng.randrange(150, 6000)) for _ in range(n)]
        return lambda: cut.pop() if cut else Fault()

    def environment(self, proxy):
        return {**os.environ, "MILLRACE_URL": f"tcp://127.0.0.1:{proxy.port}"}

    def test_a_put_from_a_pipe_enters_once(self):
        lines = "".join(f"{n}\n" for n in range(self.LINES))
        with Daemon("--set", "channels={jobs: {kind: bounded, capacity: 5000}}") as daemon, Proxy(daemon.port, self.faults(15)) as proxy:
            done = subprocess.run([PROGRAM, "put", "jobs", "-o", "json"], input=lines, capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment(proxy), check=False)
            self.assertEqual((done.returncode, done.stdout), (OK, f'{{"accepted":{self.LINES},"dropped":0,"evicted":0}}\n'), done.stderr)
            taken = subprocess.run([PROGRAM, "-u", f"tcp://127.0.0.1:{daemon.port}", "take", "jobs", "-n", str(self.LINES)], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            self.assertEqual(taken.stdout, lines)
            self.assertEqual(done.stderr.count(LOST), done.stderr.count(BACK))

    def test_a_reader_of_a_pipe_misses_nothing(self):
        """A value may come a second time: each is there, and the first times are in order."""
        n = 300
        with Daemon("--set", "channels={jobs: {kind: bounded, capacity: 5000}}") as daemon, Proxy(daemon.port, self.faults(15)) as proxy:
            with Connection(daemon) as connection:
                connection.ask(id=1, op="put", channel="jobs", values=list(range(n)))
                connection.ask(id=2, op="close", channel="jobs")
            done = subprocess.run([PROGRAM, "take", "jobs", "--follow"], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment(proxy), check=False)
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertEqual(list(dict.fromkeys(map(int, done.stdout.split()))), list(range(n)))
            self.assertIn(LOST, done.stderr)

    def test_work_leaves_nothing_undone(self):
        """What was worked on when a connection was cut is done once more, at most."""
        n = 60
        channels = "channels={jobs: {kind: bounded, capacity: 5000}, out: {kind: bounded, capacity: 5000}}"
        with Daemon("--set", channels) as daemon, Proxy(daemon.port, self.faults(15)) as proxy:
            with Connection(daemon) as connection:
                connection.ask(id=1, op="put", channel="jobs", values=list(range(n)))
                connection.ask(id=2, op="close", channel="jobs")
                done = subprocess.run([PROGRAM, "work", "jobs", "-j", "3", "--to", "out", "--", "cat"], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment(proxy), check=False)
                self.assertEqual(done.returncode, OK, done.stderr)
                self.assertEqual(set(connection.ask(id=3, op="take", channel="out", max=1000)["values"]), set(range(n)), done.stderr)


def can_unshare():
    return subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode == 0


@unittest.skipUnless(can_unshare(), "no namespace of processes can be made here")
class Init(Mortal):
    """As process 1."""

    def start_as_init(self, *arguments, **options):
        process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", PROGRAM, *arguments], env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def child_of(self, process):
        children = ""
        while not children:
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
                children = file.read()
        return int(children.split()[0])

    def test_it_obeys_signals(self):
        for arguments in (["take", "jobs"], ["put", "meet", "1"], ["alts", "--take", "jobs"], ["work", "jobs", "--", "cat"], ["request", "sums", "1"]):
            for number in (signal.SIGTERM, signal.SIGINT):
                process = self.start_as_init(*arguments)
                channel, member = {"put": ("meet", "parked_puts"), "request": ("sums", "parked_puts")}.get(arguments[0], ("jobs", "parked_takes"))
                self.wait_until(channel, member, 1)
                os.kill(self.child_of(process), number)
                process.communicate(timeout=DEADLINE_S)
                if arguments[0] != "work":
                    self.assertEqual(process.returncode, 128 + number)
                self.wait_until(channel, member, 0)

    def test_work_leaves_no_zombies(self):
        """A command leaves a process behind, which ends later, and is nobody's."""
        read, write = os.pipe()
        os.set_inheritable(read, True)
        worker = self.start_as_init("work", "jobs", "--to", "out", "--", "sh", "-c", f"(read -r x <&{read}) >/dev/null 2>&1 & cat", pass_fds=[read])
        self.run_cli("put", "jobs", "1", "2", "3")
        self.wait_until("out", "buffered", 3)
        init = self.child_of(worker)

        def children():
            with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as file:
                return file.read().split()

        self.assertEqual(len(children()), 3)
        os.write(write, b"1\n2\n3\n")
        os.close(write)
        while children():
            pass
        os.kill(init, signal.SIGTERM)
        worker.communicate(timeout=DEADLINE_S)
        self.assertEqual(worker.returncode, OK)
        os.close(read)


@needs_terminal
class Progress(Mortal):
    """What `put` shows of its progress, on a terminal of its own."""

    def put(self, in_background):
        pid, terminal = pty.fork()
        if pid == 0:  # it leads the session; the command is in its process group, or in one of its own
            child = os.fork()
            if child == 0:
                if in_background:
                    os.setpgid(0, 0)
                read, write = os.pipe()
                os.write(write, b"".join(b"%d\n" % n for n in range(40)))
                os.close(write)
                os.dup2(read, 0)
                os.execve(PROGRAM, [PROGRAM, "put", "jobs"], self.environment)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return pid, terminal

    def shown(self, terminal):
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                return shown

    def test_it_counts_what_is_in(self):
        pid, terminal = self.put(in_background=False)
        shown = b""
        while b"waiting for room" not in shown:
            shown += os.read(terminal, 65536)
        self.assertIn(b"4 values put", shown)
        self.assertEqual(self.run_cli("take", "jobs", "-n", "40").stdout.count("\n"), 40)
        os.waitpid(pid, 0)
        self.shown(terminal)
        os.close(terminal)

    def test_nothing_is_drawn_from_the_background(self):
        pid, terminal = self.put(in_background=True)
        with self.connection() as connection:  # longer than it waits before it shows anything
            self.assertEqual(connection.ask(id=1, op="take", channel="out", timeout_ms=1500)["status"], "timeout")
        self.assertEqual(self.run_cli("take", "jobs", "-n", "40").stdout.count("\n"), 40)
        os.waitpid(pid, 0)
        self.assertEqual(self.shown(terminal), b"")
        os.close(terminal)


if __name__ == "__main__":
    unittest.main()
