#!/usr/bin/env python3
"""HTTP where the daemon has users: who asks is said by each request, rights are those of frames, and nobody sees what is not theirs to see."""
import base64
import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from secure import make_token  # noqa: E402
from test_metrics import Listener, parse  # noqa: E402
from web import JSON, Web  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
CHANNELS = "channels: {a.one: {kind: bounded, capacity: 4}, b.two: {kind: bounded, capacity: 4}}\n"


class Users(unittest.TestCase):
    def setUp(self):
        self.tokens = {}
        lines = CHANNELS + "users:\n"
        for name in ("a", "b"):
            self.tokens[name], hashed = make_token()
            lines += f"  {name}: {{token: '{hashed}', put: ['{name}.*'], take: ['{name}.*'], observe: ['{name}.*'], max_connections: 2}}\n"
        self.lines = lines
        self.path = f"/tmp/millrace-http-users.{os.getpid()}.yaml"
        self.write(lines)
        self.addCleanup(os.unlink, self.path)
        self.daemon = Daemon("-c", self.path, http="127.0.0.1:0")
        self.addCleanup(lambda: self.daemon.__exit__(None))
        self.web = Web(self.daemon)
        self.addCleanup(self.web.close)

    def write(self, text):
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    def bearer(self, name):
        return {**JSON, "Authorization": f"Bearer {self.tokens[name]}"}

    def basic(self, text):
        return {**JSON, "Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    def test_nobody_may_do_nothing_but_ask_for_health(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.web.ask("GET", path).code, 200)
        for method, path in (("GET", "/"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/api/v1/channels"), ("GET", "/api/v1/clients"), ("GET", "/api/v1/events"),
                             ("GET", "/api/v1/waiters"), ("POST", "/api/v1/channels/a.one/values"), ("DELETE", "/api/v1/channels/a.one")):  # fmt: skip
            answer = self.web.ask(method, path, "1")
            self.assertEqual((answer.code, answer.json()["error"]), (401, "unauthenticated"), path)
            self.assertIn("Basic", answer.headers["www-authenticate"])
        for wrong in ("Bearer x", "Bearer ", "Basic", "Basic !!!", "Basic " + "A" * 3000, self.basic("a:wrong")["Authorization"], "Negotiate x", self.tokens["a"]):
            self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers={"Authorization": wrong}).code, 401, wrong)

    def test_refused_logins_are_counted(self):
        def refused():
            text = self.web.ask("GET", "/metrics", headers=self.bearer("a")).body.decode()
            return int(re.search(r"^millrace_refused_logins_total (\d+)$", text, re.M)[1])

        self.assertEqual(refused(), 0)
        self.assertEqual(self.web.ask("GET", "/").code, 401)  # as a browser begins
        self.assertEqual(self.web.ask("GET", "/", headers={"Authorization": "Bearer x"}).code, 401)
        with Connection(self.daemon) as frames:
            self.assertEqual(frames.ask(id=1, op="hello", protocol=1, token="x")["error"], "unauthenticated")
        self.assertEqual(refused(), 2)

    def test_basic_is_base64_and_nothing_beside_it(self):
        good = self.basic(f"a:{self.tokens['a']}")["Authorization"]
        self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers={"Authorization": good}).code, 200)
        for pad in ("", "x", "xx"):  # each length of the last group
            self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers=self.basic(f"{pad}:{self.tokens['a']}")).code, 200)
        for wrong in (good + "=", good + "====", good[:-1], good.replace("Basic ", "Basic  "), good[:20] + "\t" + good[20:], good[:10] + "=" + good[11:], good[:20] + "-" + good[21:], "Basic =", "Basic ====", "Basic A===",
                      self.basic("no colon")["Authorization"], self.basic("a:" + self.tokens["a"] + "x" * 1000)["Authorization"]):  # fmt: skip
            self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers={"Authorization": wrong}).code, 401, wrong)

    def test_one_user_cannot_take_all_places_of_listeners(self):
        self.write(self.lines.replace("max_connections: 2", "max_connections: 50"))
        self.daemon.kill(signal.SIGHUP)
        self.daemon.wait_log("reloaded")
        webs = [Web(self.daemon) for _ in range(10)]
        for web in webs:
            self.addCleanup(web.close)
        for web in webs[:8]:
            web.send("GET", "/api/v1/events", headers=self.bearer("a"))
            self.assertEqual(web.receive_head().code, 200)
        answer = webs[8].ask("GET", "/api/v1/events", headers=self.bearer("a"))
        self.assertEqual((answer.code, answer.json()["error"]), (503, "overloaded"))
        self.assertIn("this user", answer.json()["message"])
        webs[9].send("GET", "/api/v1/events", headers=self.bearer("b"))
        self.assertEqual(webs[9].receive_head().code, 200)

    def test_who_asks_is_known_before_the_body_comes(self):
        for headers, code in (({**JSON, "Content-Length": 900000}, 401), ({**JSON, "Content-Length": 900000, "Expect": "100-continue"}, 401),
                              ({**self.bearer("a"), "Content-Length": 900000, "Content-Type": "text/plain"}, 415)):  # fmt: skip
            web = Web(self.daemon)
            self.addCleanup(web.close)
            web.send("POST", "/api/v1/channels/a.one/values", headers=headers)
            answer = web.receive()
            self.assertEqual((answer.code, answer.headers["connection"]), (code, "close"))
            self.assertIsNone(web.receive())
        web = Web(self.daemon)
        self.addCleanup(web.close)
        web.send("POST", "/api/v1/channels/a.one/values", headers={**self.bearer("a"), "Content-Length": 3, "Expect": "100-continue"})
        self.assertEqual(web.stream.readline(), b"HTTP/1.1 100 Continue\r\n")
        web.stream.readline()
        web.send_raw("123")
        self.assertEqual(web.receive().code, 204)

    def test_each_request_says_who_asks(self):
        put = ("POST", "/api/v1/channels/a.one/values", "1")
        self.assertEqual(self.web.ask(*put, self.bearer("a")).code, 204)
        answer = self.web.ask(*put, self.bearer("b"))
        self.assertEqual((answer.code, answer.json()["error"], answer.json()["right"]), (403, "denied", "put"))
        self.assertEqual(self.web.ask(*put).code, 401)
        self.assertEqual(self.web.ask(*put, self.basic("whoever:" + self.tokens["a"])).code, 204)
        self.assertEqual(self.web.ask("DELETE", "/api/v1/channels/a.one", headers=self.bearer("a")).code, 403)
        self.assertEqual(self.web.ask("GET", "/", headers=self.basic("a:" + self.tokens["a"])).code, 200)

    def test_everybody_sees_their_own(self):
        for name, channel in (("a", "a.one"), ("b", "b.two")):
            listed = self.web.ask("GET", "/api/v1/channels", headers=self.bearer(name)).json()["channels"]
            self.assertEqual([row["channel"] for row in listed], [channel])
            samples = parse(self.web.ask("GET", "/metrics", headers=self.bearer(name)).body.decode())
            self.assertEqual({labels for metric, labels in samples if metric == "millrace_channel_depth"}, {f'channel="{channel}"'})
            with Web(self.daemon) as other:
                other.ask("GET", "/api/v1/channels", headers=self.bearer("a"))
                clients = self.web.ask("GET", "/api/v1/clients", headers=self.bearer(name)).json()["clients"]
                self.assertEqual(len(clients), 2 if name == "a" else 1)

    def test_events_too(self):
        with Listener(self.daemon, self.bearer("b")) as one:
            one.until(lambda: "synced" in one.names)
            self.assertEqual(list(one.rows), ["b.two"])
            self.assertEqual(self.web.ask("POST", "/api/v1/channels/a.one/values", "1", self.bearer("a")).code, 204)
            one.until(lambda: one.names.count("tick") >= 2)
            self.assertEqual(self.web.ask("POST", "/api/v1/channels/b.two/values", "1", self.bearer("b")).code, 204)
            one.until(lambda: one.rows["b.two"]["accepted"] == 1)
            self.assertEqual(list(one.rows), ["b.two"])

    def test_a_subscription_ends_with_the_right(self):
        for name, code in (("b", 403), ("a", 200)):
            with Web(self.daemon) as web:
                web.send("GET", "/api/v1/channels/a.one/live?kind=sliding&capacity=9", headers=self.bearer(name))
                self.assertEqual(web.receive_head().code, code)
                if code == 403:
                    continue
                frames = self.enterContext(Connection(self.daemon))
                frames.ask(id=1, op="hello", protocol=1, token=self.tokens["a"])
                channel = frames.ask(id=2, op="tap", **{"from": "a.one", "kind": "unbuffered"})["to"]
                frames.send(id=3, op="take", channel=channel)
                self.write(self.lines.replace("take: ['a.*']", "take: ['c.*']"))
                self.daemon.kill(signal.SIGHUP)
                self.assertEqual(frames.receive(), {"id": 3, "status": "closed"})
                while True:
                    chunk = web.receive_chunk()
                    if chunk.startswith(b"event: end"):
                        break
                self.assertEqual(chunk, b'event: end\ndata: {"status":"closed"}\n\n')
                self.assertEqual(frames.ask(id=4, op="taps")["taps"], [])

    def test_a_user_has_so_many_connections(self):
        with Web(self.daemon) as one, Web(self.daemon) as two:
            for web in (one, two):
                self.assertEqual(web.ask("GET", "/api/v1/channels", headers=self.bearer("a")).code, 200)
            answer = self.web.ask("GET", "/api/v1/channels", headers=self.bearer("a"))
            self.assertEqual((answer.code, answer.json()["error"]), (503, "overloaded"))
            self.assertEqual(one.ask("GET", "/api/v1/channels", headers=self.bearer("b")).code, 200)
            self.assertEqual(self.web.ask("GET", "/api/v1/channels", headers=self.bearer("a")).code, 200)

    def test_who_is_no_user_any_more_is_cut_off(self):
        with Listener(self.daemon, self.bearer("b")) as one:
            one.until(lambda: "synced" in one.names)
            self.write(self.lines[: self.lines.index("  b: {token")])
            self.daemon.kill(signal.SIGHUP)
            self.daemon.wait_log("reloaded")
            while one.web.stream.readline():
                pass
        with Web(self.daemon) as web:
            self.assertEqual(web.ask("GET", "/api/v1/channels", headers=self.bearer("b")).code, 401)
            self.assertEqual(web.ask("GET", "/api/v1/channels", headers=self.bearer("a")).code, 200)


if __name__ == "__main__":
    unittest.main()
