#!/usr/bin/env python3
"""The HTTP gateway from outside: the protocol's ops with their words and codes, and that they are described as they are."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from gateway import Gateway  # noqa: E402
from millraced import Daemon  # noqa: E402
from web import API, Web  # noqa: E402


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
        for again in ("true", "false"):
            self.is_error(self.put("b", "[1]", f"?batch=true&batch={again}"), 400, "bad_request", "batch")
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
        for query in ("?limit=0", "?limit=1001", "?limit=x", "?before=", "?x=1", "?limit=1&limit=2", "?before=1&before=1"):
            self.is_error(self.web.ask("GET", "/api/v1/clients" + query), 400, "bad_request")
        self.is_error(self.web.ask("GET", "/api/v1/events?match=b"), 400, "bad_request", "parameters")


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


class Description(unittest.TestCase):
    """proto/openapi.json against the table of routes; web.py holds every answer of these tests against it too."""

    def routes(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "daemon", "http", "route_table.c")
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
