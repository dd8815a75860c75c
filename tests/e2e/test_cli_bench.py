#!/usr/bin/env python3
"""millrace bench: what it tells adds up, it ends in order however it ends, and leaves nothing behind."""
import json
import os
import pty
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import BUILD, DEADLINE_S, Connection, Daemon  # noqa: E402
from terminal import needs_terminal  # noqa: E402

PROGRAM = os.path.join(BUILD, "millrace")
OK, ERROR, USAGE, CONNECT, INTERRUPTED = 0, 1, 2, 5, 130
QUANTILES = ["p50", "p90", "p99", "p99.9", "max"]


class Bench(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.environment = {**os.environ, "MILLRACE_URL": f"unix://{self.daemon.socket_path}"}

    def tearDown(self):
        self.assertEqual(self.channels(), [])
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log())

    def channels(self):
        with Connection(self.daemon) as connection:
            return connection.ask(id=1, op="list")["channels"]

    def bench(self, *arguments):
        return subprocess.run([PROGRAM, "bench", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment)

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, "bench", *arguments], env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_traffic(self):
        """Until so much has been taken that it cannot all be still under way."""
        while not any(row["taken"] > 1000 for row in self.channels()):
            pass

    def check(self, result):
        self.assertGreater(result["taken"], 0)
        self.assertAlmostEqual(result["per_second"], result["taken"] / result["seconds"], delta=result["per_second"] / 50 + 1)
        latencies = [result["latency_us"][name] for name in QUANTILES]
        self.assertEqual(latencies, sorted(latencies))
        self.assertGreater(latencies[0], 0)

    def test_every_kind_with_and_without_batches(self):
        for kind in ("unbuffered", "bounded", "dropping", "sliding"):
            for more in ([], ["--batch", "7", "-p", "2", "-c", "3", "--size", "300", "--window", "5"]):
                with self.subTest(kind=kind, more=more):
                    for duration in ("60ms", "3s"):  # on a machine that is very busy nothing may have come of a short one
                        done = self.bench("--kind", kind, "--duration", duration, "-o", "json", *more)
                        self.assertEqual((done.returncode, done.stderr), (OK, ""))
                        result = json.loads(done.stdout)
                        if result["taken"] > 0:
                            break
                    self.check(result)
                    self.assertEqual((result["kind"], result["batch"], result["consumers"]), (kind, 7 if more else 1, 3 if more else 1))
                    self.assertEqual(result["dropped"] if kind != "dropping" else 0, 0)
                    self.assertEqual(result["evicted"] if kind != "sliding" else 0, 0)

    def test_text_and_raw(self):
        done = self.bench("--duration", "50ms")
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        self.assertRegex(done.stdout, r"values taken in 0\.\d s: \d+ a second")
        self.assertRegex(done.stdout, r"\n  p99\.9 +[0-9.]+ us\n")
        raw = dict(line.split("\t") for line in self.bench("--duration", "50ms", "-o", "raw").stdout.splitlines())
        self.assertEqual(set(raw), {"seconds", "taken", "dropped", "evicted", "per_second", *QUANTILES})

    def test_interrupted_it_tells_what_it_has(self):
        process = self.start("--duration", "1h", "-o", "json", "-p", "2", "-c", "2")
        self.wait_for_traffic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, err), (INTERRUPTED, ""))
        self.check(json.loads(out))

    def test_killed_it_leaves_nothing(self):
        process = self.start("--duration", "1h", "--kind", "unbuffered")
        self.wait_for_traffic()
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        while self.channels():
            pass

    def test_a_channel_that_is_deleted_ends_it(self):
        process = self.start("--duration", "1h")
        self.wait_for_traffic()
        with Connection(self.daemon) as connection:
            connection.ask(id=1, op="delete", channel=self.channels()[0]["channel"], force=True)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, out), (ERROR, ""))
        self.assertIn("millrace bench: ", err)

    @needs_terminal
    def test_progress_is_for_terminals(self):
        leader, follower = pty.openpty()
        process = subprocess.Popen([PROGRAM, "bench", "--duration", "1h"], env=self.environment, stdout=subprocess.PIPE, stderr=follower)
        os.close(follower)
        shown = b""
        while b"values a second" not in shown:
            shown += os.read(leader, 1000)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
        os.close(leader)
        self.assertEqual(process.returncode, INTERRUPTED)

    def test_what_is_wrong_is_told(self):
        for arguments in (["-p", "0"], ["--size", "23"], ["--window", "1001"], ["--batch", "many"], ["--duration", "0"], ["--kind", "promise"], ["stray"]):
            with self.subTest(arguments=arguments):
                done = self.bench(*arguments)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
                self.assertIn(arguments[-1], done.stderr)
        too_large = self.bench("--batch", "1000", "--size", "100000", "--duration", "1h")
        self.assertEqual(too_large.returncode, ERROR)
        self.assertIn("larger than a frame", too_large.stderr)
        self.assertEqual(self.bench("-u", "unix:///nowhere").returncode, CONNECT)


if __name__ == "__main__":
    unittest.main()
