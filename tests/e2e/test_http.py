#!/usr/bin/env python3
"""The HTTP gateway from outside: the protocol's ops with their words and codes, connections that end, limits, and what a browser cannot be made to do."""
import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from web import API, JSON, Web, port_of  # noqa: E402

CHANNELS = (
    "channels={b: {kind: bounded, capacity: 2}, d: {kind: dropping, capacity: 1}, s: {kind: sliding, capacity: 1}, u: {kind: unbuffered}, p: {kind: promise}}"
)


class Gateway(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.daemon = Daemon("--set", CHANNELS, *self.arguments, http="127.0.0.1:0")
        self.addCleanup(lambda: self.daemon.__exit__(None))
        self.web = self.connect()
        self.frames = Connection(self.daemon)
        self.addCleanup(self.frames.close)

    def connect(self, **options):
        web = Web(self.daemon, **options)
        self.addCleanup(web.close)
        return web

    def is_answer(self, answer, code, status, **members):
        self.assertEqual((answer.code, answer.status), (code, status), answer)
        if code == 204:
            self.assertEqual(members, {})
            return None
        body = answer.json()
        self.assertEqual(body["status"], status)
        for name, value in members.items():
            self.assertEqual(body[name], value)
        return body

    def is_error(self, answer, code, error, text=""):
        body = self.is_answer(answer, code, "error", error=error)
        self.assertIn(text, body["message"])
        self.assertEqual("retry-after" in answer.headers, code in (429, 503))

    def stat(self, channel):
        return self.frames.ask(id=1, op="stat", channel=channel)

    def wait_until(self, channel, **members):
        """Asks until the channel's numbers are so."""
        while True:
            row = self.stat(channel)
            if all(row[name] == value for name, value in members.items()):
                return row


class Values(Gateway):
    def put(self, channel, value, query="", web=None):
        return (web or self.web).ask("POST", f"/api/v1/channels/{channel}/values{query}", value)

    def take(self, channel, query="", web=None, body=None):
        return (web or self.web).ask("POST", f"/api/v1/channels/{channel}/take{query}", body)

    def test_a_value_keeps_its_bytes(self):
        for value in ('{"a" : [1.0, 1e400, "\\u0000"],\n"a":2}', "0", '"x"', "false", "[]"):
            self.is_answer(self.put("b", f"  {value}\n"), 204, "ok")
            answer = self.take("b")
            self.is_answer(answer, 200, "ok")
            self.assertEqual(answer.body.decode(), '{"status":"ok","value":%s}\n' % value)

    def test_statuses(self):
        self.is_answer(self.take("b", "?timeout_ms=0"), 408, "timeout")
        self.is_answer(self.put("u", "1", "?timeout_ms=1"), 408, "timeout")
        self.is_answer(self.put("d", "1"), 204, "ok")
        self.is_answer(self.put("d", "2"), 200, "dropped")
        self.is_answer(self.put("s", "1"), 204, "ok")
        self.is_answer(self.put("s", "2"), 200, "ok", evicted=1)
        self.is_answer(self.web.ask("POST", "/api/v1/channels/d/close"), 204, "ok")
        self.is_answer(self.put("d", "3"), 409, "closed")
        self.is_answer(self.take("d"), 200, "ok", value=1)
        self.is_answer(self.take("d"), 409, "closed")

    def test_batches(self):
        self.is_answer(self.put("b", "[1, 2, 3]", "?batch=true&timeout_ms=0"), 408, "timeout", accepted=2)
        self.is_answer(self.take("b", "?max=10"), 200, "ok", values=[1, 2])
        self.is_answer(self.put("b", "[1, 2]", "?batch=false"), 204, "ok")
        self.is_answer(self.take("b"), 200, "ok", value=[1, 2])
        self.is_error(self.put("b", "[1, null]", "?batch=true"), 400, "bad_value")
        self.is_error(self.put("b", "1", "?batch=yes"), 400, "bad_request", "batch")

    def test_a_body_is_one_value_and_never_part_of_a_request(self):
        for body in ("", "1, 2", '1,"timeout_ms":0', "{", "nul", '"\\ud800"', b'"\xff"', "1}", "[" * 200, "[" * 200 + "]" * 200 + "]"):
            self.is_error(self.put("b", body), 400, "bad_json", "the value")
        self.is_error(self.put("b", "null"), 400, "bad_value")
        self.assertEqual(self.stat("b")["accepted"], 0)

    def test_too_deep_is_what_it_is_in_a_frame(self):
        deep = "[" * 129 + "]" * 129
        for channel in ("b", "none"):
            self.assertEqual(self.frames.ask(id=7, op="put", channel=channel, value=json.loads(deep))["error"], "bad_value")
            self.is_error(self.put(channel, deep), 400, "bad_value", "deeper than 128")
            self.is_error(self.put(channel, f"[1,{deep}]", "?batch=true"), 400, "bad_value", "number 1")
            self.is_error(self.web.ask("POST", "/api/v1/alts", '{"arms":[{"put":"%s","value":%s}]}' % (channel, deep)), 400, "bad_value", "arm 0")
        self.is_answer(self.put("b", deep[1:-1]), 204, "ok")
        self.is_answer(self.web.ask("POST", "/api/v1/alts", '{"arms":[{"put":"b","value":%s}]}' % deep[1:-1]), 200, "ok", arm=0)
        self.is_error(self.web.ask("POST", "/api/v1/alts", '{"arms":[%s nonsense]}' % deep), 400, "bad_json", "at byte 268, in line 1, ',' or ']' is expected")
        self.assertEqual(self.stat("b")["accepted"], 2)

    def test_a_bad_body_is_told_where(self):
        for body, where in (("", "at byte 0, in line 1"), ('{"a":\n 1,\n x}', "at byte 11, in line 3"), ("1 2", "at byte 2, in line 1"), ("\n\n[1,]", "at byte 5, in line 3")):
            self.is_error(self.put("b", body), 400, "bad_json", where)
        self.is_error(self.web.ask("POST", "/api/v1/alts", '{"arms":\n[}'), 400, "bad_json", "at byte 10, in line 2")
        self.is_error(self.take("b", "", body='{"max" 1}'), 400, "bad_json", "at byte 7, in line 1")

    def test_members_count_in_the_body_too(self):
        self.put("b", "[1, 2]", "?batch=true")
        body = self.is_answer(self.take("b", body={"lease_ms": 60000, "max": 2}), 200, "ok", values=[1, 2], deliveries=[1, 1])
        self.assertEqual(self.stat("b")["leased"], 2)
        self.is_answer(self.web.ask("POST", f"/api/v1/leases/{body['lease']}/extend", {"lease_ms": 70000}), 204, "ok")
        self.is_answer(self.web.ask("POST", f"/api/v1/leases/{body['lease']}/nack", {"delay_ms": 60000, "counted": False}), 204, "ok")
        self.assertEqual(self.stat("b")["leased"], 2)
        self.is_answer(self.take("b", body={"timeout_ms": 0}), 408, "timeout")
        self.is_answer(self.take("b", "?timeout_ms=0", body={"lease_ms": 5}), 408, "timeout")
        self.is_answer(self.take("b", "?timeout_ms=0", body=" { } "), 408, "timeout")
        self.is_answer(self.web.ask("POST", "/api/v1/channels/d/close", "{}"), 204, "ok")

    def test_no_body_is_passed_over(self):
        self.put("b", "1")
        before = self.stat("b")
        lease = "0" * 32
        for body, error, text in (
            ({"lease_ms": 5, "timeout": 5}, "bad_request", "timeout"), ({"count": 5}, "bad_request", "count"), ({"sticky": False, "lease_ms": 5}, "bad_request", "sticky"),
            ({"max": 2, "channel": "d"}, "bad_request", "channel"), ({"op": "put"}, "bad_request", "op"), ({"id": 5}, "bad_request", "id"), ({"lease_ms": "5"}, "bad_request", "lease_ms"),
            ("[]", "bad_request", "object"), ("null", "bad_request", "object"), ("garbage", "bad_json", "at byte 0"), (" ", "bad_json", "at byte 1"), ('{},"max":2', "bad_json", "at byte 2"),
        ):  # fmt: skip
            self.is_error(self.take("b", body=body), 400, error, text)
        self.is_error(self.take("b", "?max=2", body={"max": 2}), 400, "bad_request", '"max" is there twice')
        for path, body in ((f"/api/v1/leases/{lease}/ack", {"lease_ms": 5}), (f"/api/v1/leases/{lease}/nack", {"delay": 5}), (f"/api/v1/leases/{lease}/extend", {"lease_ms": 5, "lease": lease}),
                           ("/api/v1/channels/b/close", {"force": True})):  # fmt: skip
            self.is_error(self.web.ask("POST", path, body), 400, "bad_request", next(reversed(body)))
        for method, path in (("DELETE", "/api/v1/channels/b"), ("GET", "/api/v1/channels"), ("GET", "/api/v1/channels/b/values"), ("GET", "/api/v1/waiters"), ("GET", "/api/v1/clients"),
                             ("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/"), ("GET", "/api/v1/events"), ("GET", "/openapi.json")):  # fmt: skip
            self.is_error(self.web.ask(method, path, '{"force":true}'), 400, "bad_request", "no body")
        self.assertEqual(self.stat("b"), before)

    def test_mistakes_are_named(self):
        self.is_error(self.put("none", "1"), 404, "no_such_channel", "none")
        self.is_error(self.put("-x", "1"), 400, "bad_channel")
        self.is_error(self.put("a%00", "1"), 400, "bad_channel")
        self.is_error(self.put("a%2", "1"), 400, "bad_request", "%")
        self.is_error(self.put("x" * 129, "1"), 400, "bad_channel")
        self.is_error(self.put("x" * 2000, "1"), 400, "bad_request")
        self.is_error(self.take("b", "?timeout=5"), 400, "bad_request", "timeout")
        self.is_error(self.take("b", "?count=5"), 400, "bad_request", "count")
        self.is_error(self.take("b", "?timeout_ms=5s"), 400, "bad_request", "timeout_ms")
        self.is_error(self.take("b", "?timeout_ms=05"), 400, "bad_request", "timeout_ms")
        self.is_error(self.take("b", "?timeout_ms=-1"), 400, "bad_request", "timeout_ms")
        self.is_error(self.take("b", "?timeout_ms=%zz"), 400, "bad_request", "timeout_ms")
        self.is_error(self.take("b", "?max=1&max=2"), 400, "bad_request", "max")
        self.is_error(self.take("b", "?max=0"), 400, "bad_request", "max")
        self.is_error(self.take("p", "?lease_ms=5"), 400, "bad_request", "promise")

    def test_channels_whose_names_need_escapes(self):
        self.is_answer(self.web.ask("PUT", "/api/v1/channels/%7Bx%7D:1", {"kind": "promise"}), 200, "ok", channel="{x}:1", created=True)
        self.is_answer(self.put("{x}:1", "1"), 204, "ok")
        self.is_answer(self.take("%7bx%7d:1"), 200, "ok", value=1)

    def test_a_take_waits_for_a_put(self):
        self.web.send("POST", "/api/v1/channels/u/take?timeout_ms=60000")
        self.wait_until("u", parked_takes=1)
        waiter = self.frames.ask(id=2, op="waiters")["waiters"][0]
        self.assertEqual((waiter["op"], waiter["arms"]), ("take", [{"take": "u"}]))
        self.is_answer(self.put("u", "7", web=self.connect()), 204, "ok")
        self.is_answer(self.web.receive(), 200, "ok", value=7)

    def test_alts(self):
        alts = {"arms": [{"take": "u"}, {"put": "b", "value": {"x": 1}}], "priority": True}
        self.is_answer(self.web.ask("POST", "/api/v1/alts", alts), 200, "ok", arm=1, channel="b")
        self.is_answer(self.web.ask("POST", "/api/v1/alts", {"arms": [{"take": "b"}], "lease_ms": 60000}), 200, "ok", arm=0, value={"x": 1}, deliveries=1)
        self.is_answer(self.web.ask("POST", "/api/v1/alts", {"arms": [{"take": "u"}], "timeout_ms": 0}), 408, "timeout")
        self.is_error(self.web.ask("POST", "/api/v1/alts", {"arms": []}), 400, "bad_request", "arms")
        self.is_error(self.web.ask("POST", "/api/v1/alts", {"arms": [{"take": "none"}]}), 404, "no_such_channel", "arm 0")
        self.is_error(self.web.ask("POST", "/api/v1/alts", {"arms": [{"take": "b"}], "op": "put"}), 400, "bad_request", "op")
        self.is_error(self.web.ask("POST", "/api/v1/alts", "[]"), 400, "bad_request", "object")
        self.is_error(self.web.ask("POST", "/api/v1/alts", ""), 400, "bad_json", "object")

    def test_leases_outlive_the_connection(self):
        self.put("b", "1")
        with Web(self.daemon) as other:
            lease = self.take("b", "?lease_ms=60000", other).json()["lease"]
        self.frames.ask(id=3, op="ping")
        with Web(self.daemon) as other:
            self.is_answer(other.ask("POST", f"/api/v1/leases/{lease}/extend?lease_ms=90000"), 204, "ok")
            self.assertEqual(self.stat("b")["leased"], 1)
            self.is_answer(other.ask("POST", f"/api/v1/leases/{lease}/nack"), 204, "ok")
        body = self.is_answer(self.take("b", "?lease_ms=60000&max=5"), 200, "ok", values=[1], deliveries=[2])
        self.is_answer(self.web.ask("POST", f"/api/v1/leases/{body['lease']}/ack"), 204, "ok")
        self.is_error(self.web.ask("POST", f"/api/v1/leases/{body['lease']}/ack"), 404, "no_such_lease")
        self.is_error(self.web.ask("POST", "/api/v1/leases/x/ack"), 404, "no_such_lease")
        self.is_error(self.web.ask("POST", f"/api/v1/leases/{lease}/extend"), 400, "bad_request", "lease_ms")

    def test_a_delayed_nack(self):
        self.put("b", "1")
        lease = self.take("b", "?lease_ms=60000").json()["lease"]
        self.is_answer(self.web.ask("POST", f"/api/v1/leases/{lease}/nack?delay_ms=60000"), 204, "ok")
        self.assertEqual(self.stat("b")["leased"], 1)


class Once(Gateway):
    def put_once(self, key, value="1", **more):
        return self.web.ask("POST", "/api/v1/channels/b/values", value, {"Content-Type": "application/json", "Idempotency-Key": key, **more})

    def test_the_same_key_again_changes_nothing(self):
        self.is_answer(self.put_once("k-1"), 204, "ok")
        self.is_answer(self.put_once("k-1"), 200, "ok", duplicate=True)
        self.is_answer(self.put_once("k-2"), 204, "ok")
        self.assertEqual(self.stat("b")["buffered"], 2)

    def test_a_key_that_is_none_is_refused(self):
        self.is_error(self.put_once("k" * 65), 400, "bad_request", "producer")
        self.is_error(self.put_once(""), 400, "bad_request", "producer")
        self.is_error(self.web.ask("POST", "/api/v1/channels/b/take", None, {"Content-Type": "application/json", "Idempotency-Key": "k"}), 400, "bad_request", "only a put")
        self.assertEqual(self.stat("b")["buffered"], 0)


class Channels(Gateway):
    def test_create_and_delete(self):
        path = "/api/v1/channels/new"
        self.is_answer(self.web.ask("PUT", path, {"kind": "bounded", "capacity": 1}), 200, "ok", created=True)
        self.is_answer(self.web.ask("PUT", path, {"kind": "bounded", "capacity": 1}), 200, "ok", created=False)
        self.is_error(self.web.ask("PUT", path, {"kind": "bounded", "capacity": 2}), 409, "channel_exists")
        self.is_error(self.web.ask("PUT", path, {"kind": "unbounded"}), 400, "bad_channel")
        self.is_error(self.web.ask("PUT", path, {}), 400, "bad_request", "kind")
        self.is_error(self.web.ask("PUT", path, {"kind": "promise", "channel": "x"}), 400, "bad_request", "channel")
        self.is_error(self.web.ask("PUT", "/api/v1/channels/e", {"kind": "promise", "ephemeral": True}), 400, "bad_request", "ephemeral")
        self.web.ask("POST", path + "/values", "1")
        self.is_error(self.web.ask("DELETE", path), 409, "not_empty")
        self.is_answer(self.web.ask("DELETE", path + "?force=true"), 200, "ok", discarded=1)
        self.is_error(self.web.ask("DELETE", path), 404, "no_such_channel")

    def test_alter(self):
        self.is_answer(self.web.ask("PUT", "/api/v1/channels/new", {"kind": "bounded", "capacity": 1}), 200, "ok", created=True)
        row = self.is_answer(self.web.ask("PATCH", "/api/v1/channels/new", {"capacity": 2, "max_deliveries": 1, "dead_letter": "b"}), 200, "ok", capacity=2)
        self.assertEqual((row["kind"], row["max_deliveries"], row["dead_letter"]), ("bounded", 1, "b"))
        self.is_answer(self.web.ask("PATCH", "/api/v1/channels/new", {"max_deliveries": 0, "dead_letter": None}), 200, "ok", capacity=2)
        self.is_error(self.web.ask("PATCH", "/api/v1/channels/new", {"capacity": 0}), 400, "bad_channel", "capacity")
        self.is_error(self.web.ask("PATCH", "/api/v1/channels/new", {"max_deliveries": 2}), 400, "bad_channel", "come together")
        self.is_error(self.web.ask("PATCH", "/api/v1/channels/new", {"kind": "sliding"}), 400, "bad_request", "kind")
        self.is_error(self.web.ask("PATCH", "/api/v1/channels/nowhere", {"capacity": 2}), 404, "no_such_channel")

    def test_dead_letters_come_back(self):
        for name, definition in (("bad", {}), ("src", {"max_deliveries": 1, "dead_letter": "bad"})):
            self.is_answer(self.web.ask("PUT", "/api/v1/channels/" + name, {"kind": "bounded", "capacity": 4, **definition}), 200, "ok", created=True)
        self.web.ask("POST", "/api/v1/channels/src/values", "7")
        taken = self.is_answer(self.web.ask("POST", "/api/v1/channels/src/take?lease_ms=60000"), 200, "ok", value=7)
        rows = self.is_answer(self.web.ask("GET", "/api/v1/leases?channel=src"), 200, "ok", more=False)["leases"]
        self.assertEqual([(row["channel"], row["values"], row["deliveries"], row["sticky"]) for row in rows], [("src", 1, 1, True)])
        self.assertEqual(self.web.ask("POST", f"/api/v1/leases/{taken['lease']}/nack?counted=false").code, 204)
        taken = self.is_answer(self.web.ask("POST", "/api/v1/channels/src/take?lease_ms=60000"), 200, "ok", deliveries=1)
        self.assertEqual(self.web.ask("POST", f"/api/v1/leases/{taken['lease']}/nack").code, 204)
        peeked = self.is_answer(self.web.ask("GET", "/api/v1/channels/bad/values"), 200, "ok", values=[7])
        self.assertEqual((peeked["origins"][0]["channel"], peeked["origins"][0]["reason"]), ("src", "nack"))
        self.is_answer(self.web.ask("POST", "/api/v1/channels/bad/move"), 200, "ok", moved=1, left=0)
        self.is_answer(self.web.ask("POST", "/api/v1/channels/src/move?to=bad&max=1"), 200, "ok", moved=1, left=0)
        self.is_error(self.web.ask("POST", "/api/v1/channels/bad/move?to=bad"), 400, "bad_request")
        self.is_error(self.web.ask("POST", "/api/v1/channels/bad/move?to=nowhere"), 404, "no_such_channel", "nowhere")
        self.web.ask("POST", "/api/v1/channels/src/close")
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/bad/move?to=src").code, 409)

    def test_a_delayed_put(self):
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/values?delay_ms=20", "5").code, 204)
        self.is_answer(self.web.ask("POST", "/api/v1/channels/b/take?timeout_ms=0"), 408, "timeout")
        self.is_answer(self.web.ask("POST", "/api/v1/channels/b/take"), 200, "ok", value=5)
        self.is_error(self.web.ask("POST", "/api/v1/channels/u/values?delay_ms=20", "5"), 400, "bad_request", "unbuffered")

    def test_looking_is_what_frames_say(self):
        self.frames.ask(id=2, op="put", channel="b", value={"x": [1]})
        self.frames.send(id=3, op="take", channel="u")
        self.frames.ask(id=4, op="ping")
        for path, request in (
            ("/api/v1/channels", {"op": "list"}),
            ("/api/v1/channels?match=%5Bbd%5D&limit=1", {"op": "list", "match": "[bd]", "limit": 1}),
            ("/api/v1/channels?after=d", {"op": "list", "after": "d"}),
            ("/api/v1/channels/b/values?max=5", {"op": "peek", "channel": "b", "max": 5}),
        ):
            expected = self.frames.ask(id=5, **request)
            del expected["id"]
            for row in expected.get("channels", []):
                row.pop("oldest_take_ms", None)
            body = self.is_answer(self.web.ask("GET", path), 200, "ok")
            for row in body.get("channels", []):
                row.pop("oldest_take_ms", None)
            self.assertEqual(body, expected)
        row = self.is_answer(self.web.ask("GET", "/api/v1/channels/b"), 200, "ok", buffered=1)
        self.assertEqual({**row, "id": 1}, self.stat("b"))
        for query in ("", "?channel=u", "?limit=1"):
            waiters = self.is_answer(self.web.ask("GET", "/api/v1/waiters" + query), 200, "ok", more=False)["waiters"]
            self.assertEqual([(row["op"], row["request"]) for row in waiters], [("take", 3)])
        self.assertEqual(self.web.ask("GET", f"/api/v1/waiters?after={waiters[0]['seq']}").json()["waiters"], [])
        self.is_error(self.web.ask("GET", "/api/v1/waiters?channel=none"), 404, "no_such_channel")

    def test_clients(self):
        self.frames.ask(id=1, op="hello", protocol=1, name="worker")
        self.frames.send(id=2, op="take", channel="u")
        self.frames.ask(id=3, op="ping")
        clients = self.is_answer(self.web.ask("GET", "/api/v1/clients"), 200, "ok", more=False)["clients"]
        self.assertEqual([(row["wire"], row.get("name"), row["parked"]) for row in clients], [("frames", "worker", 1), ("http", None, 0)])
        first = self.web.ask("GET", "/api/v1/clients?limit=1").json()
        self.assertEqual((first["clients"][0]["connection"], first["more"]), (clients[0]["connection"], True))
        rest = self.web.ask("GET", f"/api/v1/clients?before={clients[0]['connection']}").json()
        self.assertEqual([row["connection"] for row in rest["clients"]], [clients[1]["connection"]])
        for query in ("?limit=0", "?limit=1001", "?limit=x", "?before=", "?x=1"):
            self.is_error(self.web.ask("GET", "/api/v1/clients" + query), 400, "bad_request")


class Ends(Gateway):
    arguments = ("--set", "limits.max_frame=8MiB")

    def park(self, method="POST", path="/api/v1/channels/u/take", body=None):
        web = self.connect()
        web.send(method, path, body)
        self.wait_until("u", parked_takes=1)
        return web

    def is_lossless(self):
        self.wait_until("u", parked_takes=0)
        self.assertEqual(self.frames.ask(id=2, op="put", channel="u", value=1, timeout_ms=0)["status"], "timeout")
        self.assertEqual(self.web.ask("GET", "/api/v1/waiters").json()["waiters"], [])

    def test_what_ends_in_the_midst_of_a_step_leaves_the_others_replies_whole(self):
        # One step deletes the channel and answers both who wait there; the first answer ends its connection, which is asked of the core too.
        creator, other = Connection(self.daemon), Connection(self.daemon)
        self.addCleanup(other.close)
        name = "ephemeral." + "x" * 100
        self.assertEqual(creator.ask(id=1, op="create", channel=name, kind="unbuffered", ephemeral=True)["status"], "ok")
        self.web.send("POST", f"/api/v1/channels/{name}/take", headers={**JSON, "Connection": "close"})
        self.wait_until(name, parked_takes=1)
        other.send(id=2, op="alts", arms=[{"take": name}, {"take": "u"}])
        self.wait_until(name, parked_takes=2)
        creator.close()
        self.is_answer(self.web.receive(), 409, "closed")
        self.assertIsNone(self.web.receive())
        self.assertEqual(other.receive(), {"id": 2, "status": "closed", "arm": 0, "channel": name})
        self.assertEqual(other.ask(id=3, op="ping")["status"], "ok")

    def test_who_hangs_up_while_it_waits_has_lost_nothing(self):
        def half(web):
            web.socket.shutdown(socket.SHUT_WR)

        def reset(web):
            web.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            web.close()

        for end in (Web.close, half, reset):
            with self.subTest(end=end.__name__):
                end(self.park())
                self.is_lossless()

    def test_even_with_a_next_request_behind_it(self):
        web = self.park()
        web.send("GET", "/healthz")
        web.close()
        self.is_lossless()

    def test_an_alts_that_is_hung_up_leaves_all_its_queues(self):
        self.park(path="/api/v1/alts", body={"arms": [{"take": "u"}, {"take": "b"}]}).close()
        self.is_lossless()
        self.assertEqual(self.stat("b")["parked_takes"], 0)

    def test_what_could_not_be_sent_goes_back(self):
        value = "x" * (7 << 20)
        self.assertEqual(self.frames.ask(id=2, op="put", channel="b", value=value)["status"], "ok")
        web = self.connect(receive_buffer=4096)
        web.send("POST", "/api/v1/channels/b/take")
        self.wait_until("b", buffered=0)
        web.close()
        row = self.wait_until("b", buffered=1)
        self.assertEqual((row["returned"], row["taken"]), (1, 1))
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/take").json()["value"], value)

    def test_an_unsent_lease_goes_back_though_it_is_sticky(self):
        self.frames.ask(id=2, op="put", channel="b", value="x" * (7 << 20))
        web = self.connect(receive_buffer=4096)
        web.send("POST", "/api/v1/channels/b/take?lease_ms=600000")
        self.wait_until("b", leased=1)
        web.close()
        self.wait_until("b", leased=0, buffered=1)
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/take?lease_ms=60000").json()["deliveries"], 1)

    def test_the_daemon_ends_and_says_so(self):
        web = self.park()
        self.daemon.kill(signal.SIGTERM)
        answer = web.receive()
        self.is_error(answer, 503, "draining")
        self.assertEqual(answer.headers["connection"], "close")
        self.assertIsNone(web.receive())
        self.assertEqual(self.daemon.wait(), 0)


class Wire(Gateway):
    def test_other_protocols_are_told_at_once(self):
        """Their first byte is enough."""
        for text, said in ((b"\x16", "TLS"), (b"?", "no request of HTTP"), (b"\x80", "no request of HTTP"), (b" ", "no request of HTTP")):
            with contextlib.closing(Web(self.daemon)) as web:
                web.send_raw(text)
                web.last = ("GET", "/")
                answer = web.receive_head()
                self.assertEqual(answer.code, 400, text)
                self.assertIn(said, web.stream.read().decode())
        for text in (b"\0", Connection.frame({"id": 1, "op": "ping"})):
            with contextlib.closing(Connection(port_of(self.daemon))) as frames:
                frames.socket.sendall(text)
                reply = frames.receive()
                self.assertEqual((reply["id"], reply["error"]), (None, "bad_request"))
                self.assertIn("speaks HTTP", reply["message"])
                self.assertIsNone(frames.receive())

    arguments = ("--set", "limits.max_frame=64KiB", "--set", "limits.max_http_connections=5")

    def raw(self, text):
        web = self.connect()
        web.send_raw(text)
        return web

    def code_of(self, text):
        """The code of the answer, by a connection of its own."""
        with Web(self.daemon) as web:
            web.send_raw(text)
            return web.receive(text.startswith("HEAD")).code

    def test_requests_may_follow_each_other_at_once(self):
        self.web.send("POST", "/api/v1/channels/u/take")
        self.web.send("GET", "/healthz")
        self.web.send("POST", "/api/v1/channels/b/values", "1")
        self.wait_until("u", parked_takes=1)
        self.assertEqual(self.stat("b")["accepted"], 0)
        self.frames.ask(id=2, op="put", channel="u", value=5)
        self.assertEqual(self.web.receive().json()["value"], 5)
        self.assertEqual(self.web.receive().body, b"ok\n")
        self.assertEqual(self.web.receive().code, 204)

    def test_who_sends_without_end_while_it_waits_is_cut_off(self):
        web = self.connect()
        web.send("POST", "/api/v1/channels/u/take")
        self.wait_until("u", parked_takes=1)
        try:
            for _ in range(64):
                web.send_raw(b"x" * 65536)
        except OSError:
            pass
        self.wait_until("u", parked_takes=0)

    def test_byte_by_byte(self):
        text = f"POST /api/v1/channels/b/values HTTP/1.1\r\nHost: localhost:{self.web.port}\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[7]"
        self.web.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text.encode():
            self.web.send_raw(bytes([byte]))
        self.assertEqual(self.web.receive().code, 204)

    def test_what_is_no_request_is_refused_and_the_connection_ends(self):
        for text, code in (
            ("\x16\x03\x01\x02\x00\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 9000, 431),
        ):
            with self.subTest(text=text[:60]), Web(self.daemon) as web:
                web.send_raw(text.encode("latin-1"))
                answer = web.receive()
                self.assertEqual(answer.code, code)
                self.assertEqual(answer.headers["connection"], "close")
                self.assertIsNone(web.receive())

    def test_a_body_of_max_frame_is_no_trouble(self):
        value = '"' + "x" * 65534 + '"'
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/values", value).code, 204)
        self.assertEqual(len(self.web.ask("POST", "/api/v1/channels/b/take").json()["value"]), 65534)

    def test_a_client_that_asks_whether_it_may_go_on(self):
        self.web.send("POST", "/api/v1/channels/b/values", headers={**JSON, "Expect": "100-continue", "Content-Length": 1})
        self.assertEqual(self.web.stream.readline(), b"HTTP/1.1 100 Continue\r\n")
        self.assertEqual(self.web.stream.readline(), b"\r\n")
        self.web.send_raw("1")
        self.assertEqual(self.web.receive().code, 204)

    def test_a_balancers_check_has_no_host(self):
        for path in ("/healthz", "/readyz"):
            for method in ("GET", "HEAD", "OPTIONS"):
                self.assertEqual(self.code_of(f"{method} {path} HTTP/1.0\r\n\r\n"), 403 if method == "OPTIONS" else 200)
        for path in ("/", "/metrics", "/api/v1/channels", "/nonsense"):
            self.assertEqual(self.code_of(f"GET {path} HTTP/1.0\r\n\r\n"), 403)
        self.assertEqual(self.code_of("GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n"), 403)

    def test_absolute_targets(self):
        own = f"localhost:{self.web.port}"
        for target, host, code in ((f"http://{own}/healthz", own, 200), (f"HTTP://{own}/healthz", "evil.example", 200), ("http://localhost/api/v1/channels?limit=1", own, 200), ("http://localhost", own, 200),
                                   ("http://evil.example/healthz", own, 403), ("http://a@localhost/healthz", own, 403), ("http:///healthz", own, 400), ("ftp://localhost/", own, 400),
                                   ("healthz", own, 400)):  # fmt: skip
            self.assertEqual(self.code_of(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"), code, target)
        self.assertEqual(self.code_of("GET http://localhost/api/v1/channels HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"), 403)

    def test_empty_lines_before_a_request(self):
        web = self.raw("\r\n")
        for before in ("", "\r\n\r\n", "\n"):
            web.send_raw(f"{before}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(web.receive().code, 200)

    def test_old_clients(self):
        web = self.raw("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = web.receive()
        self.assertEqual((answer.code, answer.body, answer.headers["connection"]), (200, b"ok\n", "close"))
        self.assertIsNone(web.receive())
        web = self.raw("GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"millrace_channels 5\n", web.receive().body)
        web = self.raw("GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        self.assertEqual(web.receive().headers["connection"], "keep-alive")
        self.assertEqual(web.ask("GET", "/healthz").code, 200)

    def test_head_is_get_without_the_body(self):
        for path in ("/healthz", "/metrics", "/", "/api/v1/channels"):
            get, head = self.web.ask("GET", path), self.web.ask("HEAD", path)
            self.assertEqual(head.code, 200)
            self.assertEqual(head.headers.get("content-length"), get.headers.get("content-length"))

    def test_the_connection_ends_when_asked_to(self):
        self.assertEqual(self.web.ask("GET", "/healthz", headers={"Connection": "close"}).headers["connection"], "close")
        self.assertIsNone(self.web.receive())

    def test_paths_and_methods(self):
        answer = self.web.ask("GET", "/nonsense")
        self.is_error(answer, 404, "unknown_op", "/healthz")
        for path in ("/api/v1/channels/", "/api/v1/channels/a/b", "//", "/api/v1/channels/a/close/"):
            self.assertEqual(self.web.ask("GET", path).code, 404, path)
        answer = self.web.ask("POST", "/healthz", "")
        self.assertEqual((answer.code, answer.headers["allow"]), (405, "GET"))
        answer = self.web.ask("OPTIONS", "/api/v1/channels/x")
        self.assertEqual((answer.code, answer.headers["allow"]), (405, "GET, PUT, PATCH, DELETE"))
        self.assertEqual(self.web.ask("GET", "/api/v1/channels/b/take").code, 405)

    def test_there_are_only_so_many_connections(self):
        others = [self.connect() for _ in range(4)]
        for web in others:
            self.assertEqual(web.ask("GET", "/healthz").code, 200)
        refused = self.connect()
        self.assertEqual(refused.receive().code, 503)
        self.assertIsNone(refused.receive())
        others[0].close()
        while True:  # until the daemon has heard of it
            with Web(self.daemon) as web:
                try:
                    web.send("GET", "/healthz")
                    if web.receive().code == 200:
                        break
                except OSError:
                    pass

    def test_noise(self):
        seed = int(os.environ.get("MILLRACE_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}", file=sys.stderr)
        noise = random.Random(seed)
        pieces = [b"GET ", b"POST ", b"/api/v1/channels/b/", b"take", b"values", b" HTTP/1.1\r\n", b"Host: localhost\r\n", b"Content-Length: 5\r\n", b"\r\n", b"\r\n\r\n",
                  b"Content-Type: application/json\r\n", b"?timeout_ms=0", b"%", b"{}", b"[1,2]", b"\0", b"\xff" * 40, b"/metrics", b"/api/v1/events", b":", b"Expect: 100-continue\r\n"]
        for _ in range(300):
            with Web(self.daemon) as web:
                try:
                    web.send_raw(b"".join(noise.choice(pieces) for _ in range(noise.randrange(1, 30))))
                    if noise.random() < 0.5:
                        web.socket.shutdown(socket.SHUT_WR)
                    else:
                        web.socket.settimeout(0.01)
                    web.stream.read(1)
                except OSError:
                    pass
        self.assertEqual(self.frames.ask(id=9, op="ping")["status"], "ok")


class Browsers(Gateway):
    arguments = ("--set", "http_hosts=millrace.example")

    CHANGES = (
        ("POST", "/api/v1/channels/b/values", "1"), ("POST", "/api/v1/channels/b/take?timeout_ms=0", ""), ("POST", "/api/v1/channels/b/close", ""),
        ("PUT", "/api/v1/channels/x", '{"kind":"promise"}'), ("DELETE", "/api/v1/channels/b?force=true", None), ("POST", "/api/v1/alts", '{"arms":[{"take":"b"}]}'),
    )  # fmt: skip

    def is_refused_and_nothing_happens(self, headers, code, changes=CHANGES):
        self.frames.ask(id=2, op="put", channel="b", value=0, timeout_ms=0)
        before = self.frames.ask(id=3, op="list")
        for method, path, body in changes:
            answer = self.web.ask(method, path, body, headers)
            self.assertEqual(answer.code, code, (method, path, answer))
        self.assertEqual(self.frames.ask(id=3, op="list"), before)

    def test_a_foreign_host_is_refused(self):
        for host in ("evil.example", "evil.example:7224", "127.0.0.1.evil.example", "localhost.", "10.0.0.1", "", "[::2]", "[::1", "x" * 300, "a@localhost",
                     "[::1].evil", "[::1].evil:80", "[::1]80", "[::1]]", "[localhost]", "[127.0.0.1]", "localhost:80.evil", "127.0.0.1:x", "localhost:80:80", "::1", "[", "[]"):  # fmt: skip
            self.is_refused_and_nothing_happens({**JSON, "Host": host}, 403)
            self.assertEqual(self.web.ask("GET", "/healthz", headers={"Host": host}).code, 403, host)

    def test_own_hosts_are_not(self):
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.2:5", "[::1]:7224", "millrace.example", "Millrace.Example:80"):
            self.assertEqual(self.web.ask("GET", "/healthz", headers={"Host": host}).code, 200, host)

    def test_a_foreign_origin_is_refused(self):
        own = f"127.0.0.1:{self.web.port}"
        for origin in ("http://evil.example", "null", "", "http://127.0.0.1", f"http://localhost:{self.web.port}", f"http://{own}.evil.example", f"ftp://{own}", f"http://{own}/"):
            self.is_refused_and_nothing_happens({**JSON, "Origin": origin}, 403)
        self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers={"Origin": "http://evil.example"}).code, 403)
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/u/take?timeout_ms=0", "", {**JSON, "Origin": f"http://{own}"}).code, 408)

    def test_what_a_form_can_send_is_refused(self):
        posts = [change for change in self.CHANGES if change[0] != "DELETE"]
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "text/plain; application/json"):
            self.is_refused_and_nothing_happens({"Content-Type": kind}, 415, posts)
        for kind in ("application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"):
            self.assertEqual(self.web.ask("POST", "/api/v1/channels/u/take?timeout_ms=0", "", {"Content-Type": kind}).code, 408, kind)

    def test_a_page_may_not_be_framed_nor_load_anything(self):
        policy = self.web.ask("GET", "/").headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("http", policy)
        self.assertNotIn("unsafe", policy)
        page = self.web.ask("GET", "/").body.decode()
        self.assertEqual(re.findall(r"<style|<script(?! src)|\\son[a-z]+=|\\sstyle=|javascript:", page), [])
        for path, kind in (("/dashboard.js", "text/javascript"), ("/dashboard.css", "text/css")):
            self.assertIn(f'"{path}"', page)
            answer = self.web.ask("GET", path)
            self.assertEqual((answer.code, answer.headers["content-type"], answer.headers["x-content-type-options"]), (200, f"{kind}; charset=utf-8", "nosniff"))
            self.assertEqual(self.web.ask("GET", path, headers={"Origin": "http://evil.example"}).code, 403)


class Hosts(unittest.TestCase):
    def test_they_can_be_reloaded(self):
        with Daemon(http="127.0.0.1:0") as plain:
            path = os.path.join(plain.directory, "m.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("http_hosts: [one.example]\n")
            with Daemon("-c", path, http="127.0.0.1:0") as daemon, Web(daemon) as web:
                self.assertEqual(web.ask("GET", "/healthz", headers={"Host": "one.example"}).code, 200)
                with open(path, "w", encoding="utf-8") as file:
                    file.write("http_hosts: two.example\n")
                daemon.kill(signal.SIGHUP)
                daemon.wait_log("reloaded")
                self.assertEqual(web.ask("GET", "/healthz", headers={"Host": "one.example"}).code, 403)
                self.assertEqual(web.ask("GET", "/healthz", headers={"Host": "two.example"}).code, 200)


class Taps(Gateway):
    def test_tap_look_and_untap(self):
        self.is_answer(self.web.ask("PUT", "/api/v1/channels/b/taps", '{"to": "d", "match": {"/n": 1}, "close": false}'), 200, "ok", to="d", created=True)
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/values", '{"n": 2}').code, 204)
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/values", '{"n": 1.0}').code, 204)
        self.is_answer(self.web.ask("POST", "/api/v1/channels/d/take"), 200, "ok", value={"n": 1.0})
        row, = self.web.ask("GET", "/api/v1/taps?channel=b").json()["taps"]
        self.assertEqual((row["from"], row["to"], row["carried"], row["unmatched"], row["close"]), ("b", "d", 1, 1, False))
        self.assertEqual(self.web.ask("DELETE", "/api/v1/channels/b/taps?to=d").code, 204)
        self.is_error(self.web.ask("DELETE", "/api/v1/channels/b/taps?to=d"), 404, "no_such_tap")
        self.is_error(self.web.ask("PUT", "/api/v1/channels/b/taps", '{"kind": "sliding", "capacity": 1}'), 400, "bad_request")
        self.is_error(self.web.ask("PUT", "/api/v1/channels/b/taps", '{"to": "b"}'), 400, "bad_request")


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


class Memory(unittest.TestCase):
    def test_not_ready_over_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:

            def write(memory):
                file.seek(0)
                file.truncate()
                file.write(f"limits: {{max_memory: {memory}}}\n" + CHANNELS.replace("=", ": ", 1))
                file.flush()

            write("4MiB")
            with Daemon("-c", file.name, http="127.0.0.1:0") as daemon, Web(daemon) as web:
                for _ in range(2):
                    self.assertEqual(web.ask("POST", "/api/v1/channels/b/values", '"' + "x" * 900_000 + '"').code, 204)
                self.assertEqual(web.ask("GET", "/readyz").code, 200)
                write("1MiB")
                daemon.kill(signal.SIGHUP)
                daemon.wait_log("reloaded")
                answer = web.ask("GET", "/readyz")
                self.assertEqual(answer.code, 503)
                self.assertIn(b"max_memory", answer.body)
                self.assertEqual(web.ask("POST", "/api/v1/channels/b/take").code, 200)
                self.assertEqual(web.ask("GET", "/readyz").code, 200)


class Limits(Gateway):
    arguments = ("--set", "limits.max_memory=1MiB", "--set", "limits.max_frame=1MiB", "--set", "limits.max_waiters=1")

    def test_overload_is_told(self):
        self.assertEqual(self.web.ask("GET", "/readyz").code, 200)
        value = '"' + "x" * 900_000 + '"'
        self.assertEqual(self.web.ask("POST", "/api/v1/channels/b/values", value).code, 204)
        self.is_error(self.web.ask("POST", "/api/v1/channels/b/values", value), 503, "overloaded")
        self.frames.send(id=2, op="take", channel="u")
        self.frames.ask(id=3, op="ping")
        self.is_error(self.web.ask("POST", "/api/v1/channels/u/take"), 429, "too_many_waiters")


class Draining(Gateway):
    arguments = ("--set", "limits.grace_ms=60000")

    def test_it_is_alive_and_not_ready_and_can_be_emptied(self):
        self.web.ask("POST", "/api/v1/channels/b/values", "1")
        self.daemon.kill(signal.SIGTERM)
        self.daemon.wait_log("draining")
        answer = self.web.ask("GET", "/readyz")
        self.assertEqual((answer.code, answer.body), (503, b"draining\n"))
        self.assertEqual(self.web.ask("GET", "/healthz").code, 200)
        self.is_error(self.web.ask("POST", "/api/v1/channels/d/values", "1"), 503, "draining")
        self.web = self.connect()
        self.is_answer(self.web.ask("POST", "/api/v1/channels/b/take"), 200, "ok", value=1)
        self.assertEqual(self.daemon.wait(), 0)


class Description(unittest.TestCase):
    """proto/openapi.json against the table of routes; web.py holds every answer of these tests against it too."""

    def routes(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "daemon", "http", "routes.c")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        rows = re.findall(r'^\t\{"([A-Z]+)", "([^"]+)", (.*?)\},\n(?=\t\{"|\};)', text, re.M | re.S)
        self.assertGreater(len(rows), 15)
        return {(path, method.lower()): (rest, dict(re.findall(r'\{"([a-z_]+)", PARAMETER_([A-Z]+)\}', rest))) for method, path, rest in rows}

    def test_every_route_is_described_and_nothing_else(self):
        described = {(path, method) for path, methods in API["paths"].items() for method in methods}
        self.assertEqual(described, set(self.routes()))

    def test_parameters_and_bodies(self):
        for (path, method), (rest, parameters) in self.routes().items():
            operation = API["paths"][path][method]
            query = {row["name"]: row["schema"]["type"] == "string" for row in operation.get("parameters", []) if row["in"] == "query"}
            self.assertEqual(query, {name: kind != "PLAIN" for name, kind in parameters.items()}, path)
            self.assertEqual(re.findall(r"\{(\w+)\}", path), [row["name"] for row in operation.get("parameters", []) if row["in"] == "path"])
            self.assertEqual("BODY_" in rest, "requestBody" in operation, path)
            self.assertEqual("BODY_" in rest and "BODY_OPTIONAL" not in rest, operation.get("requestBody", {}).get("required", False), path)
            if "BODY_OPTIONAL" in rest:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                self.assertEqual(set(API["components"]["schemas"][schema]["properties"]), set(parameters), path)

    def test_it_is_served(self):
        with Daemon(http="127.0.0.1:0") as daemon, Web(daemon) as web:
            self.assertEqual(web.ask("GET", "/openapi.json").json(), API)

    def test_references_lead_somewhere(self):
        def walk(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    at = API
                    for part in node["$ref"].lstrip("#/").split("/"):
                        at = at[part]
                for child in node.values():
                    walk(child)
            elif isinstance(node, list):
                for child in node:
                    walk(child)

        walk(API)


if __name__ == "__main__":
    unittest.main()
