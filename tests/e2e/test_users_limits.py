#!/usr/bin/env python3
"""How users come in, what each may have, and what of that is told: limits, rates, files, the log, the account."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon, run  # noqa: E402
from secure import make_token  # noqa: E402
from users import RIGHTS, Files, lines_of  # noqa: E402


class Limits(unittest.TestCase):
    def setUp(self):
        self.files = Files()
        self.addCleanup(self.files.remove)

    def test_a_uid_at_a_unix_socket(self):
        me = os.getuid()
        self.files.write(lines_of({"me": {"uid": me, "put": "c"}, "other": {"uid": me + 1}}))
        with Daemon("-c", self.files.config) as daemon:
            with Connection(daemon.socket_path) as local, Connection(daemon) as remote:
                self.assertEqual(local.ask(id=1, op="put", channel="c", value=1)["error"], "unauthenticated")  # hello it has to say
                self.assertEqual(local.ask(id=1, op="hello", protocol=1)["user"], "me")
                self.assertEqual(local.ask(id=1, op="put", channel="c", value=1)["error"], "no_such_channel")
                self.assertEqual(remote.ask(id=1, op="hello", protocol=1)["error"], "unauthenticated")

    def test_late_for_hello(self):
        token, hash_ = make_token()
        self.files.write(lines_of({"u": {"token": hash_}}) + "limits: {max_login_ms: 100ms}\n")
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as known:
            self.assertEqual(known.ask(id=1, op="hello", protocol=1, token=token)["status"], "ok")
            with Connection(daemon) as late:
                self.assertEqual(late.ask(id=1, op="ping")["status"], "ok")
                reply = late.receive()
                self.assertEqual((reply["id"], reply["error"]), (None, "unauthenticated"))
                self.assertIsNone(late.receive())
            self.assertEqual(known.ask(id=2, op="ping")["status"], "ok")

    def test_limits_of_a_user(self):
        token, hash_ = make_token()
        other_token, other_hash = make_token()
        every = {right: '"*"' for right in RIGHTS}
        self.files.write(lines_of({
            "u": {"token": hash_, **every, "max_connections": 2, "max_inflight": 3, "max_memory": "100KiB"},
            "other": {"token": other_hash, **every}}) + "channels: {c: {kind: bounded, capacity: 100}, e: {kind: unbuffered}}\n")
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as a, Connection(daemon) as b, Connection(daemon) as other:
            hello = {"id": 1, "op": "hello", "protocol": 1, "token": token}
            self.assertEqual([a.ask(**hello)["status"], b.ask(**hello)["status"]], ["ok", "ok"])
            with Connection(daemon) as c:
                reply = c.ask(**hello)
                self.assertEqual(reply["error"], "overloaded")
                self.assertIn("max_connections", reply["message"])
                self.assertEqual(c.ask(id=1, op="list")["error"], "unauthenticated")
            other.ask(**{**hello, "token": other_token})

            a.send(id=2, op="take", channel="e")
            a.send(id=3, op="take", channel="e", count=5)
            self.assertEqual(a.ask(id=4, op="ping")["status"], "ok")
            b.send(id=2, op="alts", arms=[{"take": "e"}, {"take": "e"}])
            self.assertEqual(b.ask(id=3, op="take", channel="e")["error"], "too_many_inflight")
            self.assertEqual(b.ask(id=3, op="take", channel="e", timeout_ms=0)["status"], "timeout")
            a.send(id=5, op="cancel", request=2)
            self.assertEqual([a.receive()["status"], a.receive()["status"]], ["cancelled", "ok"])
            b.send(id=3, op="take", channel="e", timeout_ms=1)
            self.assertEqual(b.receive()["status"], "timeout")

            big = "x" * 60000
            once = {"op": "put", "channel": "c", "value": big, "producer": "p", "seq": 1}
            self.assertEqual(a.ask(id=6, **once)["status"], "ok")
            self.assertEqual(b.ask(id=6, **once), {"id": 6, "status": "ok", "duplicate": True})  # it takes no room
            self.assertIn("max_memory of user", b.ask(id=6, **{**once, "seq": 2})["message"])
            for request in ({"op": "put", "channel": "c", "value": big}, {"op": "put", "channel": "c", "values": [1, big]},
                            {"op": "alts", "arms": [{"put": "c", "value": big}]}):
                reply = b.ask(id=7, **request)
                self.assertEqual(reply["error"], "overloaded")
                self.assertIn("max_memory of user", reply["message"])
            self.assertEqual(other.ask(id=1, op="put", channel="c", value=big)["status"], "ok")
            self.assertEqual(b.ask(id=8, op="put", channel="c", value="small")["status"], "ok")
            self.assertEqual(other.ask(id=2, op="take", channel="c")["value"], big)  # whoever takes it gives the room back
            self.assertEqual(b.ask(id=9, op="put", channel="c", value=big)["status"], "ok")

    def test_how_many_channels_a_user_may_create(self):
        token, hash_ = make_token()
        admin_token, admin_hash = make_token()
        rights = {"manage": '"c.*"'}
        users = {"u": {"token": hash_, **rights, "max_channels": 2}, "admin": {"token": admin_hash, "manage": '"*"'}}
        self.files.write(lines_of(users))
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as a, Connection(daemon) as admin:
            a.ask(id=1, op="hello", protocol=1, token=token)
            admin.ask(id=1, op="hello", protocol=1, token=admin_token)
            self.assertEqual(a.ask(id=2, op="create", channel="c.1", kind="bounded", capacity=4)["status"], "ok")
            with Connection(daemon) as b:
                b.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(b.ask(id=2, op="create", ephemeral=True, kind="bounded", capacity=4)["status"], "ok")
                for more in ({"channel": "c.2"}, {"ephemeral": True}, {"channel": "c.3", "ephemeral": True}):
                    reply = a.ask(id=3, op="create", **more, kind="bounded", capacity=4)
                    self.assertEqual(reply["error"], "overloaded")
                    self.assertIn("max_channels of this user", reply["message"])
                self.assertFalse(a.ask(id=4, op="create", channel="c.1", kind="bounded", capacity=4)["created"])  # it is there
                self.assertEqual(admin.ask(id=2, op="create", channel="mine", kind="bounded", capacity=4)["status"], "ok")
                self.files.reload(daemon, lines_of({**users, "u": {"token": hash_, **rights, "max_channels": 3}}))
                self.assertEqual(a.ask(id=5, op="create", channel="c.2", kind="bounded", capacity=4)["status"], "ok")
                self.assertEqual(a.ask(id=6, op="create", channel="c.3", kind="bounded", capacity=4)["error"], "overloaded")
            while a.ask(id=7, op="create", channel="c.3", kind="bounded", capacity=4)["status"] != "ok":  # until the end of b is seen
                pass
            self.assertEqual(admin.ask(id=3, op="delete", channel="c.1")["status"], "ok")
            self.assertEqual(a.ask(id=8, op="create", channel="c.4", kind="bounded", capacity=4)["status"], "ok")
            self.files.reload(daemon, lines_of({"admin": users["admin"]}))  # the user goes, the channels stay
            self.files.reload(daemon, lines_of(users))
            with Connection(daemon) as again:
                again.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(again.ask(id=2, op="create", channel="c.5", kind="bounded", capacity=4)["error"], "overloaded")

    def test_strangers_go_first_when_the_buffers_are_full(self):
        token, hash_ = make_token()
        self.files.write(lines_of({"u": {"token": hash_, "put": "c"}}) + "limits: {max_buffers: 3MiB}\nchannels: {c: {kind: bounded, capacity: 9}}\n")
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as user:
            user.ask(id=1, op="hello", protocol=1, token=token)
            frame = Connection.frame({"id": 2, "op": "put", "channel": "c", "value": "x" * 300000})
            user.socket.sendall(frame[:-1])  # it stands still the longest, and holds most
            part = (60000).to_bytes(4, "big") + b"x" * 50000
            strangers = []
            for _ in range(80):
                strangers.append(Connection(daemon))
                strangers[-1].socket.sendall(part)
                with Connection(daemon) as witness:
                    self.assertEqual(witness.ask(id=1, op="ping")["status"], "ok")
            refusal = strangers[0].receive()
            self.assertEqual((refusal["id"], refusal["error"]), (None, "overloaded"))
            self.assertIn("max_buffers", refusal["message"])
            user.socket.sendall(frame[-1:])
            self.assertEqual(user.receive(), {"id": 2, "status": "ok"})
            for stranger in strangers:
                stranger.close()

    def test_a_users_rate(self):
        token, hash_ = make_token()
        self.files.write(lines_of({"u": {"token": hash_, **{right: '"*"' for right in RIGHTS}, "max_requests_per_s": 5}}) +
                         "channels: {c: {kind: sliding, capacity: 1}}\n")
        with Daemon("-c", self.files.config) as daemon, Connection(daemon) as a, Connection(daemon) as b:
            for connection in (a, b):
                connection.ask(id=1, op="hello", protocol=1, token=token)
            replies = [connection.ask(id=i, op="put", channel="c", value=i) for i in range(50) for connection in (a, b)]
            refused = [reply for reply in replies if reply["status"] == "error"]
            self.assertGreater(len(refused), 50)
            self.assertGreaterEqual(len(replies) - len(refused), 5)
            for reply in refused:
                self.assertEqual(reply["error"], "overloaded")
                self.assertIn("max_requests_per_s", reply["message"])
                self.assertTrue(1 <= reply["retry_ms"] <= 200, reply)
            self.assertEqual(a.ask(id=1, op="ping")["status"], "ok")  # never counted
            a.send(op="put", channel="c", value=1)
            while (reply := a.ask(id=3, op="stat", channel="c"))["status"] == "error":
                if reply["id"] is None:
                    self.assertEqual((reply["channel"], reply["error"]), ("c", "overloaded"))

    def test_files_that_everybody_can_read(self):
        _, hash_ = make_token()
        users = lines_of({"u": {"token": hash_}})
        self.files.write(users, 0o644)
        refused = run("--check", "-c", self.files.config)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("everybody can read it", refused.stderr)
        self.files.write(lines_of({"u": {"uid": 1}}), 0o644)
        self.assertEqual(run("--check", "-c", self.files.config).returncode, 0)
        path = os.path.join(self.files.directory, "users.yaml")
        self.files.write(f"users_file: {path}\n" + lines_of({"v": {"uid": 1}}), 0o644)
        for text, mode, expected in ((users, 0o644, "everybody can read it"), (users, 0o640, None), (lines_of({"v": {"uid": 2}}), 0o640, "have the same name"),
                                     ("channels: {}\n", 0o640, "unknown key"), ("", 0o640, None)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, mode)
            done = run("--check", "-c", self.files.config)
            self.assertEqual(done.returncode, 1 if expected else 0, done.stderr)
            self.assertIn(expected or "", done.stderr)

    def test_what_is_open_is_logged(self):
        _, hash_ = make_token()
        self.files.write(lines_of({"u": {"token": hash_}}))
        with Daemon("-c", self.files.config) as daemon:
            self.assertIn("open: tcp://127.0.0.1:0, to users, by token", daemon.log())
            self.assertIn("to users, by token or uid", daemon.log())
        with Daemon("--set", "insecure=true", listen=["tcp://0.0.0.0:0"]) as daemon:
            self.assertIn("EVERYBODY WHO CAN REACH IT", daemon.log())

    @unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
    def test_root_becomes_the_user(self):
        with Daemon("--set", "user=nobody", listen=["tcp://127.0.0.1:0"]) as daemon, Connection(daemon) as connection:
            self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")
            with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
                ids = next(line.split()[1:] for line in file if line.startswith("Uid:"))
            self.assertNotIn("0", ids)
        with Daemon("--set", "user=nobody") as daemon:
            self.assertEqual(os.stat(daemon.socket_path).st_uid, int(ids[0]))
        refused = run("--listen", "tcp://127.0.0.1:0", "--http", "none", "--set", "user=no-such-account")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("no account", refused.stderr)


if __name__ == "__main__":
    unittest.main()
