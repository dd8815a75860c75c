#!/usr/bin/env python3
"""Live subscriptions over HTTP: server-sent events."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from gateway import Gateway  # noqa: E402
from web import Web  # noqa: E402


class Live(Gateway):
    """A subscription by server-sent events."""

    def taps(self):
        return self.web.ask("GET", "/api/v1/taps").json()["taps"]

    def subscribe(self, query, channel="b", **options):
        web = self.enterContext(Web(self.daemon, **options))
        web.send("GET", f"/api/v1/channels/{channel}/live?{query}", headers={})
        head = web.receive_head()
        self.assertEqual((head.code, head.headers["content-type"], head.headers["connection"]), (200, "text/event-stream", "close"))
        web.text = b""
        name, data = self.next(web)
        self.assertEqual(name, "tapped")
        web.channel = json.loads(data)["to"]
        return web

    def next(self, web):
        """The next event: its name, and its data as whoever listens gets it; None at the end."""
        while b"\n\n" not in web.text:
            chunk = web.receive_chunk()
            if not chunk:
                return None
            web.text += chunk
        event, web.text = web.text.split(b"\n\n", 1)
        lines = [line.split(b": ", 1) for line in event.split(b"\n") if line != b":"]
        names = [text for key, text in lines if key == b"event"]
        return (names or [b"message"])[0].decode(), b"\n".join(text for key, text in lines if key == b"data").decode()

    def put(self, *values, channel="b"):
        for value in values:
            self.assertEqual(self.web.ask("POST", f"/api/v1/channels/{channel}/values", value).code, 204)

    def test_values_as_they_come_until_the_source_ends(self):
        web = self.subscribe("kind=sliding&capacity=100&match=%7B%22/a%22%3A1%7D")
        self.assertEqual([(row["from"], row["to"], row["match"]) for row in self.taps()], [("b", web.channel, {"/a": 1})])
        self.put('{"a":1,"b":[ 1 ]}', '{"a":2}', '{\n"a"\r\n:1}')
        self.assertEqual([self.next(web), self.next(web)], [("message", '{"a":1,"b":[ 1 ]}'), ("message", '{\n"a"\n\n:1}')])
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/close").code, 204)
        self.assertEqual([self.next(web), self.next(web), web.stream.read()], [("end", '{"status":"closed"}'), None, b""])
        while self.web.ask("GET", f"/api/v1/channels/{web.channel}").code != 404:
            pass

    def test_many_values(self):
        web = self.subscribe("kind=bounded&capacity=10")
        for begin in range(0, 1000, 100):
            self.is_answer(self.web.ask("POST", "/api/v1/channels/b/values?batch=true", json.dumps(list(range(begin, begin + 100)))), 200, "ok", accepted=100)
        self.assertEqual([self.next(web) for _ in range(1000)], [("message", str(number)) for number in range(1000)])

    def test_it_goes_with_its_connection(self):
        web = self.subscribe("kind=unbuffered")
        self.assertEqual(len(self.taps()), 1)
        web.close()
        while self.taps():
            pass
        self.put("1")
        self.is_answer(self.web.ask("GET", "/api/v1/channels/b"), 200, "ok", buffered=1)

    def test_who_does_not_read_misses_what_the_kind_says_and_is_let_wait_for(self):
        """A sliding one costs the daemon what it holds, and what is on its way; a bounded one holds the source up."""
        value = json.dumps("x" * 100_000)
        slow = self.subscribe("kind=sliding&capacity=3", receive_buffer=4096)
        for number in range(150):
            self.put(value, channel="b")
        self.put("1", "2", "3")
        while True:
            row = self.web.ask("GET", f"/api/v1/channels/{slow.channel}").json()
            if row["accepted"] == 153:
                break
        self.assertGreater(row["evicted"], 50)
        seen = []
        while not seen or seen[-1] != "3":
            seen.append(self.next(slow)[1])
        self.assertEqual(seen[-3:], ["1", "2", "3"])
        self.assertEqual(len(seen), 153 - row["evicted"])
        slow.close()
        while self.taps():
            pass
        self.subscribe("kind=bounded&capacity=3", receive_buffer=4096)
        answer = self.web.ask("POST", "/api/v1/channels/b/values?batch=true&timeout_ms=300", "[" + ",".join([value] * 9) + "]")
        for _ in range(200):
            if answer.code == 408:
                break
            answer = self.web.ask("POST", "/api/v1/channels/b/values?batch=true&timeout_ms=300", "[" + ",".join([value] * 9) + "]")
        self.assertEqual((answer.code, self.taps()[0]["held"]), (408, 1))

    def test_what_cannot_be_is_said(self):
        for query, code, error, words in (("", 400, "bad_request", "kind=sliding"), ("kind=sliding", 400, "bad_channel", "capacity"), ("kind=sliding&capacity=x", 400, "bad_request", "capacity"),
                                          ("kind=sliding&capacity=1&match=x", 400, "bad_request", "match"), ("kind=sliding&capacity=1&match=%7B%7D,1", 400, "bad_request", "match"),
                                          ("kind=sliding&capacity=1&match=%7B%22a%22:1%7D", 400, "bad_request", "begins with"), ("kind=sliding&capacity=1&to=d", 400, "bad_request", "to")):  # fmt: skip
            answer = self.web.ask("GET", "/api/v1/channels/b/live?" + query)
            self.is_error(answer, code, error)
            self.assertIn(words, answer.json()["message"])
        self.is_error(self.web.ask("GET", "/api/v1/channels/nowhere/live?kind=unbuffered"), 404, "no_such_channel")
        self.assertEqual(self.taps(), [])
        text = self.web.ask("GET", "/metrics").body.decode()
        self.assertIn('millrace_request_errors_total{op="tap",code="no_such_channel"} 1', text)

    def test_head_and_old_clients(self):
        with Web(self.daemon) as web:
            self.assertEqual(web.ask("HEAD", "/api/v1/channels/b/live?kind=unbuffered").code, 200)
        with Web(self.daemon) as web:
            web.send("GET", "/api/v1/channels/b/live?kind=sliding&capacity=9", version="HTTP/1.0")
            web.receive_head()
            while not self.taps():
                pass
            self.put("1")
            self.web.ask("POST", "/api/v1/channels/b/close")
            self.assertTrue(web.stream.read().endswith(b'data: 1\n\nevent: end\ndata: {"status":"closed"}\n\n'))


if __name__ == "__main__":
    unittest.main()
