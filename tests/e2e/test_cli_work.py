#!/usr/bin/env python3
"""millrace work: commands as workers, the statuses they end with, signals, leases, and that no value is ever lost in silence."""
import json
import os
import resource
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CLOSED, CONNECT, DROPPED, ERROR, NO_CHANNEL, OK, PROGRAM, TIMEOUT, USAGE  # noqa: E402
from cli_worker import START, WAIT, Worker  # noqa: E402
from millraced import DEADLINE_S, Connection  # noqa: E402

INTERRUPTED = 130


class Work(Worker):
    def test_each_value_is_given_to_a_command_until_the_channel_is_closed(self):
        self.put(*range(20))
        self.run_cli("close", "jobs")
        result = self.work("-j", "3", "--", "cat")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        self.assertEqual(sorted(map(int, result.stdout.split())), list(range(20)))

    def test_results_are_put(self):
        self.put(*range(10))
        result = self.work("--to", "out", "-j", "4", "-n", "10", "-o", "json", "--", "sh", "-c", "read -r x; echo $((x * x))")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        self.assertEqual(json.loads(result.stdout), {"done": 10, "failed": 0, "dropped": 0, "lost": 0, "returned": 0})
        self.assertEqual(sorted(map(int, self.taken("out"))), [x * x for x in range(10)])

    def test_one_at_a_time_keeps_the_order(self):
        self.put(*range(10))
        self.expect(OK, "", "work", "jobs", "--to", "out", "-n", "10", "--", "cat")
        self.assertEqual(self.taken("out"), [str(x) for x in range(10)])

    def test_a_value_is_one_line_and_keeps_its_bytes(self):
        self.put('{"a": 1.0,\n "b":"\\u00e9"}')
        self.expect(OK, '{"a":1.0,"b":"\\u00e9"}\n', "work", "jobs", "-n", "1", "--", "cat")

    def test_text(self):
        self.put('"say \\"hi\\""', "5")
        self.expect(OK, "", "work", "jobs", "-s", "--to", "out", "-n", "2", "--", "sh", "-c", 'read -r x; printf "<%s>\\n two\\n\\n" "$x"')
        self.assertEqual(self.taken("out"), ['"<say \\"hi\\">\\n two"', '"<5>\\n two"'])

    def test_what_writes_nothing_puts_nothing(self):
        self.put(1, 2, 3)
        self.expect(OK, "", "work", "jobs", "--to", "out", "-n", "3", "--", "sh", "-c", "read -r x; [ $x = 2 ] || echo ; [ $x != 2 ] || echo $x")
        self.assertEqual(self.taken("out"), ["2"])

    def test_a_result_is_one_json_value(self):
        for output, words in (("nonsense", "nonsense is not JSON"), ("1\\n2", "more after the value"), ("null", "null")):
            with self.subTest(output=output):
                self.put(7)
                self.expect(ERROR, "", "work", "jobs", "--to", "out", "-n", "1", "--", "printf", output, err=words)
        self.assertEqual(self.taken("out"), [])

    def test_a_result_that_is_too_long(self):
        self.put(7)
        result = self.work("--to", "out", "-n", "1", "--", "sh", "-c", "yes")
        self.assertEqual(result.returncode, ERROR)
        self.assertIn("wrote more than", result.stderr)

    def test_long_values_and_long_results(self):
        self.put(channel="jobs", *['"' + 100000 * "x" + '"'])
        self.expect(OK, "", "work", "jobs", "--to", "out", "-n", "1", "--", "cat")
        self.assertEqual(len(self.taken("out")[0]), 100002)

    def test_a_command_need_not_read_its_value(self):
        for _ in range(5):
            self.put('"' + 100000 * "x" + '"')
        self.expect(OK, "", "work", "jobs", "-n", "5", "--", "true")

    def test_arguments_reach_the_command_as_they_are(self):
        self.put(1)
        self.expect(OK, "a b\n-x\n*\n--to\n", "work", "jobs", "-n", "1", "--", "printf", "%s\\n", "a b", "-x", "*", "--to")

    def test_the_environment(self):
        self.put(1)
        url = f"tcp://127.0.0.1:{self.daemon.port}"
        script = 'echo "$MILLRACE_CHANNEL $MILLRACE_ATTEMPT $MILLRACE_WORKER $MILLRACE_URL"'
        self.expect(OK, f"jobs 1 1 {url}\n", "work", "jobs", "-u", url, "-n", "1", "--", "sh", "-c", script)

    def test_so_many_run_at_a_time_and_no_more_is_taken(self):
        self.put(*range(10))
        worker = self.start("work", "jobs", "-j", "3", "-n", "4", "--", "sh", "-c", f"{START}; {WAIT}")
        numbers = [self.run_cli("take", "started").stdout.strip() for _ in range(3)]
        self.wait_parked("go", number=3)
        self.assertEqual((sorted(numbers), self.stat("jobs")["buffered"]), (["1", "2", "3"], 7))
        self.put(1, channel="go")
        self.run_cli("take", "started")
        self.put(1, 1, 1, channel="go")
        self.assertEqual(self.end(worker), (OK, "", ""))
        self.assertEqual(self.stat("jobs")["buffered"], 6)

    def test_it_waits_for_room_before_it_takes_more(self):
        self.put(*range(5))
        worker = self.start("work", "jobs", "--to", "narrow", "--", "cat")
        self.wait_parked("narrow", "parked_puts")
        self.assertEqual(self.stat("jobs")["buffered"], 3)
        self.run_cli("close", "jobs")
        self.expect(OK, "0\n1\n2\n3\n4\n", "take", "narrow", "-n", "5")
        self.assertEqual(self.end(worker), (OK, "", ""))

    def test_nothing_to_do_in_time(self):
        self.expect(TIMEOUT, "", "work", "jobs", "-j", "3", "-t", "5", "--", "cat", err="time ran out")

    def test_what_a_command_leaves_behind_is_not_waited_for(self):
        self.put(1)
        self.expect(OK, "", "work", "jobs", "--to", "out", "-n", "1", "--", "sh", "-c", f"({WAIT}; echo 2) 2>/dev/null & echo 1")
        self.assertEqual(self.taken("out"), ["1"])
        self.put(1, channel="go")

    def test_more_open_files_than_are_allowed(self):
        def limit(soft, hard):
            return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        for hard, status in ((100, USAGE), (500, OK)):
            self.put(1)
            command = [PROGRAM, "work", "jobs", "-j", "50", "-n", "50", "-t", "0", "-q", "--", "cat"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, env=self.environment, preexec_fn=limit(64, hard))
            self.assertEqual(done.returncode, status if status else TIMEOUT, done.stderr)
            self.assertEqual("open files" in done.stderr, status == USAGE)

    def test_wrong_usage(self):
        for arguments, words in (
            (["jobs"], "COMMAND"),
            (["jobs", "--", "nonsense"], "cannot be run"),
            (["jobs", "--", "/etc"], "cannot be run"),
            (["jobs", "--", "/etc/passwd"], "cannot be run"),
            (["-x", "--", "cat"], "-x"),
            (["jobs", "--to", ".", "--", "cat"], "'.'"),
            (["jobs", "--failed", ".", "--", "cat"], "'.'"),
            (["jobs", "-j", "0", "--", "cat"], "'0'"),
            (["jobs", "-j", "1001", "--", "cat"], "1000"),
            (["jobs", "--retry", "x", "--", "cat"], "'x'"),
            (["jobs", "--limit", "soon", "--", "cat"], "soon"),
        ):
            with self.subTest(arguments=arguments):
                self.expect(USAGE, "", "work", *arguments, err=words)
        self.expect(NO_CHANNEL, "", "work", "none", "-j", "5", "--", "cat", err="none: there is no such channel")
        self.expect(CONNECT, "", "work", "jobs", "-u", "tcp://127.0.0.1:1", "--", "cat", err="cannot connect")


class Failures(Worker):
    def test_a_value_that_fails_for_good_is_told_whole(self):
        value = '{"long":"' + 5000 * "x" + '"}'
        self.put(1, value, 3)
        result = self.work("--lease", "0", "-n", "3", "--", "sh", "-c", "read -r x; [ ${#x} -lt 9 ] || exit 7")
        self.assertEqual((result.returncode, result.stdout), (ERROR, ""))
        self.assertIn("exit status 7; this value is lost:\n" + value + "\n", result.stderr)

    def test_or_put_into_another_channel(self):
        self.put(1, 2, 3)
        result = self.expect(OK, "", "work", "jobs", "-n", "3", "--failed", "bad", "--", "sh", "-c", "read -r x; [ $x != 2 ] || kill -9 $$", err="signal 9")
        self.assertIn("the value is in bad", result.stderr)
        self.assertEqual(self.taken("bad"), ["2"])

    def test_or_told_if_that_has_no_room(self):
        self.put(1, 2)
        result = self.work("--lease", "0", "-n", "2", "--failed", "lossy", "-o", "json", "--", "false")
        self.assertEqual((result.returncode, json.loads(result.stdout)), (ERROR, {"done": 0, "failed": 2, "dropped": 0, "lost": 1, "returned": 0}))
        self.assertIn("lost:\n2\n", result.stderr)

    def test_retries(self):
        self.put(1)
        script = 'echo "$MILLRACE_ATTEMPT"; [ "$MILLRACE_ATTEMPT" = 3 ]'
        result = self.expect(OK, "1\n2\n3\n", "work", "jobs", "-n", "1", "--retry", "5", "--backoff", "1", "--", "sh", "-c", script, err="attempt 2 of 6")
        self.assertIn("again in 2 ms", result.stderr)

    def test_retries_that_do_not_help(self):
        self.put(1)
        self.expect(ERROR, "1\n2\n3\n", "work", "jobs", "--lease", "0", "-n", "1", "-r", "2", "--backoff", "0", "-q", "--", "sh", "-c", 'echo "$MILLRACE_ATTEMPT"; false', err="lost:\n1\n")

    def test_what_a_failing_command_wrote_is_not_put(self):
        self.put(1)
        self.expect(ERROR, "", "work", "jobs", "--lease", "0", "-n", "1", "--to", "out", "--", "sh", "-c", "echo 1; false", err="lost")
        self.assertEqual(self.taken("out"), [])

    def test_a_status_of_255_stops_all(self):
        self.put(1, 2, 3)
        self.expect(ERROR, "1\n", "work", "jobs", "--retry", "9", "--failed", "bad", "--", "sh", "-c", "cat; exit 255", err="exit status 255")
        self.assertEqual((self.taken("bad"), self.taken("jobs")), (["1"], ["2", "3"]))

    def test_a_command_that_vanishes_stops_all(self):
        self.put(1, 2, 3)
        program = os.path.join(self.daemon.directory, "program")
        with open(program, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nrm "$0"\n')
        os.chmod(program, 0o755)
        self.expect(ERROR, "", "work", "jobs", "--retry", "9", "--failed", "bad", "--", program, err="cannot be run")
        self.assertEqual((self.taken("bad"), self.taken("jobs")), (["2"], ["3"]))

    def test_too_slow(self):
        """All of its processes are ended: none of them keeps standard error open."""
        self.put(1)
        self.expect(ERROR, "", "work", "jobs", "-n", "1", "--limit", "20ms", "--", "sh", "-c", "sleep 1000; sleep 1001", err="not done within 20 ms")

    def test_a_result_without_a_channel(self):
        """It is told before anything is taken, and before a command runs."""
        self.put(1, 2)
        for arguments in (["--to", "uot"], ["--failed", "uot"]):
            result = self.work("--lease", "0", *arguments, "--", "sh", "-c", "echo it ran >&2")
            self.assertEqual(result.returncode, NO_CHANNEL)
            self.assertIn("uot: there is no such channel", result.stderr)
            self.assertIn("did you mean 'out'?", result.stderr)
            self.assertNotIn("it ran", result.stderr)
        self.run_cli("close", "out")
        self.expect(CLOSED, "", "work", "jobs", "--to", "out", "--", "cat", err="out: the channel is closed")
        self.assertEqual(self.taken("jobs"), ["1", "2"])

    def test_a_result_whose_channel_goes_away(self):
        self.put(1, 2)
        worker = self.start("work", "jobs", "--lease", "0", "--to", "out", "--", "sh", "-c", f"{START}; {WAIT}; cat")
        self.run_cli("take", "started")
        self.run_cli("delete", "out")
        self.put(1, channel="go")
        status, _, err = self.end(worker)
        self.assertEqual(status, NO_CHANNEL)
        self.assertIn("out: there is no such channel", err)
        self.assertIn("lost:\n1\n", err)
        self.assertEqual(self.taken("jobs"), ["2"])

    def test_a_result_that_finds_its_channel_closed(self):
        self.put(1, 2)
        worker = self.start("work", "jobs", "--to", "out", "--failed", "bad", "--", "sh", "-c", f"{START}; {WAIT}; cat")
        self.run_cli("take", "started")
        self.run_cli("close", "out")
        self.put(1, channel="go")
        status, _, err = self.end(worker)
        self.assertEqual(status, CLOSED)
        self.assertIn("out: the channel is closed", err)
        self.assertEqual((self.taken("bad"), self.taken("jobs")), (["1"], ["2"]))

    def test_results_that_are_dropped_are_counted(self):
        self.put(1, 2, 3)
        result = self.work("--to", "lossy", "-n", "3", "-o", "json", "--", "cat")
        self.assertEqual((result.returncode, json.loads(result.stdout)["dropped"]), (DROPPED, 2))

    def test_the_daemon_dies(self):
        """The result is there, and cannot be put: the value is told."""
        self.put(5)
        worker = self.start("work", "jobs", "-j", "2", "--to", "out", "--no-reconnect", "--", "sh", "-c", f"{START}; read -r x <&3; echo 6", pass_fds=self.pipe())
        self.run_cli("take", "started")
        self.daemon.kill(signal.SIGKILL)
        self.daemon.process.wait()
        os.write(self.pipe_in, b"go\n")
        status, _, err = self.end(worker)
        self.assertEqual(status, CONNECT)
        self.assertIn("lost:\n5\n", err)
        self.assertEqual(self.daemon.wait(), -signal.SIGKILL)
        self.daemon.stop = lambda: 0

    def pipe(self):
        """A pipe as descriptor 3 of what is started next."""
        read, self.pipe_in = os.pipe()
        os.dup2(read, 3, inheritable=True)
        self.addCleanup(os.close, self.pipe_in)
        return [3]


class Signals(Worker):
    def begin(self, *arguments, script=f"{START}; {WAIT}; cat"):
        """A worker with one command that runs, of value 1; 2 waits in the channel."""
        self.put(1, 2)
        worker = self.start("work", "jobs", "--lease", "0", *arguments, "--", "sh", "-c", script)
        self.run_cli("take", "started")
        return worker

    def signal(self, worker, number):
        """Sends it and waits until it has been understood."""
        worker.send_signal(number)
        self.assertIn("takes no more", self.line(worker.stderr))

    def test_the_first_lets_the_command_end(self):
        for number, status in ((signal.SIGTERM, OK), (signal.SIGINT, INTERRUPTED), (signal.SIGHUP, OK)):
            with self.subTest(number=number):
                worker = self.begin("--to", "out")
                self.signal(worker, number)
                self.put(1, channel="go")
                self.assertEqual(self.end(worker), (status, "", ""))
                self.assertEqual((self.taken("out"), self.taken("jobs")), (["1"], ["2"]))

    def test_it_ends_who_waits_for_a_value(self):
        worker = self.start("work", "jobs", "-j", "4", "--", "cat")
        self.wait_parked("jobs", number=4)
        self.signal(worker, signal.SIGTERM)
        self.assertEqual(self.end(worker), (OK, "", ""))

    def test_the_second_ends_the_command(self):
        for failed, status in (([], ERROR), (["--failed", "bad"], INTERRUPTED)):
            with self.subTest(failed=failed):
                worker = self.begin("--retry", "9", *failed, script=f"{START}; sleep 1000; sleep 1001")
                self.signal(worker, signal.SIGINT)
                worker.send_signal(signal.SIGINT)
                code, _, err = self.end(worker)
                self.assertEqual(code, status, err)
                self.assertIn("a second signal", err)
                self.assertEqual((self.taken("bad"), "lost:\n1\n" in err), (["1"] if failed else [], not failed))
                self.taken("jobs")

    def test_the_second_ends_who_waits_for_room(self):
        self.put(0, channel="narrow")
        self.put(1)
        worker = self.start("work", "jobs", "--lease", "0", "--to", "narrow", "--", "cat")
        self.wait_parked("narrow", "parked_puts")
        self.signal(worker, signal.SIGTERM)
        worker.send_signal(signal.SIGTERM)
        code, _, err = self.end(worker)
        self.assertEqual(code, ERROR)
        self.assertIn("could not be put into narrow; this value is lost:\n1\n", err)

    def test_a_pause_ends_with_one_more_attempt(self):
        self.put(1)
        worker = self.start("work", "jobs", "--lease", "0", "--retry", "9", "--backoff", "1h", "--", "sh", "-c", 'echo "$MILLRACE_ATTEMPT"; false')
        self.assertIn("again in 3600000 ms", self.line(worker.stderr))
        self.signal(worker, signal.SIGTERM)
        code, out, err = self.end(worker)
        self.assertEqual((code, out), (ERROR, "1\n2\n"))
        self.assertIn("lost:\n1\n", err)

    def test_the_command_can_be_signalled_as_ever(self):
        """It inherits neither the signals that this program blocks nor those that it ignores."""
        for name in ("INT", "TERM", "HUP", "PIPE"):
            self.put(1)
            number = int(getattr(signal, "SIG" + name))
            self.expect(ERROR, "", "work", "jobs", "-n", "1", "--", "sh", "-c", f"kill -{name} $$; echo survived", err=f"ended by signal {number}")


class Leases(Worker):
    def test_a_value_that_fails_goes_back_and_comes_again(self):
        self.put(1, 2)
        script = 'echo "$(cat) $MILLRACE_DELIVERY"; [ "$MILLRACE_DELIVERY" = 3 ]'
        result = self.work("-n", "4", "--backoff", "0", "-o", "json", "--", "sh", "-c", script)
        self.assertEqual((result.returncode, result.stdout.splitlines()[:4]), (ERROR, ["1 1", "1 2", "1 3", "2 1"]), result.stderr)
        self.assertEqual(json.loads(result.stdout.splitlines()[4]), {"done": 1, "failed": 3, "dropped": 0, "lost": 0, "returned": 3})
        self.assertIn("exit status 1; the value is back in the channel", result.stderr)
        self.assertEqual((self.taken("jobs"), self.stat("jobs")["leased"]), (["2"], 0))

    def test_a_worker_that_is_killed_loses_nothing(self):
        self.put(1, 2)
        worker = self.start("work", "jobs", "-j", "2", "--", "sh", "-c", f"{START}; {WAIT}")
        for _ in range(2):
            self.run_cli("take", "started")
        self.assertEqual(self.stat("jobs")["leased"], 2)
        worker.kill()
        self.end_of_all(worker)
        self.expect(OK, "1\n2\n", "take", "jobs", "-n", "2")

    def end_of_all(self, worker):
        """It, and the commands that it leaves behind, which keep its standard error open."""
        worker.wait(DEADLINE_S)
        self.put(1, 1, channel="go")
        self.end(worker)

    def test_a_lease_is_extended_as_long_as_need_be(self):
        self.put(1)
        worker = self.start("work", "jobs", "-n", "1", "--lease", "2s", "--to", "out", "--", "sh", "-c", f"{START}; {WAIT}; cat")
        self.run_cli("take", "started")
        with Connection(self.daemon) as connection:  # longer than a lease
            self.assertEqual(connection.ask(id=1, op="take", channel="jobs", timeout_ms=2100)["status"], "timeout")
        self.put(1, channel="go")
        self.assertEqual(self.end(worker), (OK, "", ""))
        self.assertEqual((self.taken("out"), self.stat("jobs")["leased"]), (["1"], 0))

    def test_a_second_signal_gives_the_value_back_at_once(self):
        self.put(1)
        worker = self.start("work", "jobs", "--", "sh", "-c", f"{START}; sleep 1000")
        self.run_cli("take", "started")
        worker.send_signal(signal.SIGTERM)
        self.line(worker.stderr)
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(worker)[0], ERROR)
        self.assertEqual(self.taken("jobs"), ["1"])


class Impatient(Worker):
    """With a daemon that lets nobody park for long: who has all the time waits on."""

    settings = ("limits.max_park_ms=1ms",)

    def test_work_waits_on(self):
        worker = self.start("work", "jobs", "-n", "1", "--to", "narrow", "--", "cat")
        self.put(0, channel="narrow")
        self.put(1)
        while self.stat("jobs")["leased"] == 0:
            pass
        self.expect(TIMEOUT, "", "work", "jobs", "-t", "5", "--", "cat", err="time ran out")
        self.expect(OK, "0\n", "take", "narrow")
        self.assertEqual(self.end(worker), (OK, "", ""))
        self.assertEqual(self.taken("narrow"), ["1"])


if __name__ == "__main__":
    unittest.main()
