#!/usr/bin/env python3
"""The programs of client/examples/, by what they say and how they end; and the Python client among them, by all that it can do.

EXAMPLE_PREFIX is put before each program: "valgrind -q --error-exitcode=9 --leak-check=full", say.
"""
import linecache
import os
import shlex
import signal
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "client", "examples")
sys.path[:0] = [os.path.join(HERE, "..", "lib"), EXAMPLES]
sys.dont_write_bytecode = True
from millraced import BUILD, DEADLINE_S, Connection, Daemon  # noqa: E402
import millrace  # noqa: E402

PREFIX = shlex.split(os.environ.get("EXAMPLE_PREFIX", ""))
CHANNELS = "{jobs: {kind: bounded, capacity: 4}, meet: {kind: unbuffered}, lossy: {kind: dropping, capacity: 1}, latest: {kind: sliding, capacity: 1}}"

OUTPUTS = {
    "pipeline": '"A"\n"PUT"\n{"failed":"42","why":"bad_value"}\n"WAITS"\ntaken 4, put 4, failed 1\n',
    "race": "result 42\ntoo late\ncancelled\ncancelled\n",
    "fallback": '"fresh" from the primary\n"copy" from the mirror\n"old" from the archive\nno source is left\n',
    "priority": "work 1\nwork 2\ncontrol: quiet\ncontrol: stop\nnot done, and still there for others: [6,7,8,9]\n",
    "fan_in": '"north 1"\n"south 1"\n"north 2"\n"north 3"\n',
    "fan_out": "to one of two:\n  ann 1\n  bob 2\n  ann 3\n  bob 4\n  ann 5\n  bob 6\n"
    "to all:\n  example.log [1,2,3,4,5,6]\n  example.newest [6]\nto its own:\n  example.zero [3,6]\n  example.one [1,4]\n",
    "telemetry": 'accepted 100, dropped 150\nthe channel says dropped 150\ncollected 100, the first of them {"n":0,"load":0.0}\n',
    "leases": '"first", delivery 1: its worker dies\n"first", delivery 2: done\n"bad", delivery 1: failed\n"bad", delivery 2: failed\n"last", delivery 1: done\n'
    'a dead letter: "bad"\n',
    "parking": "tick 1, 2 to come\ntick 2, 1 to come\ntick 3, 0 to come\nthe other take: cancelled\n",
    "latest": "the price is 104\nit has not changed since\n2 were out of date before anybody looked\n",
}


SCRIPTS = {
    "market": "nobody has read yet: the ledger, which is full, holds the feed up\n  ticker: 104\nthe ledger reads, and so the feed goes on to its end\n"
    "  ledger: 101 102 103 104 105 106 107 108 109 110\n  ticker: 110\n  sample: 101 102 103\n",
    "audit": "held up at 5: the log has to come back first\nthe log takes 1, and dies before it is written\nwritten: 1\nwritten: 2\nwritten: 3\nwritten: 4\nwritten: 5\non the screen: 5\n",
    "sensors": "57 readings of 19 sensors\nof sensor 7: 0\n",
}


class WithDaemon(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon("--set", f"channels={CHANNELS}")
        self.url = f"unix://{self.daemon.socket_path}"

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log())

    def connect(self, url=None):
        client = millrace.Client(url or self.url)
        self.addCleanup(client.disconnect)
        return client


class Programs(WithDaemon):
    def start(self, name, *arguments, url=None):
        environment = {**os.environ, "MILLRACE_URL": url or self.url}
        command = [*PREFIX, os.path.join(BUILD, "client", "examples", name), *arguments]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.make_sure_of, process)
        return process

    def make_sure_of(self, process):
        with process:  # which closes its pipes, and waits
            process.kill()

    def end(self, process, status=0):
        """Its output, when it has ended with this status; it may have said something about errors only if it failed."""
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, status, out + err)
        self.assertEqual(bool(err), bool(status) and not out, err)
        return out or err

    def run_program(self, name, *arguments, status=0, url=None):
        return self.end(self.start(name, *arguments, url=url), status)

    def test_what_they_say(self):
        for name, output in OUTPUTS.items():
            with self.subTest(name):
                self.assertEqual(self.run_program(name), output)
                self.assertEqual(self.run_program(name, f"tcp://127.0.0.1:{self.daemon.port}", url="tcp://nowhere:1"), output)

    def test_what_scripts_say(self):
        environment = {**os.environ, "MILLRACE_URL": self.url, "PATH": os.path.abspath(BUILD) + ":" + os.environ["PATH"]}
        for name, output in SCRIPTS.items():
            with self.subTest(name):
                done = subprocess.run([os.path.join(EXAMPLES, name)], env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, output, ""))
        self.assertEqual(self.connect().ask("list", match="example.*")["channels"], [])

    def test_every_program_is_tested_and_in_the_table(self):
        programs = {name[:-2] for name in os.listdir(EXAMPLES) if name.endswith(".c")}
        self.assertEqual(programs, {*OUTPUTS, "ask", "serve"})
        with open(os.path.join(EXAMPLES, "README.md")) as readme:
            text = readme.read()
        for name in {*(name + ".c" for name in programs), *SCRIPTS, "millrace.py", "demo"}:
            self.assertIn(f"| [`{name}`]({name})", text)

    def test_ask_and_serve(self):
        m = self.connect()
        self.assertIn("no such channel", self.run_program("ask", "1", status=1))
        self.assertIn("usage", self.run_program("ask", "no json", status=2))
        server = self.start("serve")
        self.assertEqual(server.stdout.readline(), "ready\n")
        self.assertEqual(self.run_program("ask", '"hello"'), '{"text":"hello","letters":5}\n')
        self.assertEqual(self.run_program("ask", "5", status=1), "refused: the request has to be a text\n")
        reply_to = m.create("promise", ephemeral=True)  # the same from Python
        m.put("example.requests", {"reply_to": reply_to, "request": "hé"})
        self.assertEqual(m.take(reply_to), {"reply": {"text": "hé", "letters": 3}})
        m.close("example.requests")
        self.assertEqual(self.end(server), "answered 3 requests\n")

    def test_no_answer_in_time(self):
        m = self.connect()
        m.create("bounded", "example.requests", capacity=1)
        self.assertEqual(self.run_program("ask", "1", status=1), "no answer: timeout\n")

    def test_without_a_daemon(self):
        for name in [*OUTPUTS, "serve"]:
            self.assertIn("nowhere.sock", self.run_program(name, "unix:///nowhere.sock", status=1))


class PythonClient(WithDaemon):
    def setUp(self):
        super().setUp()
        self.m = self.connect()

    def wait_parked(self, channel, number=1):
        while self.m.ask("stat", channel=channel)["parked_takes"] != number:
            pass

    def test_is_short(self):
        with open(os.path.join(EXAMPLES, "millrace.py")) as source:
            self.assertLess(len(source.readlines()), 240)

    def test_addresses(self):
        port = self.daemon.port
        for url in f"tcp://127.0.0.1:{port}", f"tcp://localhost:{port}":
            self.assertEqual(self.connect(url).ask("ping"), {"id": 2, "status": "ok"})
        os.environ["MILLRACE_URL"] = self.url
        self.addCleanup(os.environ.pop, "MILLRACE_URL")
        with millrace.Client() as m:
            self.assertEqual(m.hello["protocol"], 1)
        self.assertRaisesRegex(ConnectionError, "disconnected", m.ask, "ping")
        for url in "http://x", "tcp://", "unix://relative", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536":
            self.assertRaisesRegex(ValueError, "tcp://host:port", millrace.Client, url)
        self.assertRaises(OSError, millrace.Client, "unix:///nowhere.sock")

    def test_values(self):
        for value in {"a": [1, 2.5, "hé", None, True]}, "", 0, False, [], 10**40, "\0\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"):
            self.assertIs(self.m.put("jobs", value), True)
            self.assertEqual(self.m.take("jobs"), value)
        for value in float("nan"), "\ud800", object(), b"bytes", "x" * 2**20:
            self.assertRaises((ValueError, TypeError), self.m.put, "jobs", value)
        deep = value = []
        for _ in range(200):
            value.append([])
            value = value[0]
        self.refused("bad_value", self.m.put, "jobs", deep, timeout_ms=DEADLINE_S * 1000)
        self.refused("bad_value", self.m.put, "jobs", None)
        self.assertRaises(millrace.Timeout, self.m.take, "jobs", timeout_ms=0)

    def refused(self, code, function, *arguments, **members):
        with self.assertRaises(millrace.Refused) as caught:
            function(*arguments, **members)
        self.assertEqual(caught.exception.code, code)
        self.assertTrue(str(caught.exception))

    def test_outcomes(self):
        self.assertEqual([self.m.put("lossy", 1), self.m.put("lossy", 2)], [True, False])
        self.assertEqual([self.m.put("latest", 1), self.m.put("latest", 2), self.m.take("latest")], [True, True, 2])
        self.assertRaises(millrace.Timeout, self.m.take, "jobs", timeout_ms=5)
        self.assertRaises(TimeoutError, self.m.put, "meet", 1, timeout_ms=5)
        self.m.put("jobs", "last")
        self.m.close("jobs")
        self.assertRaises(millrace.Closed, self.m.put, "jobs", 1)
        self.assertEqual(self.m.take("jobs"), "last")
        self.assertRaises(millrace.Closed, self.m.take, "jobs")
        self.refused("no_such_channel", self.m.take, "nowhere")
        self.refused("bad_request", self.m.ask, "take", channel="jobs", timeout=1)
        self.refused("unknown_op", self.m.ask, "shout")

    def test_batches(self):
        self.assertEqual(self.m.put_many("jobs", range(3)), 3)
        self.assertEqual(self.m.take("jobs", max=2), [0, 1])
        self.assertEqual(self.m.take("jobs", max=9), [2])
        with self.assertRaises(millrace.Timeout) as caught:
            self.m.put_many("jobs", range(6), timeout_ms=0)
        self.assertEqual(caught.exception.reply["accepted"], 4)
        self.assertEqual(self.m.put_many("lossy", "abc"), 1)

    def test_alts(self):
        self.assertRaises(millrace.Timeout, self.m.alts, "jobs", "meet", timeout_ms=0)
        self.m.put("jobs", "work")
        self.assertEqual(self.m.alts("meet", "jobs"), (1, "work"))
        self.assertEqual(self.m.alts(("lossy", 1), ("latest", 2), priority=True), (0, None))
        self.m.close("meet")
        with self.assertRaises(millrace.Closed) as caught:
            self.m.alts("jobs", "meet")
        self.assertEqual(caught.exception.reply["arm"], 1)

    def test_create(self):
        self.assertEqual(self.m.create("bounded", "mine", capacity=1, ephemeral=True), "mine")
        self.assertTrue(self.m.create("promise", ephemeral=True).startswith("_r."))
        self.refused("channel_exists", self.m.create, "dropping", "mine", capacity=1)
        self.assertEqual(self.m.ask("delete", channel="mine")["discarded"], 0)

    def test_cancel(self):
        request = self.m.begin("take", channel="meet")
        self.assertIs(request.cancel(), True)
        self.assertRaises(millrace.Cancelled, request.reply)
        self.assertRaises(millrace.Cancelled, request.reply)
        self.assertIs(request.cancel(), False)
        request = self.m.begin("take", channel="meet")
        errors = []

        def wait():
            try:
                request.reply()
            except millrace.Cancelled as error:
                errors.append(error.code)

        thread = threading.Thread(target=wait)
        thread.start()
        self.wait_parked("meet")
        self.assertIs(request.cancel(), True)
        thread.join(DEADLINE_S)
        self.assertEqual(errors, ["cancelled"])

    def test_pipelining(self):
        takes = [self.m.begin("take", channel="meet") for _ in range(100)]
        puts = [self.m.begin("put", channel="meet", value=i) for i in range(100)]
        self.assertEqual([put.reply()["status"] for put in puts], ["ok"] * 100)
        self.assertEqual([take.reply()["value"] for take in reversed(takes)], list(reversed(range(100))))
        self.assertEqual(takes[7].reply()["value"], 7)

    def test_many_replies_to_one_request(self):
        self.m.put_many("jobs", "ab")
        request = self.m.begin("take", channel="jobs", count=4)
        self.assertEqual([request.reply()["value"], request.reply()["value"]], ["a", "b"])
        self.m.put("jobs", "c")
        self.assertIs(request.cancel(), True)
        self.assertEqual(request.reply()["value"], "c")
        with self.assertRaises(millrace.Cancelled) as caught:
            request.reply()
        self.assertEqual(caught.exception.reply["left"], 1)
        self.m.put_many("jobs", "xyz")
        request = self.m.begin("take", channel="jobs", count=3)
        self.assertEqual([request.reply()["value"] for _ in range(4)], ["x", "y", "z", "z"])
        self.assertIs(request.cancel(), False)
        self.assertEqual(self.m.pending, {})

    def test_numbers_of_any_size(self):
        for value in 10**5000, -(10**9000) + 1:
            self.m.ask("put", channel="jobs", value=0)
            self.m.take("jobs")
            with Connection(self.daemon) as other:
                digits = "7" * 5000 if value > 0 else "-" + "7" * 9000
                other.ask(id=1, op="ping")
                other.send('{"id":2,"op":"put","channel":"jobs","value":%s}' % digits)
                other.receive()
            taken = self.m.take("jobs")
            self.assertEqual(taken, (10 ** len(digits.lstrip("-")) - 1) // 9 * 7 * (1 if value > 0 else -1))
        with Connection(self.daemon) as other:
            other.ask(id=1, op="ping")
            other.send('{"id":2,"op":"put","channel":"jobs","value":1e99999999999999999999}')
            other.receive()
        self.refused("undecodable", self.m.take, "jobs")
        self.assertEqual(self.m.ask("stat", channel="jobs")["buffered"], 1)

    def test_an_interrupted_call_is_withdrawn(self):
        class Interrupted(Exception):
            pass

        def handler(number, frame):
            raise Interrupted

        def interrupt():
            with millrace.Client(self.url) as other:
                while other.ask("stat", channel="meet")[queue] != 1:
                    pass
            os.kill(os.getpid(), signal.SIGUSR1)

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handler))
        for queue, call in ("parked_takes", self.m.take), ("parked_puts", lambda channel: self.m.put(channel, 1)):
            thread = threading.Thread(target=interrupt)
            thread.start()
            with self.assertRaises(Interrupted):
                call("meet")
            thread.join(DEADLINE_S)
            while self.m.ask("stat", channel="meet")[queue] != 0:
                pass

    def test_a_call_that_is_interrupted_before_it_waits_is_withdrawn(self):
        class Interrupted(BaseException):
            pass

        def interrupt_at(number):  # before the line of that number, counted from the call; returns in which function that is
            where = []

            def trace(frame, event, argument):
                if frame.f_code.co_filename != millrace.__file__:
                    return None
                is_with = linecache.getline(millrace.__file__, frame.f_lineno).lstrip().startswith("with ")  # no signal comes at its end
                if event == "line" and not is_with:
                    where.append(frame.f_code.co_name)
                    if len(where) == number:
                        raise Interrupted
                return trace

            sys.settrace(trace)
            try:
                self.m.take("meet")
            except Interrupted:
                return where[-1]
            finally:
                sys.settrace(None)

        number, seen = 1, set()
        while "reply" not in seen:
            seen.add(interrupt_at(number))
            self.assertEqual(self.m.ask("stat", channel="meet")["parked_takes"], 0, number)
            number += 1
        self.assertEqual(seen - {"<dictcomp>", "__init__"}, {"take", "hand_over", "ask", "send", "reply"})

    def test_after_a_fork_the_child_is_told(self):
        child = os.fork()
        if child == 0:
            try:
                self.m.take("jobs")
            except ConnectionError as error:
                os._exit(0 if "fork" in str(error) else 2)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(self.m.ask("ping")["status"], "ok")

    def test_leases(self):
        """What the client has no function for goes through ask()."""
        self.m.put("jobs", "work")
        first = self.m.ask("take", channel="jobs", lease_ms=DEADLINE_S * 1000)
        self.assertEqual((first["value"], first["deliveries"]), ("work", 1))
        self.m.ask("nack", lease=first["lease"])
        again = self.m.ask("take", channel="jobs", max=5, lease_ms=DEADLINE_S * 1000)
        self.assertEqual((again["values"], again["deliveries"]), (["work"], [2]))
        self.m.ask("ack", lease=again["lease"])
        self.refused("no_such_lease", self.m.ask, "ack", lease=again["lease"])

    def test_threads(self):
        """Each puts its own numbers and takes as many; all are there, once, and each one's come in order."""
        taken = [[] for _ in range(8)]

        def put(first):
            for i in range(50):
                self.m.put("jobs", [first, i])

        def take(mine):
            for _ in range(50):
                mine.append(tuple(self.m.take("jobs")))

        threads = [threading.Thread(target=put, args=(i,)) for i in range(8)] + [threading.Thread(target=take, args=(mine,)) for mine in taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        self.assertEqual(sorted(sum(taken, [])), [(first, i) for first in range(8) for i in range(50)])
        for mine in taken:
            for first in range(8):
                numbers = [i for who, i in mine if who == first]
                self.assertEqual(numbers, sorted(numbers))


class PythonClientAtTheEnd(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon("--set", f"channels={CHANNELS}")
        self.addCleanup(self.daemon.stop, signal.SIGKILL)
        self.m = millrace.Client(f"unix://{self.daemon.socket_path}")
        self.addCleanup(self.m.disconnect)

    def test_a_daemon_that_dies_ends_every_call(self):
        requests = [self.m.begin("take", channel="meet") for _ in range(5)]
        self.m.ask("ping")
        self.daemon.kill(signal.SIGKILL)
        for request in requests:
            self.assertRaises(ConnectionError, request.reply)
            self.assertRaises(ConnectionError, request.reply)
        self.assertRaises(ConnectionError, self.m.take, "meet")

    def test_a_silent_daemon_is_given_up(self):
        parked = self.m.begin("take", channel="meet")
        self.m.ask("ping")
        self.daemon.kill(signal.SIGSTOP)
        self.assertRaisesRegex(ConnectionError, "silent", self.m.take, "jobs", timeout_ms=1)
        self.assertRaisesRegex(ConnectionError, "silent", parked.reply)
        self.daemon.kill(signal.SIGCONT)

    def test_the_daemon_has_the_last_word(self):
        self.m.max_frame *= 2
        self.assertRaisesRegex(ConnectionError, "frame|large|long", self.m.put, "jobs", "x" * 2**20)


if __name__ == "__main__":
    unittest.main()
