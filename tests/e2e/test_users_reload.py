#!/usr/bin/env python3
"""Users that change while they are connected."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from secure import Authority, TlsConnection, client_context, make_token  # noqa: E402
from users import RIGHTS, Files, lines_of  # noqa: E402
from web import JSON, Web  # noqa: E402


class Reloads(unittest.TestCase):
    def setUp(self):
        self.files = Files()
        self.addCleanup(self.files.remove)

    def test_a_reload_changes_users_in_place(self):
        token, hash_ = make_token()
        second, second_hash = make_token()
        base = "channels: {c: {kind: bounded, capacity: 9}}\n"
        self.files.write(lines_of({"u": {"token": hash_, "put": "c"}, "v": {"token": second_hash, "put": "c"}}) + base)
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as u, Connection(daemon) as v:
            u.ask(id=1, op="hello", protocol=1, token=token)
            v.ask(id=1, op="hello", protocol=1, token=second)
            self.assertEqual(u.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
            self.assertEqual(u.ask(id=3, op="take", channel="c")["error"], "denied")
            self.files.reload(daemon, lines_of({"u": {"token": hash_, "take": "c"}, "v": {"token": second_hash, "put": "c"}}) + base)
            self.assertEqual(u.ask(id=4, op="put", channel="c", value=1)["error"], "denied")
            self.assertEqual(u.ask(id=5, op="take", channel="c")["value"], 1)
            u.send(id=6, op="take", channel="c")
            self.assertEqual(u.ask(id=7, op="ping")["status"], "ok")
            fresh, fresh_hash = make_token()
            self.files.reload(daemon, lines_of({"u": {"token": fresh_hash, "take": "c"}, "v": {"token": second_hash, "put": "c"}}) + base)
            reply = u.receive()  # its token is not one any more
            self.assertEqual((reply["id"], reply["error"]), (None, "unauthenticated"))
            self.assertIsNone(u.receive())
            self.assertEqual(v.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
            self.files.reload(daemon, "users: {u: {}}\n")  # refused: everything stays
            with Connection(daemon) as again:
                self.assertEqual(again.ask(id=1, op="hello", protocol=1, token=token)["error"], "unauthenticated")
                self.assertEqual(again.ask(id=1, op="hello", protocol=1, token=fresh)["user"], "u")
            self.assertIn("not reloaded", daemon.log())

    def test_users_that_come_and_go_with_a_reload(self):
        token, hash_ = make_token()
        base = "channels: {c: {kind: bounded, capacity: 9}}\n"
        self.files.write(base)
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as early:
            early.send(id=1, op="take", channel="c")
            self.assertEqual(early.ask(id=2, op="ping")["status"], "ok")
            self.files.reload(daemon, lines_of({"u": {"token": hash_, "put": "c"}}) + base)
            self.assertEqual(early.receive()["error"], "unauthenticated")
            self.assertIsNone(early.receive())
            with Connection(daemon) as u:
                u.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(u.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
                self.files.reload(daemon, base)
                self.assertEqual(u.receive()["error"], "unauthenticated")
                self.assertIsNone(u.receive())
            with Connection(daemon) as anybody:
                self.assertEqual(anybody.ask(id=1, op="take", channel="c")["value"], 1)

    def test_withdrawn_rights_end_what_is_parked(self):
        token, hash_ = make_token()
        admin_token, admin_hash = make_token()
        base = "channels: {c: {kind: unbuffered}, d: {kind: unbuffered}, full: {kind: bounded, capacity: 1}}\n"
        admin = {"token": admin_hash, **{right: '"*"' for right in RIGHTS}}
        self.files.write(lines_of({"u": {"token": hash_, "take": "[c, d]", "put": "[d, full]"}, "admin": admin}) + base)
        with Daemon("-c", self.files.config, http="127.0.0.1:0") as daemon, Connection(daemon) as u, Connection(daemon) as other, Web(daemon) as web:
            self.assertEqual(u.ask(id=0, op="hello", protocol=1, token=token)["user"], "u")
            self.assertEqual(other.ask(id=0, op="hello", protocol=1, token=admin_token)["user"], "admin")
            self.assertEqual(u.ask(id=1, op="put", channel="full", value=1)["status"], "ok")
            u.send(id=2, op="take", channel="c")
            u.send(id=3, op="take", channel="c", count=5)
            u.send(id=4, op="alts", arms=[{"take": "d"}, {"take": "c"}])
            u.send(id=5, op="put", channel="full", value=2)
            u.send(op="put", channel="full", values=[3, 4])
            u.send(id=6, op="take", channel="d")
            web.send("POST", "/api/v1/channels/c/take", headers={**JSON, "Authorization": f"Bearer {token}"})
            while other.ask(id=1, op="stat", channel="c")["parked_takes"] < 4:
                pass
            self.files.reload(daemon, lines_of({"u": {"token": hash_, "take": "d", "put": "d"}, "admin": admin}) + base)
            denied = {}
            for _ in range(5):
                reply = u.receive()
                denied[reply["id"]] = {name: value for name, value in reply.items() if name not in ("id", "message")}
            denial = {"status": "error", "error": "denied"}
            self.assertEqual(denied, {
                2: {**denial, "right": "take", "channel": "c"},
                3: {**denial, "right": "take", "channel": "c", "left": 5},
                4: {**denial, "right": "take", "channel": "c"},
                5: {**denial, "right": "put", "channel": "full"},
                None: {**denial, "right": "put", "channel": "full", "accepted": 0},
            })
            answer = web.receive()
            self.assertEqual((answer.code, answer.json()["error"]), (403, "denied"))
            self.assertEqual(other.ask(id=2, op="put", channel="c", value=1, timeout_ms=0)["status"], "timeout")
            self.assertEqual(other.ask(id=3, op="put", channel="d", value="still mine")["status"], "ok")
            self.assertEqual(u.receive()["value"], "still mine")

    def test_who_was_let_in_without_users_is_nobody_when_they_come(self):
        # A young connection by TLS has a time in which to log in, though there is nobody to log in as yet.
        authority = Authority(self.files.directory)
        cert, key = authority.issue("daemon", "/CN=localhost", "DNS:localhost")
        token, hash_ = make_token()
        base = f"tls: {{cert: {cert}, key: {key}}}\nchannels: {{c: {{kind: unbuffered}}}}\n"
        users = lines_of({"u": {"token": hash_, "put": "c", "take": "c"}})
        self.files.write(base)
        with Daemon("-c", self.files.config, listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"]) as daemon:
            context = client_context(authority.cert)
            with TlsConnection(daemon.tls_port, context) as young, TlsConnection(daemon.tls_port, context) as second:
                for connection in (young, second):
                    connection.send(id=1, op="take", channel="c")
                    self.assertEqual(connection.ask(id=2, op="ping")["status"], "ok")
                self.files.reload(daemon, base + users)
                second.send(id=3, op="hello", protocol=1, token=token)
                for connection in (young, second):
                    self.assertEqual(connection.receive()["error"], "unauthenticated")
                    self.assertIsNone(connection.receive())
                with Connection(daemon) as u:
                    u.ask(id=1, op="hello", protocol=1, token=token)
                    self.assertEqual(u.ask(id=2, op="put", channel="c", value="secret", timeout_ms=0)["status"], "timeout")

    def test_a_stranger_who_had_a_time_without_users(self):
        # users, none, users: a stranger of the first time may do everything in the second, and is nobody in the third.
        token, hash_ = make_token()
        base = "channels: {c: {kind: unbuffered}}\n"
        users = lines_of({"u": {"token": hash_, "put": "c", "take": "c"}})
        self.files.write(base + users)
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as stranger:
            self.assertEqual(stranger.ask(id=1, op="take", channel="c")["error"], "unauthenticated")
            self.files.reload(daemon, base)
            stranger.send(id=2, op="take", channel="c")
            self.assertEqual(stranger.ask(id=3, op="ping")["status"], "ok")
            self.files.reload(daemon, base + users)
            stranger.send(id=4, op="hello", protocol=1, token=token)
            self.assertEqual(stranger.receive()["error"], "unauthenticated")
            self.assertIsNone(stranger.receive())
            with Connection(daemon) as u:
                u.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(u.ask(id=2, op="put", channel="c", value="secret", timeout_ms=0)["status"], "timeout")


if __name__ == "__main__":
    unittest.main()
