#!/usr/bin/env python3
"""HTTP/1.1 to the gateway: connections and how they end, limits, memory, draining, and what a browser cannot be made to do."""
import contextlib
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
from gateway import CHANNELS, Gateway  # noqa: E402
from millraced import Connection, Daemon  # noqa: E402
from web import JSON, Web, port_of  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
