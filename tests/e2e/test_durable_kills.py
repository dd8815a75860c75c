#!/usr/bin/env python3
"""Durable channels under load, while the daemon is killed by kill -9 at any moment or at a named one, or one of its calls to the disk fails: nothing that was answered is lost, nothing plainly taken is
given twice, what has an order keeps it, and the books balance.

MILLRACE_KILLS says how often it is killed at any moment (6 if nothing does); MILLRACE_SEED repeats a run."""
import itertools
import os
import random
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from tests.lib.durable import Durable, Wire  # noqa: E402
from tests.lib.durable_load import DEFINITIONS, Load  # noqa: E402
from tests.lib.millraced import BUILD, DEADLINE_S  # noqa: E402

KILLS = int(os.environ.get("MILLRACE_KILLS") or 6)
SEED = int(os.environ.get("MILLRACE_SEED") or random.randrange(10**9))
PRELOAD = os.path.abspath(os.path.join(BUILD, "tests/lib/preload/disk_faults.so"))
FAILED = 4
FOREVER = 10**9
LARGE_SEGMENT = ["--set", "journal.segment=64MiB"]  # with the second one it is time for a checkpoint, and then the first one goes


class UnderLoad(Durable):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", file=sys.stderr)
        if not os.path.exists(PRELOAD):
            subprocess.run(["make", "-s", f"BUILD={BUILD}", os.path.relpath(PRELOAD)], check=True)

    def setUp(self):
        super().setUp()
        self.arguments += DEFINITIONS
        self.load = Load(SEED, pad=100)
        daemon = self.start()
        daemon.wait_ready()
        self.load.prepare(daemon.port)
        self.kill(daemon)

    def start(self, *more, fault=None):
        environment = dict(os.environ)
        if fault:
            environment |= {"LD_PRELOAD": PRELOAD, "MILLRACE_DISK_FAULT": fault, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        return super().start(*more, env=environment, waits=False)

    def live(self, puts, *more, fault=None):
        """A life under load, until so many puts more were answered, or it ends by itself, which may be before it is ready. The daemon, and its clients."""
        daemon = self.start(*more, fault=fault)
        if not daemon.comes_up():
            daemon.process.wait(DEADLINE_S)
            return daemon, []
        clients = self.load.begin(daemon.port)
        goal, deadline = self.load.puts + puts, time.monotonic() + DEADLINE_S
        while self.load.puts < goal and daemon.process.poll() is None:
            clients[0].join(0.001)
            self.assertEqual(self.load.mistakes, [])
            self.assertLess(time.monotonic(), deadline)
        return daemon, clients

    def end(self, daemon, clients):
        self.kill(daemon)
        for client in clients:
            client.join(DEADLINE_S)

    def check(self):
        daemon = self.start()
        daemon.wait_ready()
        self.assertEqual(self.load.drain(daemon.port), [])


class KilledAtAnyMoment(UnderLoad):
    def test_nothing_that_was_answered_is_lost_and_nothing_given_twice(self):
        choice = random.Random(SEED)
        for _ in range(KILLS):
            self.end(*self.live(20 + choice.randrange(300)))
        self.check()

    def test_the_check_finds_what_is_answered_and_not_written(self):
        self.end(*self.live(100, fault="swallow write 20"))
        daemon = self.start()
        daemon.wait_ready()
        self.assertTrue(any("are lost" in fault for fault in self.load.drain(daemon.port)))


class AtOneCall(UnderLoad):
    def setUp(self):
        super().setUp()
        self.load.pad = 20000  # so segments are soon full
        self.choice = random.Random(SEED)

    def end_of_life(self, fault, *more):
        """The daemon, which has ended by itself."""
        with self.subTest(fault):
            daemon, clients = self.live(FOREVER, *more, fault=fault)
            self.end(daemon, clients)
            daemon.reader.join(DEADLINE_S)  # its log is whole
            return daemon


class KilledAtOneCall(AtOneCall):
    def die_at(self, points, deeds, numbers, *more):
        for point, deed in itertools.product(points, deeds):
            daemon = self.end_of_life(f"{deed} {point} {self.choice.choice(numbers)}", *more)
            self.assertEqual(daemon.process.returncode, -signal.SIGKILL, daemon.log())
        self.check()

    def test_around_the_write_of_batches(self):
        self.die_at(("write",), ("before", "within", "after"), range(1, 60))

    def test_around_their_sync(self):
        self.die_at(("sync",), ("before", "after"), range(1, 60))

    def test_while_a_segment_gets_its_head(self):
        self.die_at(("head",), ("before", "within", "after"), (1, 2, 3))

    def test_while_a_spare_is_made(self):
        self.die_at(("allocate",), ("before", "within", "after"), (1, 2, 3))

    def test_while_a_spare_is_named(self):
        self.die_at(("name",), ("before", "after"), (1, 2, 3))

    def test_while_a_segment_is_synced(self):
        self.die_at(("sync_segment",), ("before", "after"), range(1, 7))

    def test_while_the_folder_is_synced(self):
        self.die_at(("folder",), ("before", "after"), range(1, 7))

    def test_around_a_checkpoint(self):
        self.end(*self.live(1, *LARGE_SEGMENT))
        self.die_at(("begin", "midst", "end"), ("before", "within", "after"), (1,), *LARGE_SEGMENT)

    def test_while_a_segment_is_dropped(self):
        self.end(*self.live(1, *LARGE_SEGMENT))
        self.die_at(("drop",), ("before", "after"), (1,), *LARGE_SEGMENT)


class KilledAtTheFirstStart(UnderLoad):
    def test_the_next_one_begins_where_it_was(self):
        faults = [f"{deed} {point} 1" for deed in ("before", "within", "after") for point in ("allocate", "head")]
        faults += [f"{deed} {point} {n}" for deed in ("before", "after") for point, n in (("sync_segment", 1), ("sync_segment", 2), ("name", 1), ("folder", 1), ("folder", 2), ("folder", 3))]
        for i, fault in enumerate(faults):
            with self.subTest(fault):
                self.arguments[1] = f"journal.path={self.path(f'journal.{i}')}"
                self.assertEqual(self.start(fault=fault).process.wait(DEADLINE_S), -signal.SIGKILL)
                daemon = self.start()
                daemon.wait_ready()
                self.kill(daemon)


class FailsAtOneCall(AtOneCall):
    def fails_at(self, fault, doing, reason, *more):
        daemon = self.end_of_life(fault, *more)
        self.assertEqual(daemon.process.returncode, FAILED, daemon.log())
        self.assertIn(f"has failed: {doing}: {reason}. The daemon ends at once", daemon.log())

    def test_it_says_what_failed_and_ends_at_once(self):
        for error, reason in (("EIO", "Input/output error"), ("ENOSPC", "No space left on device")):
            self.fails_at(f"{error} write 10", "writing", reason)
            self.fails_at(f"{error} sync 10", "fdatasync", reason)
            self.fails_at(f"{error} head 2", "beginning a segment", reason)
            self.fails_at(f"{error} name 2", "beginning a segment", reason)
        self.fails_at("EIO allocate 2", "making the next segment", "Input/output error")
        self.check()

    def test_a_segment_that_cannot_be_dropped(self):
        self.end(*self.live(1, *LARGE_SEGMENT))
        self.fails_at("EIO drop 1", "dropping a segment", "Input/output error", *LARGE_SEGMENT)
        self.check()

    def test_at_the_start_it_says_so_and_does_not_begin(self):
        self.end(*self.live(20))
        for point in ("head", "name", "folder", "sync_segment"):
            for error, reason in (("EIO", "Input/output error"), ("ENOSPC", "No space left on device")):
                daemon = self.end_of_life(f"{error} {point} 1")
                self.assertEqual(daemon.process.returncode, 1, daemon.log())
                self.assertIn(reason, daemon.log())
        self.check()

    def test_without_room_for_a_spare_puts_are_refused_and_takes_go_on(self):
        daemon, clients = self.live(0)
        wire = Wire(daemon.port)
        wire.ask("create", channel="more", kind="bounded", capacity=41, durable=True)
        self.assertEqual(wire.ask("put", channel="more", values=list(range(40)))["status"], "ok")
        wire.close()
        self.end(daemon, clients)
        daemon, clients = self.live(0, fault="ENOSPC allocate 2 20")  # whatever is written after the first of them is another try
        wire = Wire(daemon.port)
        daemon.wait_log("the disk of the journal is full")
        while "has room again" not in daemon.log():
            self.assertEqual(wire.ask("take", channel="more", timeout_ms=0)["status"], "ok")
        self.assertGreater(self.load.unavailable, 0)
        self.assertEqual(wire.ask("put", channel="more", value=1)["status"], "ok")
        wire.close()
        self.end(daemon, clients)
        self.check()


if __name__ == "__main__":
    unittest.main()
