#!/usr/bin/env python3
"""Who may do what: every op by users with every right and without, over TCP, TLS and a Unix socket."""
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from secure import Authority, TlsConnection, client_context, make_token  # noqa: E402
from users import RIGHTS, Files, lines_of  # noqa: E402

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


if __name__ == "__main__":
    unittest.main()
