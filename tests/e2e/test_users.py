#!/usr/bin/env python3
"""Who may do what: every op by users with every right and without, over TCP, TLS and a Unix socket; limits of users; and reloads."""
import os
import random
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, Connection, Daemon, run  # noqa: E402
from web import JSON, Web  # noqa: E402
from secure import Authority, TlsConnection, client_context, make_token  # noqa: E402

RIGHTS = ("put", "take", "manage", "observe")
CHANNEL = {"kind": "bounded", "capacity": 4}

# What each request needs. All are about "c", which holds one value, or "c.new", which is not there.
OPS = [
    ({"op": "create", "channel": "c.new", **CHANNEL}, {"manage"}),
    ({"op": "create", "channel": "c", **CHANNEL}, {"manage"}),
    ({"op": "create", "channel": "c.new", "ephemeral": True, **CHANNEL}, {"manage"}),
    ({"op": "create", "channel": "c.new", "max_deliveries": 1, "dead_letter": "c", **CHANNEL}, {"manage", "put"}),
    ({"op": "create", "ephemeral": True, **CHANNEL}, set()),
    ({"op": "close", "channel": "c"}, {"manage"}),
    ({"op": "delete", "channel": "c", "force": True}, {"manage"}),
    ({"op": "alter", "channel": "c", "capacity": 9}, {"manage"}),
    ({"op": "alter", "channel": "c", "max_deliveries": 0, "dead_letter": None}, {"manage"}),
    ({"op": "put", "channel": "c", "value": 1}, {"put"}),
    ({"op": "put", "channel": "c", "value": 1, "delay_ms": 100000}, {"put"}),
    ({"op": "put", "channel": "c", "values": [1, 2]}, {"put"}),
    ({"op": "take", "channel": "c"}, {"take"}),
    ({"op": "take", "channel": "c", "max": 5}, {"take"}),
    ({"op": "take", "channel": "c", "lease_ms": 100000}, {"take"}),
    ({"op": "take", "channel": "c", "count": 1}, {"take"}),
    ({"op": "alts", "arms": [{"take": "c"}]}, {"take"}),
    ({"op": "alts", "arms": [{"put": "c", "value": 1}]}, {"put"}),
    ({"op": "alts", "arms": [{"take": "c"}, {"put": "c", "value": 1}]}, {"take", "put"}),
    ({"op": "alts", "arms": [{"put": "c", "value": 1}, {"take": "c"}], "priority": True}, {"take", "put"}),
    ({"op": "leases", "channel": "c"}, {"take"}),
    ({"op": "leases"}, set()),
    ({"op": "move", "from": "c"}, {"take"}),
    ({"op": "peek", "channel": "c"}, {"observe"}),
    ({"op": "stat", "channel": "c"}, {"observe"}),
    ({"op": "waiters", "channel": "c"}, {"observe"}),
    ({"op": "waiters"}, set()),
    ({"op": "list"}, set()),
    ({"op": "ping"}, set()),
    ({"op": "hello", "protocol": 1}, set()),
]

USERS = {"none": set(), "all": set(RIGHTS)}
USERS.update({f"only-{right}": {right} for right in RIGHTS})
USERS.update({f"no-{right}": set(RIGHTS) - {right} for right in RIGHTS})


def lines_of(users):
    """YAML of users: {name: {key: value}}; lists as YAML has them."""
    return "users:\n" + "".join(
        f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in members.items()) for name, members in users.items())


class Files:
    """A configuration in a directory of its own, with certificates."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="millrace-users.")
        self.config = os.path.join(self.directory, "c.yaml")

    def write(self, text, mode=0o600):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.config, mode)
        return self.config

    def remove(self):
        shutil.rmtree(self.directory)


class Rights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = Files()
        authority = Authority(cls.files.directory)
        cert, key = authority.issue("daemon", "/CN=localhost", "DNS:localhost")
        cls.context = client_context(authority.cert)
        cls.tokens, users = {}, {}
        for name, rights in USERS.items():
            cls.tokens[name], users[name] = make_token()
            users[name] = {"token": users[name], **{right: '[c, "c.*"]' for right in rights}}
        cls.tokens["admin"], hash_ = make_token()
        users["admin"] = {"token": hash_, **{right: '["*", "_*"]' for right in RIGHTS}}
        cls.files.write(f"tls: {{cert: {cert}, key: {key}}}\n" + lines_of(users))
        socket_path = os.path.join(cls.files.directory, "m.sock")
        cls.daemon = Daemon("-c", cls.files.config, listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0", f"unix://{socket_path}"])
        cls.ways = {
            "tcp": lambda: Connection(cls.daemon.port),
            "tls": lambda: TlsConnection(cls.daemon.tls_port, cls.context),
            "unix": lambda: Connection(socket_path),
        }
        cls.admin = cls.login("tcp", "admin")

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()
        status = cls.daemon.stop()
        cls.files.remove()
        assert status == 0, cls.daemon.log()

    @classmethod
    def login(cls, way, user):
        connection = cls.ways[way]()
        reply = connection.ask(id=1, op="hello", protocol=1, token=cls.tokens[user])
        assert reply["status"] == "ok" and reply["user"] == user, reply
        return connection

    def prepare(self):
        """Every try begins with the same channels."""
        self.admin.ask(id=1, op="delete", channel="c.new", force=True)
        self.admin.ask(id=1, op="delete", channel="c", force=True)
        self.admin.ask(id=1, op="create", channel="c", **CHANNEL)
        self.admin.ask(id=1, op="put", channel="c", value="there")
        return self.everything()

    def everything(self):
        return [self.admin.ask(id=1, op="list"), self.admin.ask(id=1, op="waiters"), self.admin.ask(id=1, op="peek", channel="c", max=9)]

    def test_every_op_by_every_user_over_every_way(self):
        tries = 0
        for way in self.ways:
            for user, rights in USERS.items():
                with self.login(way, user) as connection:
                    for request, needed in OPS:
                        before = self.prepare()
                        reply = connection.ask(id=7, **request)
                        what = f"{user} over {way}: {request}: {reply}"
                        if needed <= rights:
                            self.assertEqual((reply["status"], reply["id"]), ("ok", 7), what)
                        else:
                            self.assertEqual((reply["status"], reply["error"]), ("error", "denied"), what)
                            self.assertIn(reply["right"], needed - rights, what)
                            self.assertIn(f'{reply["right"]} on "{reply["channel"]}"', reply["message"], what)
                            self.assertEqual(before, self.everything(), what)
                        if "value" in reply and "lease" not in reply:
                            self.assertEqual(reply["value"], "there")
                        if "lease" in reply:
                            self.assertEqual(connection.ask(id=8, op="ack", lease=reply["lease"])["status"], "ok")
                        tries += 1
        self.assertEqual(tries, 3 * len(USERS) * len(OPS))

    def test_what_is_not_there_looks_the_same(self):
        self.prepare()
        with self.login("tcp", "none") as connection:
            for request, needed in OPS:
                if needed and request.get("channel") == "c":
                    there, nowhere = (str(connection.ask(id=1, **{**request, "channel": channel})) for channel in ("c", "n"))
                    self.assertEqual(there.replace("'c'", "'n'").replace('"c"', '"n"'), nowhere)

    def test_a_put_without_id_is_told_by_its_channel(self):
        self.prepare()
        with self.login("unix", "only-take") as connection:
            connection.send(op="put", channel="c", value=1)
            reply = connection.receive()
            self.assertEqual((reply["id"], reply["error"], reply["channel"], reply["right"]), (None, "denied", "c", "put"))

    def test_a_group_is_moved_by_who_may_manage_a_channel_of_its_name(self):
        with self.login("tcp", "all") as connection:
            reply = connection.ask(id=1, op="cluster", group="orders", to="b")
            self.assertEqual((reply["error"], reply["right"], reply["channel"]), ("denied", "manage", "{orders}"))
            self.assertEqual(connection.ask(id=2, op="cluster")["error"], "bad_request")  # everybody may look: there is no cluster
        self.assertEqual(self.admin.ask(id=1, op="cluster", group="orders", to="b")["error"], "bad_request")

    def test_alts_need_the_right_for_every_arm(self):
        before = self.prepare()
        with self.login("tcp", "only-take") as connection:
            for arms, arm in (([{"take": "c"}, {"put": "c", "value": 1}], 1), ([{"put": "c", "value": 1}, {"take": "c"}], 0),
                              ([{"take": "c"}, {"take": "other"}], 1), ([{"take": "c"}, {"take": "c"}, {"take": "nowhere"}], 2)):
                reply = connection.ask(id=1, op="alts", arms=arms, priority=True)
                self.assertEqual(reply["error"], "denied")
                self.assertIn(f"arm {arm}, ", reply["message"])
                self.assertEqual(before, self.everything())

    def test_a_move_needs_to_put_where_values_go(self):
        self.prepare()
        self.admin.ask(id=1, op="create", channel="c.bad", kind="bounded", capacity=9)
        self.admin.ask(id=2, op="create", channel="c.src", kind="bounded", capacity=9, max_deliveries=1, dead_letter="c.bad")
        self.admin.ask(id=3, op="put", channel="c.src", value="x")
        lease = self.admin.ask(id=4, op="take", channel="c.src", lease_ms=100000)["lease"]
        self.assertEqual(self.admin.ask(id=5, op="nack", lease=lease)["status"], "ok")
        with self.login("tcp", "only-take") as taker, self.login("tcp", "no-observe") as both:
            for members, channel in (({"to": "c"}, "c"), ({}, "c.src")):
                reply = taker.ask(id=1, op="move", **{"from": "c.bad", **members})
                self.assertEqual((reply["error"], reply["right"], reply["channel"]), ("denied", "put", channel))
            self.assertEqual(both.ask(id=2, op="move", **{"from": "c.bad"})["moved"], 1)
        for channel in ("c.src", "c.bad"):
            self.admin.ask(id=6, op="delete", channel=channel, force=True)

    def test_leases_of_others_are_not_shown(self):
        self.prepare()
        self.admin.ask(id=1, op="create", channel="hidden", kind="bounded", capacity=9)
        self.admin.ask(id=2, op="put", channel="hidden", value="x")
        lease = self.admin.ask(id=3, op="take", channel="hidden", lease_ms=100000)["lease"]
        self.admin.ask(id=4, op="put", channel="c", value="y")
        mine = self.admin.ask(id=5, op="take", channel="c", lease_ms=100000)["lease"]
        self.assertEqual({row["channel"] for row in self.admin.ask(id=6, op="leases")["leases"]}, {"c", "hidden"})
        with self.login("tcp", "only-take") as taker:
            rows = taker.ask(id=1, op="leases")["leases"]
            self.assertEqual([row["channel"] for row in rows], ["c"])
            self.assertEqual((rows[0]["values"], rows[0]["deliveries"], rows[0]["sticky"]), (1, 1, False))
            self.assertEqual(taker.ask(id=2, op="leases", channel="hidden")["error"], "denied")
        with self.login("tcp", "only-put") as putter:
            self.assertEqual(putter.ask(id=1, op="leases")["leases"], [])
        for token in (lease, mine):
            self.admin.ask(id=7, op="ack", lease=token)
        self.admin.ask(id=8, op="delete", channel="hidden", force=True)

    def test_only_what_may_be_seen_is_listed(self):
        self.prepare()
        for name in ("secret", "c.visible"):
            self.admin.ask(id=1, op="create", channel=name, kind="unbuffered")
        self.admin.send(id=70, op="take", channel="secret")
        self.admin.send(id=71, op="alts", arms=[{"take": "secret"}, {"take": "c.visible"}])
        self.assertEqual(self.admin.ask(id=1, op="ping")["status"], "ok")
        with self.login("tcp", "only-observe") as connection, self.login("tcp", "only-put") as blind:
            self.assertEqual([row["channel"] for row in connection.ask(id=1, op="list")["channels"]], ["c", "c.visible"])
            self.assertEqual([row["channel"] for row in connection.ask(id=1, op="list", match="s*")["channels"]], [])
            rows = connection.ask(id=1, op="waiters")["waiters"]
            self.assertEqual([(row["request"], row["arms"], row["user"]) for row in rows], [(71, [{"take": "c.visible"}], "admin")])
            self.assertEqual(connection.ask(id=1, op="waiters", channel="c.visible")["waiters"][0]["arms"], [{"take": "c.visible"}])
            self.assertEqual((blind.ask(id=1, op="list")["channels"], blind.ask(id=1, op="waiters")["waiters"]), ([], []))
        for name in ("secret", "c.visible"):
            self.admin.send(id=1, op="delete", channel=name)
        self.assertEqual(sorted(self.admin.receive()["status"] for _ in range(4)), ["closed", "closed", "ok", "ok"])

    def test_a_reply_channel_is_its_creators_and_everybody_puts_to_it(self):
        with self.login("tcp", "none") as creator, self.login("unix", "only-put") as other, self.login("tls", "all") as powerful:
            name = creator.ask(id=1, op="create", ephemeral=True, **CHANNEL)["channel"]
            self.assertEqual(other.ask(id=1, op="put", channel=name, value="answer")["status"], "ok")
            for request in ({"op": "take"}, {"op": "stat"}, {"op": "peek"}, {"op": "close"}, {"op": "delete", "force": True}, {"op": "waiters"}):
                for connection in (other, powerful):
                    self.assertEqual(connection.ask(id=1, channel=name, **request)["error"], "denied", request)
            self.assertEqual(powerful.ask(id=1, op="list", match="_*")["channels"], [])
            self.assertEqual(creator.ask(id=1, op="stat", channel=name)["buffered"], 1)
            self.assertEqual(creator.ask(id=1, op="take", channel=name)["value"], "answer")
            self.assertEqual([row["channel"] for row in creator.ask(id=1, op="list")["channels"]], [name])
            self.assertEqual(self.admin.ask(id=1, op="stat", channel=name)["status"], "ok")  # "_*" is asked for expressly
            with self.login("tcp", "none") as same:
                self.assertEqual(same.ask(id=1, op="stat", channel=name)["status"], "ok")
            self.assertEqual(creator.ask(id=1, op="delete", channel=name)["status"], "ok")
            self.assertEqual(creator.ask(id=1, op="create", **CHANNEL)["error"], "denied")  # it would stay

    def test_a_lease_is_whose_token_is_known(self):
        self.prepare()
        with self.login("tcp", "only-take") as taker, self.login("tcp", "none") as other:
            lease = taker.ask(id=1, op="take", channel="c", lease_ms=100000)["lease"]
            self.assertEqual(other.ask(id=1, op="extend", lease=lease, lease_ms=100000)["status"], "ok")
            self.assertEqual(other.ask(id=1, op="ack", lease=lease)["status"], "ok")
            for op in ({"op": "ack"}, {"op": "nack"}, {"op": "extend", "lease_ms": 1}):
                self.assertEqual(other.ask(id=1, lease="0" * 32, **op)["error"], "no_such_lease")
            self.assertEqual(other.ask(id=1, op="cancel", request=4)["error"], "no_such_request")

    def test_before_hello_only_hello_and_ping(self):
        before = self.prepare()
        for way, connect in self.ways.items():
            with connect() as connection:
                self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")
                for request, _ in OPS:
                    if request["op"] not in ("hello", "ping"):
                        self.assertEqual(connection.ask(id=2, **request)["error"], "unauthenticated", way)
                for request in ({"op": "ack"}, {"op": "nack"}, {"op": "extend", "lease_ms": 1}):
                    self.assertEqual(connection.ask(id=2, lease="0" * 32, **request)["error"], "unauthenticated")
                self.assertEqual(connection.ask(id=2, op="cancel", request=1)["error"], "unauthenticated")
                connection.send(op="put", channel="c", value=1)
                reply = connection.receive()
                self.assertEqual((reply["id"], reply["error"]), (None, "unauthenticated"))
                self.assertEqual(connection.ask(id=3, op="hello", protocol=1)["error"], "unauthenticated")
        self.assertEqual(before, self.everything())

    def test_wrong_tokens(self):
        good = self.tokens["all"]
        seed = int(os.environ.get("MILLRACE_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        wrong = ["", "x", good[:-1], good + "0", good.upper(), good[4:], " " + good, "mrt_" + "0" * 32 + "_" + "0" * 64, good[:36] + "_" + "0" * 64,
                 "x" * 60000, "\0", good + "\0", self.tokens["none"][:37] + good[37:]]
        for _ in range(300):
            at, byte = chance.randrange(len(good)), chance.choice("0123456789abcdefg_-\u00e9\0")
            wrong.append(good[:at] + byte + good[at + 1:] if chance.random() < 0.7 else good[:at])
        with self.ways["tcp"]() as connection:
            for token in wrong:
                if token != good:
                    reply = connection.ask(id=1, op="hello", protocol=1, token=token)
                    self.assertEqual((reply["error"], reply["message"]), ("unauthenticated", "say hello with a valid token first"), token)
            self.assertEqual(connection.ask(id=1, op="hello", protocol=1, token=good)["user"], "all")
            self.assertEqual(connection.ask(id=1, op="hello", protocol=1)["user"], "all")  # once is enough
            self.assertEqual(connection.ask(id=1, op="hello", protocol=1, token=self.tokens["none"])["error"], "unauthenticated")
            self.assertEqual(connection.ask(id=1, op="take", channel="n", timeout_ms=0)["error"], "denied")
        log = self.daemon.log()
        self.assertNotIn("mrt_", log)
        self.assertNotIn(good[37:], log)

    def test_a_strangers_frame_is_small(self):
        with self.ways["tcp"]() as connection:
            reply = connection.ask(id=1, op="hello", protocol=1, token="x" * 70000)
            self.assertEqual(reply["error"], "frame_too_large")
        with self.login("tcp", "all") as connection:
            self.prepare()
            self.assertEqual(connection.ask(id=1, op="put", channel="c", value="x" * 500000)["status"], "ok")


class Others(unittest.TestCase):
    def setUp(self):
        self.files = Files()
        self.addCleanup(self.files.remove)

    def reload(self, daemon, text):
        before = daemon.log().count("reloaded")
        self.files.write(text)
        daemon.kill(signal.SIGHUP)
        with daemon.changed:
            self.assertTrue(daemon.changed.wait_for(lambda: "".join(daemon.lines).count("reloaded") > before or daemon.ended, DEADLINE_S))

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
            self.assertEqual(a.ask(id=2, op="create", channel="c.1", **CHANNEL)["status"], "ok")
            with Connection(daemon) as b:
                b.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(b.ask(id=2, op="create", ephemeral=True, **CHANNEL)["status"], "ok")
                for more in ({"channel": "c.2"}, {"ephemeral": True}, {"channel": "c.3", "ephemeral": True}):
                    reply = a.ask(id=3, op="create", **more, **CHANNEL)
                    self.assertEqual(reply["error"], "overloaded")
                    self.assertIn("max_channels of this user", reply["message"])
                self.assertFalse(a.ask(id=4, op="create", channel="c.1", **CHANNEL)["created"])  # it is there
                self.assertEqual(admin.ask(id=2, op="create", channel="mine", **CHANNEL)["status"], "ok")
                self.reload(daemon, lines_of({**users, "u": {"token": hash_, **rights, "max_channels": 3}}))
                self.assertEqual(a.ask(id=5, op="create", channel="c.2", **CHANNEL)["status"], "ok")
                self.assertEqual(a.ask(id=6, op="create", channel="c.3", **CHANNEL)["error"], "overloaded")
            while a.ask(id=7, op="create", channel="c.3", **CHANNEL)["status"] != "ok":  # until the end of b is seen
                pass
            self.assertEqual(admin.ask(id=3, op="delete", channel="c.1")["status"], "ok")
            self.assertEqual(a.ask(id=8, op="create", channel="c.4", **CHANNEL)["status"], "ok")
            self.reload(daemon, lines_of({"admin": users["admin"]}))  # the user goes, the channels stay
            self.reload(daemon, lines_of(users))
            with Connection(daemon) as again:
                again.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(again.ask(id=2, op="create", channel="c.5", **CHANNEL)["error"], "overloaded")

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
            self.reload(daemon, lines_of({"u": {"token": hash_, "take": "c"}, "v": {"token": second_hash, "put": "c"}}) + base)
            self.assertEqual(u.ask(id=4, op="put", channel="c", value=1)["error"], "denied")
            self.assertEqual(u.ask(id=5, op="take", channel="c")["value"], 1)
            u.send(id=6, op="take", channel="c")
            self.assertEqual(u.ask(id=7, op="ping")["status"], "ok")
            fresh, fresh_hash = make_token()
            self.reload(daemon, lines_of({"u": {"token": fresh_hash, "take": "c"}, "v": {"token": second_hash, "put": "c"}}) + base)
            reply = u.receive()  # its token is not one any more
            self.assertEqual((reply["id"], reply["error"]), (None, "unauthenticated"))
            self.assertIsNone(u.receive())
            self.assertEqual(v.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
            self.reload(daemon, "users: {u: {}}\n")  # refused: everything stays
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
            self.reload(daemon, lines_of({"u": {"token": hash_, "put": "c"}}) + base)
            self.assertEqual(early.receive()["error"], "unauthenticated")
            self.assertIsNone(early.receive())
            with Connection(daemon) as u:
                u.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(u.ask(id=2, op="put", channel="c", value=1)["status"], "ok")
                self.reload(daemon, base)
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
            self.reload(daemon, lines_of({"u": {"token": hash_, "take": "d", "put": "d"}, "admin": admin}) + base)
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
                self.reload(daemon, base + users)
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
            self.reload(daemon, base)
            stranger.send(id=2, op="take", channel="c")
            self.assertEqual(stranger.ask(id=3, op="ping")["status"], "ok")
            self.reload(daemon, base + users)
            stranger.send(id=4, op="hello", protocol=1, token=token)
            self.assertEqual(stranger.receive()["error"], "unauthenticated")
            self.assertIsNone(stranger.receive())
            with Connection(daemon) as u:
                u.ask(id=1, op="hello", protocol=1, token=token)
                self.assertEqual(u.ask(id=2, op="put", channel="c", value="secret", timeout_ms=0)["status"], "timeout")

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
