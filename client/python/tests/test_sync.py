"""The client without asyncio, against the real daemon: threads, signals, forks, and its package as pip installs it."""
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from common import CHANNELS, DEADLINE_S, ROOT, Connection, Daemon, books_balance, millrace, url_of, wait_until


class Interrupted(Exception):
    pass


class Case(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.observer = Connection(self.daemon)
        self.addCleanup(self.observer.close)
        self.m = millrace.connect(url_of(self.daemon), name="test").open()
        self.addCleanup(self.m.disconnect)
        for name, kind, capacity in CHANNELS:
            self.m.create(name, kind, capacity)


class Blocking(Case):
    def test_the_whole_surface(self):
        self.assertTrue(self.m.put("jobs", {"a": [1]}))
        self.assertEqual(self.m.peek("jobs"), [{"a": [1]}])
        self.assertEqual(self.m.take("jobs"), {"a": [1]})
        self.assertEqual(self.m.put_many("jobs", [1, 2, 3]), 3)
        self.assertEqual(self.m.take_many("jobs", 2), [1, 2])
        self.assertEqual(self.m.alts(["meet", "jobs"]).value, 3)
        self.assertEqual(self.m.alts([("latest", 5)]).channel, "latest")
        self.assertEqual([row["channel"] for row in self.m.list("l*")], ["latest", "leader", "lossy"])
        self.assertEqual(list(self.m.waiters()), [])
        with self.assertRaises(millrace.Timeout):
            self.m.take("jobs", timeout=0.01)
        self.assertEqual(self.m.delete("latest", force=True), 1)
        self.assertRegex(self.m.create(None, "bounded", 1, ephemeral=True), "^_r")
        self.m.put("jobs", "x")
        self.m.close("jobs")
        self.assertEqual(list(self.m.values("jobs")), ["x"])

    def test_jobs(self):
        self.m.put_many("jobs", [1, 2])
        with self.assertRaises(ZeroDivisionError):
            for _job in self.m.jobs("jobs"):
                1 / 0
        with self.m.jobs("jobs") as jobs:
            for job in jobs:
                self.assertEqual((job.value, job.deliveries), (1, 2))
                break
        self.m.close("jobs")
        self.assertEqual([job.value for job in self.m.jobs("jobs")], [2])
        choice_row = self.m.stat("jobs")
        self.assertEqual(choice_row["taken"], 2)

    def test_an_alts_with_a_lease_gives_a_job(self):
        self.m.put("jobs", "x")
        choice = self.m.alts(["jobs", "meet"], lease=30)
        self.assertEqual(choice.value, "x")
        choice.job.nack()
        self.assertEqual(self.m.take("jobs"), "x")

    def test_threads_share_one(self):
        got, lock = [], threading.Lock()

        def consume():
            for value in self.m.values("jobs"):
                with lock:
                    got.append(value)

        threads = [threading.Thread(target=consume) for _ in range(8)]
        for thread in threads:
            thread.start()
        for i in range(500):
            self.m.put("jobs", i)
        self.m.close("jobs")
        for thread in threads:
            thread.join(DEADLINE_S)
        self.assertEqual(sorted(got), list(range(500)))

    def test_who_has_disconnected_says_so(self):
        self.m.disconnect()
        with self.assertRaises(millrace.ConnectionLost):
            self.m.take("jobs")

    def test_unix_sockets(self):
        with millrace.connect(f"unix://{self.daemon.socket_path}") as other:
            other.put("jobs", 1)
        self.assertEqual(self.m.take("jobs"), 1)


class Signals(Case):
    def setUp(self):
        super().setUp()

        def handler(number, frame):
            raise Interrupted

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handler))

    def interrupt_when(self, channel, **wanted):
        def watch():
            with Connection(self.daemon) as connection:
                wait_until(connection, channel, **wanted)
            os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=watch)
        thread.start()
        self.addCleanup(thread.join)

    def test_an_interrupted_take_is_withdrawn(self):
        self.interrupt_when("jobs", parked_takes=1)
        with self.assertRaises(Interrupted):
            self.m.take("jobs")
        wait_until(self.observer, "jobs", parked_takes=0)
        self.m.put("jobs", 1)
        self.assertEqual(self.m.take("jobs"), 1)

    def test_an_interrupted_put_is_withdrawn(self):
        self.interrupt_when("meet", parked_puts=1)
        with self.assertRaises(Interrupted):
            self.m.put("meet", 1)
        wait_until(self.observer, "meet", parked_puts=0)

    def test_a_storm_of_interrupts_loses_nothing(self):
        """Interrupts by a timer of the kernel's, at any moment; they are held off only while a value is written down."""
        total, got = 300, []
        self.m.create("storm", "bounded", 10)

        def produce():
            with millrace.connect(url_of(self.daemon)) as other:
                for i in range(total):
                    other.put("storm", i)

        def handler(number, frame):
            if is_open[0]:
                is_open[0] = False
                raise Interrupted

        is_open = [False]
        old = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        producer = threading.Thread(target=produce)
        producer.start()
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0031)
        original = millrace.sync._Call.wait

        class Gate:
            """The lock at which a call waits: only there an interrupt may come."""

            def __init__(self, lock):
                self.lock = lock

            def acquire(self):
                try:
                    is_open[0] = True
                    return self.lock.acquire()
                finally:
                    is_open[0] = False

            def release(self):
                self.lock.release()

        def wait(call):
            if threading.current_thread() is threading.main_thread():
                call._done = Gate(call._done)
            return original(call)

        millrace.sync._Call.wait = wait
        try:
            while len(got) < total:
                try:
                    got.append(self.m.take("storm"))
                except Interrupted:
                    pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            millrace.sync._Call.wait = original
            producer.join(DEADLINE_S)
        self.assertEqual(sorted(got), list(range(total)))
        self.assertTrue(books_balance(wait_until(self.observer, "storm", leased=0)))


class Forks(Case):
    def test_a_child_is_told_and_the_parent_goes_on(self):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.m.take("jobs")
            except millrace.ForkError:
                status = 0
            finally:
                self.m.disconnect()
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.m.put("jobs", 1)
        self.assertEqual(self.m.take("jobs"), 1)


class Package(unittest.TestCase):
    def test_pip_installs_it_and_its_types(self):
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "source")
            subprocess.run(["cp", "-r", os.path.join(ROOT, "client", "python"), source], check=True)
            target = os.path.join(directory, "site")
            command = ["/usr/bin/python3", "-m", "pip", "install", "-q", "--no-build-isolation", "--no-index", "--no-deps", "--target", target, source]
            subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_S * 2)
            self.assertTrue(os.path.exists(os.path.join(target, "millrace", "py.typed")))
            code = "import millrace; print(millrace.__version__)"
            version = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": target}, capture_output=True, text=True, check=True)
            self.assertEqual(version.stdout.strip(), millrace.__version__)

    def test_the_types_are_strict(self):
        source = os.path.join(ROOT, "client", "python", "src", "millrace")
        with tempfile.TemporaryDirectory() as cache:
            check = subprocess.run(["/usr/bin/mypy", "--strict", "--cache-dir", cache, source], capture_output=True, text=True, timeout=DEADLINE_S * 4)
        self.assertEqual(check.returncode, 0, check.stdout)


if __name__ == "__main__":
    unittest.main()
