#!/usr/bin/env python3
"""Durable channels: what was answered is there after kill -9, and journals that are not as they were left are refused."""
import fcntl
import json
import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from tests.lib.durable import Durable, Wire  # noqa: E402
from tests.lib.millraced import DEADLINE_S, Daemon, run  # noqa: E402


class Restart(Durable):
    def test_what_was_answered_is_there_after_kill_9(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        self.assertIn("durable", wire.ask("hello", protocol=1)["features"])
        self.assertTrue(wire.ask("create", channel="q", kind="bounded", capacity=100, durable=True)["created"])
        self.assertEqual(wire.ask("put", channel="q", values=[1, {"two": 2}, "3", 4, 5])["status"], "ok")
        self.assertEqual(wire.ask("take", channel="q")["value"], 1)
        leased = wire.ask("take", channel="q", lease_ms=100000)
        self.assertEqual(wire.ask("ack", lease=leased["lease"])["status"], "ok")
        self.assertEqual(wire.ask("take", channel="q", lease_ms=100000)["value"], "3")
        sticky = wire.ask("take", channel="q", lease_ms=100000, sticky=True)
        self.assertEqual(wire.ask("alter", channel="q", capacity=50)["status"], "ok")
        self.kill(daemon)
        wire.close()
        daemon = self.start()
        wire = Wire(daemon.port)
        row = wire.ask("stat", channel="q")
        self.assertEqual([row[key] for key in ("capacity", "durable", "buffered", "leased", "recovered", "accepted")], [50, True, 2, 1, 3, 0])
        again = wire.ask("take", channel="q", lease_ms=1000)
        self.assertEqual((again["value"], again["deliveries"]), ("3", 2))
        self.assertEqual(wire.ask("take", channel="q")["value"], 5)
        self.assertEqual(wire.ask("ack", lease=sticky["lease"])["status"], "ok")
        wire.close()

    def test_delays_origins_and_moves_are_there_after_kill_9(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        wire.ask("create", channel="dead", kind="bounded", capacity=10, durable=True)
        wire.ask("create", channel="q", kind="bounded", capacity=10, durable=True, max_deliveries=1, dead_letter="dead")
        wire.ask("create", channel="r", kind="bounded", capacity=10, durable=True)
        self.assertEqual(wire.ask("put", channel="q", values=["moved", "dead"])["accepted"], 2)
        self.assertEqual(wire.ask("move", to="r", max=1, **{"from": "q"})["moved"], 1)
        leased = wire.ask("take", channel="q", lease_ms=100000)
        self.assertEqual(wire.ask("nack", lease=leased["lease"])["status"], "ok")
        origin = wire.ask("peek", channel="dead")["origins"][0]
        self.assertEqual(wire.ask("put", channel="r", values=["far"], delay_ms=10000000)["accepted"], 1)
        self.assertEqual(wire.ask("put", channel="r", values=["second"], delay_ms=30)["accepted"], 1)
        self.assertEqual(wire.ask("put", channel="r", values=["first"], delay_ms=1)["accepted"], 1)
        self.kill(daemon)
        wire.close()
        daemon = self.start()
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        self.assertEqual([wire.ask("take", channel="r", max=1)["values"][0] for _ in range(3)], ["moved", "first", "second"])
        row = wire.ask("stat", channel="r")
        self.assertEqual([row[key] for key in ("buffered", "leased", "delayed", "recovered", "accepted", "taken")], [0, 1, 1, 4, 0, 3])
        again = wire.ask("peek", channel="dead")["origins"][0]
        self.assertGreaterEqual(again.pop("age_ms"), origin.pop("age_ms"))
        self.assertEqual(again, origin)
        self.assertEqual(again, {"channel": "q", "deliveries": 1, "reason": "nack"})
        self.assertEqual(wire.ask("move", **{"from": "dead"})["moved"], 1)
        self.assertEqual(wire.ask("take", channel="q")["value"], "dead")

    def test_a_put_that_is_sent_again_after_kill_9_enters_once(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        wire.ask("create", channel="q", kind="bounded", capacity=3, durable=True)
        self.assertEqual(wire.ask("put", channel="q", values=[1, 2], producer="p", seq=1)["accepted"], 2)
        part = wire.ask("put", channel="q", values=[3, 4], producer="p", seq=2, timeout_ms=0)
        self.assertEqual((part["status"], part["accepted"]), ("timeout", 1))
        self.kill(daemon)
        wire.close()
        daemon = self.start()
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        again = wire.ask("put", channel="q", values=[1, 2], producer="p", seq=1)
        self.assertEqual((again["status"], again["accepted"], again["duplicate"]), ("ok", 2, True))
        self.assertEqual(wire.ask("take", channel="q")["value"], 1)
        self.assertEqual(wire.ask("put", channel="q", values=[3, 4], producer="p", seq=2)["accepted"], 2)
        self.assertEqual(wire.ask("take", channel="q", max=10)["values"], [2, 3, 4])

    def test_taps_of_durable_channels_are_there_after_kill_9(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        for channel, capacity in (("s", 10), ("a", 10), ("b", 1), ("c", 10)):
            wire.ask("create", channel=channel, kind="bounded", capacity=capacity, durable=True)
        wire.ask("create", channel="m", kind="bounded", capacity=10)
        for members in ({"to": "a"}, {"to": "b", "match": {"/b": True}, "close": False}, {"to": "m"}, {"to": "c"}):
            self.assertEqual(wire.ask("tap", **{"from": "s"}, **members)["status"], "ok")
        self.assertEqual(wire.ask("untap", to="c", **{"from": "s"})["status"], "ok")
        values = [{"b": True, "n": n} for n in range(3)]
        self.assertEqual(wire.ask("put", channel="s", values=values)["accepted"], 3)
        self.assertEqual(wire.ask("stat", channel="s")["leased"], 1)
        self.kill(daemon)
        wire.close()
        daemon = self.start()
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        rows = wire.ask("taps")["taps"]
        self.assertEqual([(row["from"], row["to"], row.get("match"), row["close"]) for row in rows], [("s", "a", None, True), ("s", "b", {"/b": True}, False)])
        self.assertEqual([wire.ask("take", channel="b")["value"] for _ in range(3)], values)
        self.assertEqual(wire.ask("take", channel="a", max=10)["values"], values)
        wire.ask("put", channel="s", value={"b": 0})
        self.assertEqual(wire.ask("take", channel="a")["value"], {"b": 0})
        self.assertEqual(wire.ask("stat", channel="b")["buffered"], 0)

    def test_taps_of_the_configuration_carry_what_was_held_for_them(self):
        channels = ("s={kind: bounded, capacity: 10, durable: true}", "a={kind: bounded, capacity: 10, durable: true}", "m={kind: bounded, capacity: 1}")
        arguments = [argument for channel in channels for argument in ("--set", f"channels.{channel}")]
        arguments += ["--set", "taps=[{from: s, to: [a, m]}]"]
        daemon = self.start(*arguments)
        wire = Wire(daemon.port)
        self.assertEqual(wire.ask("put", channel="s", values=[1, 2, 3])["accepted"], 3)
        self.assertEqual(wire.ask("stat", channel="a")["buffered"], 2)
        self.kill(daemon)
        wire.close()
        daemon = self.start(*arguments)
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        self.assertEqual([wire.ask("take", channel="m")["value"] for _ in range(2)], [2, 3])
        self.assertEqual(wire.ask("take", channel="a", max=10)["values"], [1, 2, 3])

    def test_a_channel_of_the_configuration_follows_it(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 5, durable: true}")
        wire = Wire(daemon.port)
        wire.ask("put", channel="q", values=[1, 2])
        wire.close()
        self.kill(daemon)
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 7, durable: true}")
        wire = Wire(daemon.port)
        row = wire.ask("stat", channel="q")
        self.assertEqual((row["capacity"], row["buffered"]), (7, 2))
        wire.close()
        self.kill(daemon)
        self.assertIn("leave it out of the configuration, delete it", self.refused("--set", "channels.q={kind: sliding, capacity: 7, durable: true}"))

    def test_what_is_no_longer_configured_stays_with_a_warning(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 5, durable: true}", "--set", "channels.r={kind: bounded, capacity: 5, durable: true}")
        wire = Wire(daemon.port)
        wire.ask("put", channel="q", values=[1, 2])
        wire.close()
        self.kill(daemon)
        daemon = self.start("--set", "channels.r={kind: bounded, capacity: 5, durable: true}")
        self.assertIn("channel q is in the journal and not in the configuration, and stays", daemon.wait_log("warning"))
        wire = Wire(daemon.port)
        self.assertEqual(wire.ask("stat", channel="q")["buffered"], 2)
        wire.close()
        self.assertEqual([line for line in daemon.log().splitlines() if "channel r " in line], [])

    def test_metrics_tell_of_the_journal(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 5, durable: true}", http="127.0.0.1:0")
        wire = Wire(daemon.port)
        wire.ask("put", channel="q", values=[1, 2])
        wire.close()
        port = re.search(r"http://[^ ]*:(\d+)", daemon.wait_log("http://"))[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
        for line in ("millrace_journal_segments 1", "millrace_journal_full 0", 'millrace_journal_commit_seconds_bucket{le="+Inf"} 2'):
            self.assertIn(line, metrics)

    def test_durable_values_do_not_hold_up_the_end(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 5, durable: true}", "--set", "limits.grace_ms=1h")
        wire = Wire(daemon.port)
        wire.ask("put", channel="q", values=[1, 2])
        daemon.process.terminate()
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        wire.close()

    def test_a_checkpoint_drops_old_segments(self):
        daemon = self.start("--set", "journal.segment=16MiB", "--set", "channels.q={kind: bounded, capacity: 1000, durable: true}")
        wire = Wire(daemon.port)
        wire.ask("put", channel="q", values=list(range(10)))
        for _ in range(100):
            wire.ask("put", channel="q", value="x" * 1000000)
            wire.ask("take", channel="q", max=1)
        wire.close()
        self.kill(daemon)
        self.assertLess(len(self.segments()), 7)
        daemon = self.start("--set", "journal.segment=16MiB")
        wire = Wire(daemon.port)
        self.assertEqual(wire.ask("stat", channel="q")["buffered"], 10)
        wire.close()


class Starting(Durable):
    """A lease on a file holds up whoever opens it: so the journal is read for as long as a test wants it to be."""

    def setUp(self):
        super().setUp()
        daemon = self.start()
        wire = Wire(daemon.port)
        wire.ask("create", channel="q", kind="bounded", capacity=100, durable=True)
        wire.ask("put", channel="q", values=["kept"])
        wire.close()
        self.kill(daemon)
        self.addCleanup(signal.signal, signal.SIGIO, signal.signal(signal.SIGIO, signal.SIG_IGN))
        self.file = os.open(os.path.join(self.journal, self.segments()[0]), os.O_RDWR)
        self.addCleanup(os.close, self.file)
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def let_go(self):
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def start_held(self, *more):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.http = f"127.0.0.1:{free.getsockname()[1]}"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        daemon = Daemon(*self.arguments, *more, listen=[f"tcp://127.0.0.1:{self.port}"], http=self.http, waits=False)
        self.addCleanup(daemon.process.stderr.close)
        self.addCleanup(daemon.process.wait)
        self.addCleanup(daemon.process.kill)
        daemon.wait_log("http: ")
        return daemon

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def test_http_tells_of_it_and_nobody_is_served_yet(self):
        daemon = self.start_held()
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.assertEqual(self.get("/readyz"), (503, "reading the journal: 0 records\n"))
        for path in ("/metrics", "/api/v1/channels", "/", "/nothing"):
            code, text = self.get(path)
            self.assertEqual((code, json.loads(text)["error"]), (503, "unavailable"))
            self.assertIn("reading the journal: 0 records", json.loads(text)["message"])
        wire = Wire(self.port)
        self.addCleanup(wire.close)
        self.assertNotIn("ready:", daemon.log())
        daemon.process.send_signal(signal.SIGHUP)  # it waits until the start is over
        self.let_go()
        self.assertEqual(wire.ask("take", channel="q")["value"], "kept")  # who has come meanwhile is served
        daemon.wait_log("reloaded")
        self.assertEqual(self.get("/readyz"), (200, "ok\n"))
        self.assertEqual(self.get("/api/v1/channels")[0], 200)

    def test_it_can_be_told_to_end(self):
        daemon = self.start_held()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log("ending on SIGTERM")
        self.let_go()
        self.assertEqual(daemon.process.wait(DEADLINE_S), 0)
        wire = Wire(self.start().port)
        self.addCleanup(wire.close)
        self.assertEqual(wire.ask("take", channel="q")["value"], "kept")


@unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
class AsAnotherUser(Durable):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.user = pwd.getpwnam("nobody")
        self.arguments += ["--set", "user=nobody"]

    def fill(self, wire, n):
        for i in range(n):
            self.assertEqual(wire.ask("put", channel="q", values=["x" * 300000])["status"], "ok", i)

    def test_the_journal_belongs_to_it(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        wire.ask("create", channel="q", kind="bounded", capacity=1000, durable=True)
        self.fill(wire, 12)  # more than two segments
        self.assertGreater(len(self.segments()), 2)
        for name in (".", *os.listdir(self.journal)):
            self.assertEqual(os.stat(os.path.join(self.journal, name)).st_uid, self.user.pw_uid, name)
        self.kill(daemon)
        wire.close()
        wire = Wire(self.start().port)
        self.addCleanup(wire.close)
        self.assertEqual(wire.ask("stat", channel="q")["buffered"], 12)

    def test_one_that_belongs_to_root_is_refused_at_once(self):
        os.mkdir(self.journal, 0o700)
        self.assertIn(f"{self.journal} cannot be opened: Permission denied. It has to belong, with all that is in it, to the account", self.refused())
        os.chown(self.journal, self.user.pw_uid, self.user.pw_gid)
        self.kill(self.start())
        os.chown(os.path.join(self.journal, self.segments()[0]), 0, 0)
        self.assertIn("cannot be opened: Permission denied", self.refused())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Filled(Durable):
    def fill(self, values=3, lives=1):
        for _ in range(lives):
            daemon = self.start("--set", "channels.q={kind: bounded, capacity: 1000, durable: true}")
            wire = Wire(daemon.port)
            for i in range(values):
                wire.ask("put", channel="q", value=i)
            wire.close()
            self.kill(daemon)

    def patch(self, offset, data):
        with open(os.path.join(self.journal, self.segments()[0]), "r+b") as file:
            file.seek(offset)
            file.write(data)

    def patch_kind_of_last_record(self, batch, kind):
        """Of a batch with one record; its checksum is right again."""
        self.patch(batch * 4096 + 44, bytes([kind]))
        head = self.read_first()[batch * 4096 : batch * 4096 + 4096]
        self.patch(batch * 4096 + 40, crc32c(head[:40] + head[44 : 44 + int.from_bytes(head[24:28], "little")]).to_bytes(4, "little"))

    def read_first(self):
        with open(os.path.join(self.journal, self.segments()[0]), "rb") as file:
            return file.read()


class Refused(Filled):
    def test_two_daemons_on_one_folder(self):
        self.start()
        self.assertIn("is in use by another millraced, process", self.refused())

    def test_a_newer_version(self):
        self.fill()
        self.patch(16, b"\x63")
        self.assertIn("was written by a newer millraced (format 99, this one knows 1)", self.refused())

    def test_somebody_elses_file(self):
        self.fill()
        self.patch(0, b"SQLite format 3\0")
        self.assertIn("this is no journal of Millrace", self.refused())

    def test_damage_is_refused_with_its_place_and_changes_nothing(self):
        self.fill(5)
        self.patch(2 * 4096 + 50, b"xxx")
        before = self.read_first()
        self.assertIn(f"{self.segments()[0]} is damaged at offset 8192: batch 2 cannot be read", self.refused())
        self.assertEqual(self.read_first(), before)

    def test_a_relative_path_and_other_mistakes(self):
        for setting, why in {
            "journal.path=here": '"here" is no absolute path of a folder',
            "journal.segment=100KiB": "expected",
            "journal.max_batch=64MiB": "a segment has to hold four batches",
            "journal.size=1": 'unknown key "size"',
        }.items():
            with self.subTest(setting):
                self.assertIn(why, self.refused("--set", setting))
        result = run("--http", "none", "--listen", "tcp://127.0.0.1:0", "--set", "channels.q={kind: bounded, capacity: 1, durable: true}")
        self.assertIn('"q" is durable, and there is no journal', result.stderr)

    def test_a_folder_that_cannot_be_made(self):
        self.arguments[1] = "journal.path=/nonexistent/millrace/journal"
        self.assertIn("cannot be made", self.refused())

    def test_channels_that_cannot_be_durable(self):
        daemon = self.start()
        wire = Wire(daemon.port)
        for members in ({"kind": "unbuffered"}, {"kind": "bounded", "capacity": 1, "ephemeral": True}):
            reply = wire.ask("create", channel="c", durable=True, **members)
            self.assertEqual(reply["error"], "bad_channel", reply)
        wire.ask("create", channel="dead", kind="bounded", capacity=1)
        reply = wire.ask("create", channel="c", kind="bounded", capacity=1, durable=True, max_deliveries=1, dead_letter="dead")
        self.assertEqual(reply["error"], "bad_channel", reply)
        wire.close()
        with Daemon() as plain:
            wire = Wire(plain.port)
            reply = wire.ask("create", channel="c", kind="bounded", capacity=1, durable=True)
            self.assertIn("no journal", reply["message"])
            self.assertNotIn("durable", wire.ask("hello", protocol=1)["features"])
            wire.close()


class Inspected(Filled):
    def test_check_dump_and_salvage(self):
        self.fill(5)
        self.assertIn("is good: 1 segments", run("--journal-check", self.journal).stdout)
        records = [json.loads(line) for line in run("--journal-dump", self.journal).stdout.splitlines()]
        self.assertEqual([record["record"] for record in records], ["create"] + ["put"] * 5)
        self.assertEqual([record["value"] for record in records[1:]], list(range(5)))
        self.patch(3 * 4096 + 50, b"xxx")
        self.assertEqual(run("--journal-check", self.journal).returncode, 1)
        told = run("--journal-salvage", self.journal)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("lost: 00000000000000000001.journal at offset 12288: batch 3 cannot be read", told.stdout)
        self.assertIn("is there already", run("--journal-salvage", self.journal).stderr)
        os.rename(self.journal, self.journal + ".damaged")
        os.rename(self.journal + ".salvaged", self.journal)
        daemon = self.start()
        wire = Wire(daemon.port)
        self.assertEqual(wire.ask("peek", channel="q", max=9)["values"], [0, 2, 3, 4])
        wire.close()

    def test_what_is_salvaged_can_be_read_by_this_version(self):
        self.fill(2)
        self.patch_kind_of_last_record(2, 100)
        self.assertIn("which this version does not know", run("--journal-check", self.journal).stderr)
        self.assertIn("the rest of a batch is of records that this version does not know", run("--journal-salvage", self.journal).stdout)
        self.assertIn("is good: 1 segments", run("--journal-check", self.journal + ".salvaged").stdout)

    def test_nothing_is_made_where_there_is_nothing_to_salvage(self):
        for path, why in {
            self.path("nothing"): "No such file",
            self.directory: "there is no journal in it",
            "/" + "x" * 300: "a shorter path is needed",
        }.items():
            with self.subTest(why):
                self.assertIn(why, run("--journal-salvage", path).stderr)
                self.assertFalse(os.path.exists(path + ".salvaged"))
        self.fill()
        self.patch(0, b"SQLite format 3\0")
        self.assertIn("nothing of it can be read", run("--journal-salvage", self.journal).stderr)
        self.assertFalse(os.path.exists(self.journal + ".salvaged"))

    def test_what_is_no_journal(self):
        self.assertIn("cannot be opened", run("--journal-check", self.path("nothing")).stderr)
        self.assertIn("there is no journal in it", run("--journal-check", self.directory).stderr)


class FilesMayNotGrow(Durable):
    """RLIMIT_FSIZE: its signal would end the daemon."""

    def limit(self, daemon, size):
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_puts_are_refused_while_no_segment_can_be_made(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 100000, durable: true}")
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        # The segment that is there and the spare can be written to, but for their last block, which batches of 15 blocks never reach.
        self.limit(daemon, (1 << 20) - 4096)
        put = 0
        while (reply := wire.ask("put", channel="q", value="x" * 60000))["status"] == "ok":
            put += 1
            self.assertLess(put, 32)
        self.assertEqual(reply.get("error"), "unavailable", reply)
        self.assertIn("the journal's disk is full", reply["message"])
        self.assertEqual(wire.ask("take", channel="q")["status"], "ok")
        self.limit(daemon, resource.RLIM_INFINITY)
        daemon.wait_log("has room again")
        self.assertEqual(wire.ask("put", channel="q", value=1)["status"], "ok")

    def test_a_write_that_may_not_be_is_told_and_ends_it(self):
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 100000, durable: true}")
        wire = Wire(daemon.port)
        self.addCleanup(wire.close)
        self.assertEqual(wire.ask("put", channel="q", value=1)["status"], "ok")
        self.limit(daemon, 4096)
        with self.assertRaises(ConnectionError):
            wire.ask("put", channel="q", value=2)
        self.assertEqual(daemon.process.wait(DEADLINE_S), 4)
        self.assertIn("File too large", daemon.wait_log("has failed"))

    def test_without_room_for_the_first_segment_it_says_why(self):
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, old)
        self.assertIn("File too large. The system limits the size of this process's files", self.refused())


class Full(Durable):
    def test_puts_are_refused_and_takes_go_on_and_puts_go_on_when_there_is_room(self):
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", self.directory], capture_output=True).returncode:
            self.skipTest("needs a small file system of its own")
        self.addCleanup(subprocess.run, ["umount", "-l", self.directory])
        daemon = self.start("--set", "channels.q={kind: bounded, capacity: 100000, durable: true}")
        wire = Wire(daemon.port)
        put = 0
        while (reply := wire.ask("put", channel="q", value="x" * 3000))["status"] == "ok":
            put += 1
            self.assertLess(put, 1000)
        self.assertEqual(reply["error"], "unavailable")
        remount = ["mount", "-o", "remount,size=30m", self.directory]
        threading.Thread(target=lambda: daemon.find_log("the last segment of the journal is full, too") and subprocess.run(remount)).start()
        for _ in range(put):
            self.assertEqual(wire.ask("take", channel="q")["status"], "ok")
        daemon.wait_log("has room again")
        self.assertEqual(wire.ask("put", channel="q", value=1)["status"], "ok")
        wire.close()


if __name__ == "__main__":
    unittest.main()
