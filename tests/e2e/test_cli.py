#!/usr/bin/env python3
"""millrace, the command line, as people and scripts use it: by exit status and output, right and wrong."""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CLOSED, CONNECT, DROPPED, ERROR, NO_CHANNEL, OK, PROGRAM, TIMEOUT, USAGE, Cli  # noqa: E402
from millraced import BUILD, DEADLINE_S, Connection  # noqa: E402
from terminal import needs_terminal  # noqa: E402

COMMANDS = "put take alts ack nack extend create alter close delete move ls stat peek waiters leases context top ping bench work request serve completion token".split()
CHANNELS = "{jobs: {kind: bounded, capacity: 4}, many: {kind: bounded, capacity: 100000}, meet: {kind: unbuffered}, lossy: {kind: dropping, capacity: 2}, latest: {kind: sliding, capacity: 1}, leader: {kind: promise}}"


class Values(Cli):
    channels = CHANNELS

    def test_put_and_take_keep_the_bytes(self):
        self.expect(OK, "", "put", "jobs", '{"a": 1.0,  "b":"\\u00e9"}')
        self.expect(OK, '{"a": 1.0,  "b":"\\u00e9"}\n', "take", "jobs")

    def test_many_arguments_and_many_lines_stay_in_order(self):
        self.expect(OK, "", "put", "jobs", "1", "2")
        self.expect(OK, "", "put", "jobs", stdin="3\n\n4\n")
        self.expect(OK, "1\n2\n3\n4\n", "take", "jobs", "-n", "4")

    def test_a_long_input_goes_in_batches(self):
        lines = "".join(f"{i}\n" for i in range(50000))
        self.expect(OK, "", "put", "many", stdin=lines)
        self.expect(OK, lines, "take", "many", "-n", "50000")

    def test_text(self):
        self.expect(OK, "", "put", "jobs", "--string", 'say "hi"')
        self.expect(OK, "", "put", "-s", "jobs", stdin="a\tline\n")
        self.expect(OK, 'say "hi"\na\tline\n', "take", "jobs", "-n", "2", "-o", "raw")

    def test_outputs(self):
        self.expect(OK, "", "put", "jobs", '"x"', '[1,\n 2]', "3")
        self.expect(OK, '"x"\n', "take", "jobs")
        text = self.run_cli("take", "jobs").stdout
        self.assertEqual((text.count("\n"), json.loads(text)), (1, [1, 2]))
        self.assertEqual(json.loads(self.run_cli("take", "jobs", "-o", "json").stdout)["value"], 3)

    def test_what_is_not_json_is_told_with_its_line(self):
        result = self.expect(ERROR, "", "put", "jobs", stdin="1\nnonsense\n2\n", err="line 2")
        self.assertIn("--string", result.stderr)
        self.expect(OK, "1\n", "take", "jobs", "-n", "1")
        self.expect(USAGE, "", "put", "jobs", "nonsense", err="--string")
        self.expect(USAGE, "", "put", "jobs", "null", err="null")

    def test_no_room_in_time(self):
        self.expect(TIMEOUT, "", "put", "meet", "1", "--timeout", "1ms", err="time ran out")
        self.expect(TIMEOUT, "", "put", "jobs", "1", "2", "3", "4", "5", "-t", "0", err="")
        self.expect(OK, "1\n2\n3\n4\n", "take", "jobs", "-n", "4")

    def test_nothing_there_in_time(self):
        self.expect(TIMEOUT, "", "take", "jobs", "--timeout", "0", err="time ran out")
        self.expect(TIMEOUT, "", "-q", "take", "jobs", "--timeout", "5ms")

    def test_shed_values(self):
        self.expect(DROPPED, "", "put", "lossy", "1", "2", "3", err="dropped")
        self.expect(OK, "", "put", "latest", "1", "2", "3")
        self.expect(OK, "3\n", "take", "latest")
        self.expect(OK, "", "put", "leader", '"me"')
        self.expect(DROPPED, "", "put", "leader", '"you"', err="dropped")

    def test_closed(self):
        self.expect(OK, "", "put", "jobs", "1")
        self.assertEqual(self.run_cli("close", "jobs").returncode, OK)
        self.expect(CLOSED, "", "put", "jobs", "2", err="closed")
        self.expect(OK, "1\n", "take", "jobs")
        self.expect(CLOSED, "", "take", "jobs", err="closed")

    def test_follow_ends_with_the_channel(self):
        follower = self.start("take", "jobs", "--follow")
        self.wait_parked("jobs")
        putter = self.start("put", "jobs", "1", "2", "3", "4", "5", "6")
        self.assertEqual([follower.stdout.readline() for _ in range(6)], [f"{n}\n" for n in range(1, 7)])
        self.assertEqual((putter.communicate(timeout=DEADLINE_S), putter.returncode), (("", ""), OK))
        self.run_cli("close", "jobs")
        out, _ = follower.communicate(timeout=DEADLINE_S)
        self.assertEqual((out, follower.returncode), ("", OK))

    def test_a_reader_that_has_enough_is_no_error(self):
        self.expect(OK, "", "put", "many", stdin="".join(f"{i}\n" for i in range(3000)))
        result = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {PROGRAM} take many --follow | head -2"], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment
        )
        self.assertEqual((result.stdout, result.stderr), ("0\n1\n", ""))
        self.expect(OK, "".join(f"{i}\n" for i in range(2, 3000)), "take", "many", "-n", "2998")

    def test_nothing_leaves_the_daemon_that_the_reader_of_a_pipe_has_not_read(self):
        for _ in range(20):
            self.expect(OK, "", "put", "jobs", "1", "2", "3", "4")
            result = subprocess.run(["bash", "-c", f"{PROGRAM} take jobs --follow | head -3"], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment)
            self.assertEqual((result.stdout, result.stderr), ("1\n2\n3\n", ""))
            self.expect(OK, "4\n", "take", "jobs", "-t", "0")

    def test_a_reader_that_takes_its_time_holds_the_next_value_back(self):
        self.expect(OK, "", "put", "jobs", "1", "2", "3")
        follower = self.start("take", "jobs", "--follow")
        with Connection(self.daemon) as connection:
            while connection.ask(id=1, op="stat", channel="jobs")["leased"] != 1:
                pass
            self.assertEqual(follower.stdout.read(2), "1\n")
            while connection.ask(id=1, op="stat", channel="jobs")["taken"] != 1:
                pass
            row = connection.ask(id=1, op="stat", channel="jobs")
            self.assertLessEqual(row["taken"], 1, row)
        follower.kill()
        follower.communicate(timeout=DEADLINE_S)
        self.expect(OK, "2\n3\n", "take", "jobs", "-n", "2")

    def test_a_value_longer_than_the_pipe(self):
        value = '"' + 300000 * "x" + '"'
        self.expect(OK, "", "put", "jobs", stdin=value + "\n")
        follower = self.start("take", "jobs", "--follow")
        self.assertEqual(follower.stdout.readline(), value + "\n")
        self.run_cli("close", "jobs")
        self.assertEqual((follower.communicate(timeout=DEADLINE_S)[0], follower.returncode), ("", OK))

    def test_a_batch_is_faster_and_may_be_lost(self):
        self.expect(OK, "", "put", "many", stdin="".join(f"{i}\n" for i in range(3000)))
        follower = self.start("take", "many", "--follow", "--batch", "500")
        self.assertEqual([follower.stdout.readline() for _ in range(3000)], [f"{i}\n" for i in range(3000)])
        follower.terminate()
        follower.communicate(timeout=DEADLINE_S)
        self.assertEqual(follower.returncode, 143)
        self.expect(USAGE, "", "take", "many", "--batch", "5", err="--batch is for --follow")

    def test_values_are_shown_as_they_come(self):
        taker = self.start("take", "meet", "--follow")
        self.expect(OK, "", "put", "meet", "1")
        self.assertEqual(taker.stdout.readline(), "1\n")
        self.expect(OK, "", "put", "meet", "2")
        self.assertEqual(taker.stdout.readline(), "2\n")
        taker.send_signal(signal.SIGINT)
        taker.communicate(timeout=DEADLINE_S)
        self.assertEqual(taker.returncode, 130)

    def test_an_interrupted_put_says_how_much_is_in(self):
        putter = self.start("put", "jobs", stdin=subprocess.PIPE)
        putter.stdin.write("1\n2\n3\n4\n5\n6\n")
        putter.stdin.flush()
        self.wait_parked("jobs", "parked_puts")
        putter.send_signal(signal.SIGINT)
        _, err = putter.communicate(timeout=DEADLINE_S)
        self.assertEqual(putter.returncode, 130)
        self.assertIn("4", err)

    @needs_terminal
    def test_progress_is_for_terminals(self):
        leader, follower = pty.openpty()
        lines = "".join(f"{i}\n" for i in range(20))
        result = subprocess.run([PROGRAM, "put", "many"], input=lines, text=True, stderr=follower, timeout=DEADLINE_S, env=self.environment)
        os.close(follower)
        try:  # quick as it is, it shows nothing even there
            shown = os.read(leader, 1000)
        except OSError:
            shown = b""
        os.close(leader)
        self.assertEqual((result.returncode, shown), (OK, b""))


class Input(Cli):
    channels = CHANNELS

    def put_bytes(self, data, *arguments):
        result = subprocess.run([PROGRAM, "put", "jobs", *arguments], input=data, capture_output=True, timeout=DEADLINE_S, env=self.environment, check=False)
        return result.returncode, result.stderr.decode()

    def test_a_byte_order_mark_is_skipped_at_the_beginning_and_told_elsewhere(self):
        mark = b"\xef\xbb\xbf"
        self.assertEqual(self.put_bytes(mark + b'{"a":1}\n2\n'), (OK, ""))
        self.assertEqual(self.put_bytes(mark + b"text\n", "-s"), (OK, ""))
        self.expect(OK, '{"a":1}\n2\n"text"\n', "take", "jobs", "-n", "3")
        status, err = self.put_bytes(b"1\n" + mark + b"2\n")
        self.assertEqual(status, ERROR)
        self.assertIn("line 2: it begins with a byte order mark", err)
        self.expect(USAGE, "", "put", "jobs", "\ufeff5", err="byte order mark")
        self.expect(OK, "1\n", "take", "jobs")
        self.assertEqual(self.put_bytes(mark), (OK, ""))

    def test_advice_that_is_followed_stores_the_text(self):
        for text in ("C:\\temp", "hello", "say \"hi\"", "a\tb", "Grüße"):
            err = self.expect(USAGE, "", "put", "jobs", text, err="is not JSON").stderr
            advised = err.split("quote it as '", 1)[1].split("' or use --string")[0]
            self.expect(OK, "", "put", "jobs", advised)
            self.expect(OK, json.dumps(text, ensure_ascii=False) + "\n", "take", "jobs")
        self.assertNotIn("quote it as", self.expect(USAGE, "", "put", "jobs", "x" * 60, err="--string").stderr)

    def test_a_put_that_is_cut_off_says_how_many_went_in(self):
        for lines in (1000, 40):
            putter = self.start("put", "jobs", "--no-reconnect", stdin=subprocess.PIPE)
            putter.stdin.write("".join(f"{n}\n" for n in range(lines)))
            putter.stdin.flush()
            with Connection(self.daemon) as connection:
                while connection.ask(id=1, op="stat", channel="jobs")["parked_puts"] != 1:
                    pass
            self.daemon.kill(signal.SIGKILL)
            _, err = putter.communicate(timeout=DEADLINE_S)
            self.daemon.wait()
            self.assertEqual(putter.returncode, CONNECT)
            low, high = map(int, re.search(r"between (\d+) and (\d+) values went in", err).groups())
            self.assertLessEqual(low, 4)
            self.assertLessEqual(4, high)
            self.setUp()

    def test_a_put_that_waits_long_knows_to_a_value_what_is_in(self):
        putter = self.start("put", "jobs", stdin=subprocess.PIPE)
        putter.stdin.write("".join(f"{n}\n" for n in range(1000)))
        putter.stdin.flush()
        with Connection(self.daemon) as connection:  # its requests become smaller, until they are of one value
            while True:
                connection.send(id=1, op="waiters", channel="jobs")
                waiters = connection.receive()["waiters"]
                if waiters and connection.ask(id=2, op="stat", channel="jobs")["bytes"] < 10:
                    break
        putter.send_signal(signal.SIGINT)
        _, err = putter.communicate(timeout=DEADLINE_S)
        self.assertIn("interrupted; 4 values went in", err)
        self.expect(OK, "0\n1\n2\n3\n", "take", "jobs", "-n", "4")


class Choice(Cli):
    channels = CHANNELS

    def test_a_take_that_can(self):
        self.expect(OK, "", "put", "jobs", '"work"')
        self.expect(OK, '1 jobs "work"\n', "alts", "--take", "meet", "--take", "jobs")

    def test_raw_and_json(self):
        self.expect(OK, "", "put", "jobs", '"a"', '"b"')
        self.expect(OK, "a\n", "-o", "raw", "alts", "--take", "jobs")
        out = json.loads(self.run_cli("-o", "json", "alts", "--take", "jobs").stdout)
        self.assertEqual(out, {"arm": 0, "channel": "jobs", "value": "b", "status": "ok"})

    def test_a_put_that_can(self):
        self.expect(OK, "1 latest\n", "alts", "--take", "meet", "--put", "latest", "5")
        self.expect(OK, "0 latest 5\n", "alts", "--priority", "--take", "latest", "--put", "latest", "6")

    def test_neither_in_time(self):
        self.expect(TIMEOUT, "", "alts", "--take", "meet", "--take", "jobs", "--timeout", "5", err="time ran out")

    def test_closed_and_dropped(self):
        self.run_cli("close", "meet")
        self.expect(CLOSED, "", "alts", "--take", "meet", err="closed")
        self.run_cli("put", "lossy", "1", "2")
        self.assertEqual(self.run_cli("alts", "--put", "lossy", "3").returncode, DROPPED)

    def test_arms_that_are_wrong(self):
        self.expect(USAGE, "", "alts", err="arm")
        self.expect(USAGE, "", "alts", "--put", "jobs", err="VALUE")
        self.expect(NO_CHANNEL, "", "alts", "--take", "none", err="none")


class Channels(Cli):
    channels = CHANNELS

    def test_create_close_delete(self):
        self.expect(OK, "created\n", "create", "new", "bounded", "3")
        self.assertEqual(self.run_cli("create", "new", "bounded", "3").returncode, OK)
        self.expect(ERROR, "", "create", "new", "sliding", "3", err="another definition")
        self.expect(OK, "", "put", "new", "1")
        self.expect(ERROR, "", "delete", "new", err="force")
        self.assertIn("1", self.run_cli("delete", "new", "--force").stdout)
        self.expect(NO_CHANNEL, "", "delete", "new", err="new")

    def test_create_wrongly(self):
        for arguments in (["x", "unbounded"], ["x", "bounded"], ["x", "bounded", "0"], ["x", "bounded", "many"], ["-x", "promise"], ["_x", "promise"]):
            with self.subTest(arguments=arguments):
                result = self.run_cli("create", *arguments)
                self.assertIn(result.returncode, (ERROR, USAGE))
                self.assertNotEqual(result.stderr, "")

    def test_ls(self):
        lines = self.run_cli("ls").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["NAME", "jobs", "latest", "leader", "lossy", "many", "meet"])
        self.assertEqual(len(self.run_cli("ls", "l*").stdout.splitlines()), 4)
        rows = [json.loads(line) for line in self.run_cli("ls", "-o", "json").stdout.splitlines()]
        self.assertEqual([row["channel"] for row in rows], ["jobs", "latest", "leader", "lossy", "many", "meet"])

    def test_stat(self):
        self.run_cli("put", "lossy", "1", "2", "3")
        shown = self.run_cli("stat", "lossy").stdout
        self.assertIn("dropped: 1\n", shown)
        row = json.loads(self.run_cli("stat", "lossy", "-o", "json").stdout)
        self.assertEqual((row["buffered"], row["dropped"]), (2, 1))
        self.expect(NO_CHANNEL, "", "stat", "none", err="none")

    def test_peek(self):
        self.run_cli("put", "jobs", "1", "2", "3")
        self.expect(OK, "1\n", "peek", "jobs")
        self.expect(OK, "1\n2\n", "peek", "jobs", "-n", "2")
        self.expect(OK, "1\n2\n3\n", "peek", "jobs", "-n", "100")

    def test_waiters(self):
        taker = self.start("take", "meet", "--timeout", "1m")
        self.wait_parked("meet")
        for arguments in (["waiters"], ["waiters", "meet"]):
            lines = self.run_cli(*arguments).stdout.splitlines()
            self.assertEqual(len(lines), 2, lines)
            self.assertIn("take", lines[1])
        self.assertEqual(len(self.run_cli("waiters", "jobs").stdout.splitlines()), 1)
        taker.kill()
        taker.communicate()

    def test_ping(self):
        self.assertRegex(self.run_cli("ping").stdout, r"^[0-9.]+ ms\n$")


class Usage(Cli):
    channels = CHANNELS

    def test_every_command_explains_itself(self):
        everything = self.run_cli("--help").stdout
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertIn(f"\n  {command}", everything)
                shown = self.run_cli(command, "--help")
                self.assertEqual((shown.returncode, shown.stderr), (OK, ""))
                self.assertRegex(shown.stdout, rf"^usage: millrace {command}")
                self.assertIn("Exit codes", shown.stdout)
                self.assertEqual(self.run_cli("help", command).stdout, shown.stdout)
        self.assertRegex(self.run_cli("--version").stdout, r"^millrace \d+\.\d+\.\d+")

    def test_wrong_usage_is_status_2_and_says_what(self):
        cases = {
            (): "usage",
            ("nonsense",): "nonsense",
            ("take",): "CHANNEL",
            ("put",): "CHANNEL",
            ("take", "jobs", "--nonsense"): "nonsense",
            ("take", "jobs", "-n", "0"): "",
            ("take", "jobs", "-n", "x"): "x",
            ("take", "jobs", "--timeout", "soon"): "soon",
            ("take", "jobs", "--timeout", "-1"): "-1",
            ("take", "jobs", "-o", "xml"): "xml",
            ("take", "jobs", "stray"): "stray",
            ("create", "x"): "KIND",
            ("close",): "CHANNEL",
        }
        for arguments, words in cases.items():
            with self.subTest(arguments=arguments):
                result = self.run_cli(*arguments)
                self.assertEqual((result.returncode, result.stdout), (USAGE, ""), result.stderr)
                self.assertIn(words, result.stderr)

    def test_nobody_there(self):
        for url in ("tcp://127.0.0.1:1", "unix:///nonexistent/socket"):
            self.expect(CONNECT, "", "--url", url, "take", "jobs", err="cannot connect")
        result = self.run_cli("ping", environment={**os.environ, "MILLRACE_URL": "tcp://127.0.0.1:1"})
        self.assertEqual(result.returncode, CONNECT)
        self.assertIn(self.run_cli("-u", "nonsense://x", "ping").returncode, (USAGE, CONNECT))

    def test_the_url_by_option_goes_before_the_environment(self):
        result = self.run_cli("-u", f"tcp://127.0.0.1:{self.daemon.port}", "ping", environment={**os.environ, "MILLRACE_URL": "tcp://127.0.0.1:1"})
        self.assertEqual(result.returncode, OK, result.stderr)

    def test_no_such_channel(self):
        for arguments in (["take", "none"], ["put", "none", "1"], ["close", "none"], ["peek", "none"], ["stat", "none"], ["waiters", "none"]):
            with self.subTest(arguments=arguments):
                self.expect(NO_CHANNEL, "", *arguments, err="no such channel")

    def test_a_daemon_that_dies_is_an_error(self):
        taker = self.start("take", "meet")
        self.wait_parked("meet")
        self.daemon.kill(signal.SIGKILL)
        _, err = taker.communicate(timeout=DEADLINE_S)
        self.assertEqual(taker.returncode, CONNECT)
        self.assertIn("connection", err)
        self.assertEqual(self.daemon.wait(), -signal.SIGKILL)
        self.setUp()

    def test_a_daemon_that_ends_says_so(self):
        taker = self.start("take", "meet")
        self.wait_parked("meet")
        self.daemon.kill(signal.SIGTERM)
        _, err = taker.communicate(timeout=DEADLINE_S)
        self.assertEqual(taker.returncode, CONNECT)
        self.assertIn("shutting down", err)


class Leases(Cli):
    channels = CHANNELS

    def lease(self, *arguments):
        """What `take --lease` prints, taken apart: lease, deliveries, value."""
        result = self.run_cli("take", "jobs", "--lease", "1m", *arguments)
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        return result.stdout.rstrip("\n").split(" ", 2)

    def test_taken_and_done(self):
        self.expect(OK, "", "put", "jobs", '{"a": 1}', "2")
        lease, deliveries, value = self.lease()
        self.assertRegex(lease, "^[0-9a-f]{32}$")
        self.assertEqual((deliveries, value), ("1", '{"a": 1}'))
        self.expect(OK, "", "extend", lease, "--lease", "2m")
        self.expect(OK, "", "ack", lease)
        self.expect(ERROR, "", "ack", lease, err="no such lease")
        self.expect(OK, "2\n", "take", "jobs")

    def test_given_back(self):
        self.expect(OK, "", "put", "jobs", "1", "2", "3")
        leases = [self.lease()[0] for _ in range(2)]
        self.expect(OK, "", "nack", *leases)
        self.assertEqual([self.lease()[1:], self.lease()[1:]], [["2", "1"], ["2", "2"]])
        first = self.lease()
        self.expect(OK, "", "nack", first[0], "--delay", "1h")
        self.expect(TIMEOUT, "", "take", "jobs", "--timeout", "0", err="time ran out")

    def test_several_formats_and_following(self):
        self.expect(OK, "", "put", "jobs", '"x y"', "2", "3")
        row = json.loads(self.run_cli("take", "jobs", "--lease", "1m", "-o", "json").stdout)
        self.assertEqual((row["channel"], row["value"], row["deliveries"]), ("jobs", "x y", 1))
        self.expect(OK, "", "nack", row["lease"])
        lines = self.run_cli("take", "jobs", "--lease", "1m", "-n", "2", "-o", "raw").stdout.splitlines()
        self.assertEqual([line.split("\t")[1:] for line in lines], [["2", "x y"], ["1", "2"]])
        self.expect(OK, "closed\n", "close", "jobs")
        for line in lines:
            self.expect(OK, "", "ack", line.split("\t")[0])
        last = self.start("take", "jobs", "--lease", "1m", "--follow")
        lease = last.stdout.readline().split()[0]
        self.expect(OK, "", "ack", lease)  # nothing is left, and nothing can come back: it ends
        self.assertEqual(last.communicate(timeout=DEADLINE_S), ("", ""))
        self.assertEqual(last.returncode, OK)

    def test_a_choice(self):
        self.expect(OK, "", "put", "jobs", "1")
        arm, channel, lease, deliveries, value = self.run_cli("alts", "--take", "jobs", "--take", "meet", "--lease", "1m").stdout.split()
        self.assertEqual((arm, channel, deliveries, value), ("0", "jobs", "1", "1"))
        self.expect(OK, "", "nack", lease)
        row = json.loads(self.run_cli("alts", "--take", "jobs", "--lease", "1m", "-o", "json").stdout)
        self.assertEqual((row["value"], row["deliveries"], row["status"]), (1, 2, "ok"))
        self.expect(OK, "", "ack", row["lease"])

    def test_too_often(self):
        self.expect(OK, "created\n", "create", "failed", "bounded", "9")
        self.expect(OK, "created\n", "create", "tried", "bounded", "9", "--max-deliveries", "1", "--dead-letter", "failed")
        self.expect(OK, "", "put", "tried", "7")
        lease = self.run_cli("take", "tried", "--lease", "1m").stdout.split()[0]
        self.expect(OK, "", "nack", lease)
        self.expect(OK, "7\n", "take", "failed", "--timeout", "0")
        self.expect(USAGE, "", "create", "x", "bounded", "9", "--max-deliveries", "1", err="come together")
        self.expect(ERROR, "", "create", "x", "bounded", "9", "--max-deliveries", "1", "--dead-letter", "nowhere", err="dead_letter")

    def test_usage(self):
        self.expect(USAGE, "", "ack", err="usage")
        self.expect(USAGE, "", "extend", "x", err="--lease")
        self.expect(USAGE, "", "take", "jobs", "--lease", "0", err="not a time for a lease")
        self.expect(ERROR, "", "ack", "x", err="no such lease")


class Later(Cli):
    """Putting later and once more: delays, deliveries that do not count, dead letters that go back, channels that are altered."""

    channels = "{bad: {kind: bounded, capacity: 9}, jobs: {kind: bounded, capacity: 4, max_deliveries: 1, dead_letter: bad}, other: {kind: bounded, capacity: 2}, meet: {kind: unbuffered}}"

    def needs(self, op, **members):
        """Skips where the daemon does not know this yet."""
        with Connection(self.daemon) as connection:
            reply = connection.ask(id=1, op=op, **members)
            if reply.get("error") == "unknown_op" or (reply.get("error") == "bad_request" and "does not have" in reply["message"]):
                self.skipTest(f"this daemon has no {op} {members}")

    def fail_twice(self):
        """Two values of `jobs` become dead letters."""
        self.expect(OK, "", "put", "jobs", "1", "2")
        for lease in [self.run_cli("take", "jobs", "--lease", "1m").stdout.split()[0] for _ in range(2)]:
            self.expect(OK, "", "nack", lease)

    def test_alter(self):
        self.expect(OK, "altered\n", "alter", "other", "--capacity", "3", "--max-waiters", "7")
        self.expect(OK, "", "put", "other", "1", "2", "3", "-t", "0")
        row = json.loads(self.run_cli("alter", "jobs", "--no-dead-letter", "-o", "json").stdout)
        self.assertEqual((row["channel"], row["capacity"]), ("jobs", 4))
        self.expect(NO_CHANNEL, "", "alter", "othr", "--capacity", "3", err="did you mean 'other'?")
        self.expect(USAGE, "", "alter", "other", err="what is to be altered?")
        self.expect(USAGE, "", "alter", "other", "--no-dead-letter", "--max-deliveries", "2", err="instead of")
        self.expect(ERROR, "", "alter", "meet", "--capacity", "3", err="capacity")

    def test_a_delivery_that_does_not_count(self):
        self.expect(OK, "", "put", "jobs", "1")
        for _ in range(3):
            lease, deliveries, _ = self.run_cli("take", "jobs", "--lease", "1m").stdout.split()
            self.assertEqual(deliveries, "1")
            self.expect(OK, "", "nack", lease, "--uncounted")
        self.expect(OK, "1\n", "take", "jobs")

    def test_a_reader_that_has_gone_does_not_count(self):
        self.expect(OK, "", "put", "jobs", "1", "2")
        result = subprocess.run(["bash", "-c", f"{PROGRAM} take jobs --follow | head -1"], capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment)
        self.assertEqual(result.stdout, "1\n")
        self.expect(OK, "2\n", "take", "jobs", "-t", "0")  # with a count it would be a dead letter

    def test_leases(self):
        self.needs("leases")
        self.expect(OK, "", "put", "jobs", "1")
        lease = self.run_cli("take", "jobs", "--lease", "1m").stdout.split()[0]
        result = self.run_cli("leases")
        self.assertEqual(len(result.stdout.splitlines()), 2, result)
        self.assertNotIn(lease, result.stdout)
        row = json.loads(self.run_cli("leases", "jobs", "-o", "json").stdout)
        self.assertEqual((row["channel"], row["values"], row["deliveries"], row["sticky"]), ("jobs", 1, 1, True))
        self.assertEqual(self.run_cli("leases", "other").stdout.splitlines()[1:], [])
        self.assertIn("LEASED", self.run_cli("ls").stdout.splitlines()[0])

    def test_dead_letters_go_back(self):
        self.needs("move", **{"from": "bad"})
        self.fail_twice()
        row = json.loads(self.run_cli("take", "bad", "-o", "json").stdout)
        self.assertEqual((row["value"], row["origin"]["channel"], row["origin"]["reason"]), (1, "jobs", "nack"))
        self.expect(OK, "1 moved, 0 left\n", "move", "bad")
        self.expect(OK, "2\n", "take", "jobs", "-t", "0")

    def test_values_move(self):
        self.needs("move", **{"from": "bad"})
        self.expect(OK, "", "put", "jobs", "1", "2", "3", "4")
        self.expect(OK, "2 moved, 2 left\n", "move", "jobs", "other")
        self.expect(OK, '{"moved":0,"left":2}\n', "move", "jobs", "other", "-o", "json")
        self.expect(OK, "1\n2\n", "take", "other", "-n", "2")
        self.expect(OK, "1 moved, 1 left\n", "move", "jobs", "other", "-n", "1")
        self.expect(ERROR, "", "move", "jobs", "jobs", err="0 moved")
        self.run_cli("close", "other")
        self.expect(CLOSED, "", "move", "jobs", "other", err="other: the channel is closed; 0 moved")
        self.expect(NO_CHANNEL, "", "move", "jobs", "othr", err="did you mean 'other'?")

    def test_a_put_with_a_delay(self):
        self.needs("put", channel="other", value=0, delay_ms=1)
        self.expect(OK, "", "put", "jobs", "--delay", "10m", "1", "2")
        row = json.loads(self.run_cli("stat", "jobs", "-o", "json").stdout)
        self.assertEqual((row["buffered"], row["delayed"]), (0, 2))
        self.expect(OK, "", "put", "bad", "--delay", "1ms", stdin="3\n")
        self.expect(OK, "3\n", "take", "bad")
        self.expect(ERROR, "", "put", "meet", "--delay", "1s", "1", err="unbuffered")


class Demo(unittest.TestCase):
    def test_the_demo_ends_well(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        result = subprocess.run(
            [os.path.join(root, "client", "examples", "demo")], capture_output=True, text=True, timeout=3 * DEADLINE_S, env={**os.environ, "BUILD": BUILD}
        )  # it runs some hundred programs, which take their time under a sanitizer
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
            lines = len(file.read().splitlines())
        self.assertRegex(result.stdout, rf"together: {lines} lines and (\d+) words; wc says {lines} and \1\n")
        self.assertIn("ended cleanly", result.stdout)


if __name__ == "__main__":
    unittest.main()
