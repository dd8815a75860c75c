#!/usr/bin/env python3
"""millrace serve and request: commands that answer, and what becomes of what is no request and no answer."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import ERROR, NO_CHANNEL, OK, TIMEOUT, USAGE  # noqa: E402
from cli_worker import START, WAIT, Worker  # noqa: E402
from millraced import Connection  # noqa: E402


class Requests(Worker):
    def setUp(self):
        super().setUp()
        self.server = None

    def serve(self, *arguments):
        self.server = self.start("serve", "sums", *arguments)

    def end_server(self):
        self.server.terminate()
        status, _, err = self.end(self.server)
        self.assertEqual(status, OK, err)
        return err

    def test_an_answer(self):
        self.serve("--", "cat")
        self.expect(OK, "[1,2]\n", "request", "sums", "[1,2]")
        self.expect(OK, '{"channel":"sums","value":5}\n', "request", "sums", "5", "-o", "json")
        self.expect(OK, "5\n", "request", "sums", stdin="5\n")
        self.assertIn("takes no more", self.end_server())

    def test_text(self):
        self.serve("-s", "--", "sed", "s/^/Hello, /")
        self.expect(OK, '"Hello, Ada"\n', "request", "-s", "sums", "Ada")
        self.expect(OK, "Hello, Ada\n", "request", "-s", "-o", "raw", "sums", stdin="Ada\n")
        self.end_server()

    def test_null_is_an_answer(self):
        self.serve("--", "echo", "null")
        self.expect(OK, "null\n", "request", "sums", "1")
        self.end_server()

    def test_errors_come_back(self):
        self.serve("--retry", "1", "--backoff", "0", "--", "sh", "-c", "read -r x; [ $x != 2 ]")
        self.expect(ERROR, "", "request", "sums", "2", err="millrace request: sums: exit status 1\n")
        self.expect(ERROR, "", "request", "sums", "1", err="wrote no answer")
        self.assertIn("attempt 1 of 2", self.end_server())

    def test_nobody_serves(self):
        self.expect(TIMEOUT, "", "request", "sums", "1", "-t", "5", err="time ran out")
        self.expect(TIMEOUT, "", "request", "jobs", "1", "-t", "5", err="had been put")
        self.expect(NO_CHANNEL, "", "request", "none", "1", err="none")
        self.expect(USAGE, "", "request", "sums", "nonsense", err="--string")
        self.expect(ERROR, "", "request", "sums", err="empty")

    def test_several_at_a_time(self):
        self.serve("-j", "3", "--", "sh", "-c", f"{START}; {WAIT}; cat")
        clients = [self.start("request", "sums", str(n)) for n in range(3)]
        for _ in clients:
            self.run_cli("take", "started")
        self.put(1, 1, 1, channel="go")
        self.assertEqual([self.end(client) for client in clients], [(OK, f"{n}\n", "") for n in range(3)])
        self.end_server()

    def test_the_envelopes_of_a_request(self):
        client = self.start("request", "sums", '{"a": 1.0}')
        with Connection(self.daemon) as connection:
            request = connection.ask(id=1, op="take", channel="sums")["value"]
            self.assertEqual((sorted(request), request["request"]), (["reply_to", "request"], {"a": 1.0}))
            self.assertEqual(connection.ask(id=2, op="put", channel=request["reply_to"], value={"x": 1, "reply": [2]})["status"], "ok")
        self.assertEqual(self.end(client), (OK, "[2]\n", ""))

    def test_the_envelopes_of_an_answer(self):
        self.serve("--", "sh", "-c", "read -r x; [ $x != 2 ] && echo 5")
        with Connection(self.daemon) as connection:
            reply = connection.ask(id=1, op="create", kind="bounded", capacity=9, ephemeral=True)["channel"]
            for request, answer in (
                ({"request": 1, "reply_to": reply}, {"reply": 5}),
                ({"reply_to": reply, "request": 2, "more": 3}, {"error": "exit status 1"}),
                ({"reply_to": reply}, {"error": 'there is no "request" in it'}),
            ):
                connection.ask(id=2, op="put", channel="sums", value=request)
                self.assertEqual(connection.ask(id=3, op="take", channel=reply)["value"], answer)
        self.end_server()

    def test_what_is_no_request_is_told(self):
        self.serve("--", "cat")
        for value in (5, {"request": 1}, {"reply_to": 5, "request": 1}, {"reply_to": "..", "request": 1}, {"reply_to": "go", "request": 1}):
            self.put(json.dumps(value), channel="sums")
            self.assertIn("not a request", self.line(self.server.stderr))
        self.expect(OK, "6\n", "request", "sums", "6")
        self.end_server()

    def test_whoever_asked_has_gone(self):
        self.serve("--", "sh", "-c", f"{START}; {WAIT}; cat")
        client = self.start("request", "sums", "1")
        self.run_cli("take", "started")
        client.kill()
        self.end(client)
        self.put(1, channel="go")
        self.assertIn("whoever asked has gone", self.line(self.server.stderr))
        self.end_server()

    def test_an_answer_without_room_holds_nobody_up(self):
        self.serve("--", "cat")
        with Connection(self.daemon) as connection:
            reply = connection.ask(id=1, op="create", kind="unbuffered", ephemeral=True)["channel"]
            connection.ask(id=2, op="put", channel="sums", value={"reply_to": reply, "request": 1})
            self.assertIn("the answer was not put", self.line(self.server.stderr))
        self.end_server()

    def test_an_answer_that_makes_no_sense(self):
        client = self.start("request", "sums", "1")
        with Connection(self.daemon) as connection:
            request = connection.ask(id=1, op="take", channel="sums")["value"]
            connection.ask(id=2, op="put", channel=request["reply_to"], value=5)
        status, out, err = self.end(client)
        self.assertEqual((status, out), (ERROR, ""))
        self.assertIn("makes no sense", err)

    def test_a_request_that_was_answered_is_done(self):
        server = self.start("serve", "sums", "-n", "1", "--", "cat")
        self.expect(OK, "5\n", "request", "sums", "5")
        self.assertEqual(self.end(server), (OK, "", ""))
        self.assertEqual(self.stat("sums")["leased"], 0)


class Impatient(Worker):
    """With a daemon that lets nobody park for long: who has all the time waits on."""

    settings = ("limits.max_park_ms=1ms",)

    def test_a_request_waits_on(self):
        client = self.start("request", "jobs", "5")
        self.expect(TIMEOUT, "", "request", "sums", "1", "-t", "5", err="time ran out")
        self.expect(OK, "", "work", "jobs", "-n", "1", "--to", "narrow", "--", "cat")
        request = json.loads(self.taken("narrow")[0])
        self.put('{"reply":6}', channel=request["reply_to"])
        self.assertEqual(self.end(client), (OK, "6\n", ""))


if __name__ == "__main__":
    unittest.main()
