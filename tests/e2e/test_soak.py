#!/usr/bin/env python3
"""Mixed load with faults for $SOAK_SECONDS (6): every kind of channel and op, memory at its cap, bad networks, clients that trickle, never read, vanish or are killed. Throughout,
the books of every channel balance; at the end nothing is left behind, and the daemon's memory is what it was after the first fifth."""
import json
import math
import os
import random
import subprocess
import sys
import time
import unittest

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)
from millraced import BUILD, DEADLINE_S, IS_SANITIZED, Connection, Daemon  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", 6))
LOOKS_A_SECOND = 10
JOBS_A_LOOK = 40
CHANNELS = """{meet: {kind: unbuffered}, jobs: {kind: bounded, capacity: 50}, store: {kind: bounded, capacity: 100000}, lossy: {kind: dropping, capacity: 20},
latest: {kind: sliding, capacity: 5}, leader: {kind: promise}, clock: {kind: unbuffered}, work: {kind: bounded, capacity: 30}, done: {kind: bounded, capacity: 1000}}"""
SETTINGS = ["limits.max_memory=8MiB", "limits.max_buffers=8MiB", "limits.max_inflight=50", "limits.max_waiters=500", f"channels={CHANNELS}"]
MOST_RESIDENT_KIB = 40 * 1024  # the two limits of 8 MiB, what an allocator makes of them, and the program itself
WORKERS = ["job_worker", "job_worker", "job_worker", "putter", "putter", "taker", "taker", "consumer", "chooser", "chooser", "hoarder", "owner", "looker", "trickler", "deaf", "vanisher"]


class Soak(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 32)))
        print(f"seed {self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)
        self.begins_at = time.monotonic()
        self.counts, self.n_started, self.n_killed = {}, 0, 0
        self.n_jobs, self.done = 0, {}  # job: the deliveries with which it was done
        self.resident = []  # (part of the time gone by, KiB)

    def gone_by(self):
        return (time.monotonic() - self.begins_at) / SECONDS

    def start_proxy(self, port):
        """In a process of its own: it has much to do."""
        command = [sys.executable, os.path.join(LIB, "proxy.py"), str(port), str(self.seed)]
        proxy = self.enterContext(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return int(proxy.stdout.readline())

    def start_worker(self, name):
        self.n_started += 1
        command = [sys.executable, os.path.join(LIB, "soak_worker.py"), name, self.seed + self.n_started, SECONDS * (1 - self.gone_by()), *self.ports]
        return name, subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)

    def kill_one(self, workers):
        """In the middle of whatever it does; another takes its place."""
        i = self.random.randrange(len(workers))
        name, process = workers[i]
        process.kill()
        process.communicate()
        self.n_killed += 1
        workers[i] = self.start_worker(name)

    def look(self, daemon, witness):
        for row in witness.ask(id=1, op="list")["channels"]:
            entered = row["accepted"] + row["returned"]
            left = sum(row[name] for name in ("taken", "buffered", "leased", "evicted", "dead_lettered", "discarded"))
            self.assertTrue(row["kind"] == "promise" or entered == left, row)
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            self.resident.append((self.gone_by(), next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))))

    def most_resident(self, begin, end):
        return max((size for part, size in self.resident if begin <= part <= end), default=0)  # a slow machine seldom looks

    def put_jobs(self, witness):
        """As many as there is room for, and not for ever."""
        for _ in range(JOBS_A_LOOK):
            if witness.ask(id=3, op="put", channel="work", value=self.n_jobs, timeout_ms=0)["status"] != "ok":
                break
            self.n_jobs += 1

    def collect_done(self, witness):
        while (reply := witness.ask(id=4, op="take", channel="done", max=1000, timeout_ms=0))["status"] == "ok":
            for job, deliveries in reply["values"]:
                self.done.setdefault(job, []).append(deliveries)

    def check_jobs(self, witness):
        """Each was done; if a second time, with a delivery of its own that says so."""
        while (taken := witness.ask(id=5, op="take", channel="work", lease_ms=60000, timeout_ms=2000))["status"] == "ok":
            self.done.setdefault(taken["value"], []).append(taken["deliveries"])
            self.assertEqual(witness.ask(id=6, op="ack", lease=taken["lease"])["status"], "ok")
        self.collect_done(witness)
        self.assertEqual(sorted(self.done), list(range(self.n_jobs)))
        for job, deliveries in self.done.items():
            self.assertEqual(len(set(deliveries)), len(deliveries), job)
        row = witness.ask(id=7, op="stat", channel="work")
        self.assertEqual((row["accepted"], row["taken"], row["leased"], row["buffered"]), (self.n_jobs, self.n_jobs, 0, 0))

    def finish(self, workers):
        for name, process in workers:
            output, _ = process.communicate(timeout=DEADLINE_S)
            self.assertEqual(process.returncode, 0, name)
            for word, number in json.loads(output).items():
                self.counts[word] = self.counts.get(word, 0) + number

    def check_what_is_left(self, witness):
        """Everybody has gone: nothing is parked, and no reply channel is left."""
        deadline = time.monotonic() + DEADLINE_S
        while left := [row for row in witness.ask(id=1, op="list")["channels"] if row["parked_puts"] or row["parked_takes"] or row["ephemeral"]]:
            self.assertLess(time.monotonic(), deadline, left)

    def check_what_was_reached(self):
        early, late = self.most_resident(0.2, 0.4), self.most_resident(0.8, math.inf)
        print(f"{sum(self.counts.values())} replies: {json.dumps(self.counts)}; {self.n_killed} killed; {self.n_jobs} jobs, {sum(len(each) > 1 for each in self.done.values())} done again; resident: {early} KiB after a fifth, {late} KiB at the end", file=sys.stderr)
        self.assertNotIn("internal", self.counts)
        if IS_SANITIZED:  # slow, so that it may not get everywhere; and memory says nothing
            return
        for word in ("ok", "timeout", "dropped", "cancelled", *(["overloaded"] if SECONDS >= 60 else [])):  # on a slow machine that takes its time
            self.assertIn(word, self.counts)
        self.assertLess(late, MOST_RESIDENT_KIB)
        if SECONDS >= 60:  # a short one has not filled everything after a fifth
            self.assertLess(late, early * 1.1)

    def test_soak(self):
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        with Daemon(*settings) as daemon, Connection(daemon) as witness:
            self.ports = [daemon.port, daemon.port, self.start_proxy(daemon.port)]
            workers = [self.start_worker(name) for name in WORKERS]
            n_looks = 0
            while self.gone_by() < 1:
                self.look(daemon, witness)
                self.put_jobs(witness)
                self.collect_done(witness)
                n_looks += 1
                if n_looks % LOOKS_A_SECOND == 0 and self.gone_by() < 0.9:
                    self.kill_one(workers)
                # The clock of a soak is the wall's: this is no wait for an event.
                witness.ask(id=2, op="take", channel="clock", timeout_ms=1000 // LOOKS_A_SECOND)
            self.finish(workers)
            self.look(daemon, witness)
            self.check_what_is_left(witness)
            self.check_jobs(witness)
        self.check_what_was_reached()


if __name__ == "__main__":
    unittest.main()
