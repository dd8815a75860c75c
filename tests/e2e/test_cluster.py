#!/usr/bin/env python3
"""Daemons that share channels, on three real etcd nodes: whatever dies, stands still, or is parted from the others, nothing that was answered is lost, and nothing plainly taken is given twice.

MILLRACE_FAILURES says how often each kind of failure strikes where it may be repeated (once if nothing does): `make soak-cluster` has it high."""
import http.client
import http.server
import json
import os
import re
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from tests.lib.cluster import Broken, Cluster, Load, pause  # noqa: E402
from tests.lib.etcd import Etcd  # noqa: E402
from tests.lib.history import History  # noqa: E402
from tests.lib.millraced import DEADLINE_S, Connection, run  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from secure import make_token  # noqa: E402

FAILURES = int(os.environ.get("MILLRACE_FAILURES") or 1)
DURABLE = {"kind": "bounded", "capacity": 100000, "durable": True}
CHANNELS = {"{a}.q": DURABLE, "{b}.q": DURABLE}
GROUPS = {"a": "a", "b": "b"}


class Checker(unittest.TestCase):
    """It finds what it is there to find."""

    def setUp(self):
        self.history = History()
        for number in range(3):
            self.history.ask_put(("p", number))
            self.history.did_put(("p", number))

    def faults(self, taken, left=()):
        for number in taken:
            self.history.took("c", ("p", number))
        self.history.left += [("p", number) for number in left]
        return " ".join(self.history.faults())

    def test_all_is_well(self):
        self.assertEqual(self.faults([0, 1], [2]), "")

    def test_one_is_lost(self):
        self.assertIn("1 values are lost", self.faults([0, 2]))

    def test_one_may_be_lost_by_a_take_without_an_answer(self):
        self.history.take_without_answer()
        self.assertEqual(self.faults([0, 2]), "")

    def test_one_comes_twice(self):
        self.assertIn("('p', 1) was given 2 times", self.faults([0, 1], [1, 2]))

    def test_one_comes_from_nowhere(self):
        self.assertIn("nobody had put it", self.faults([0, 1, 2, 3]))

    def test_order(self):
        self.assertIn("c was given 1 of p behind 2", self.faults([0, 2, 1]))


class WithEtcd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.etcd = Etcd(3)
        cls.addClassCleanup(cls.etcd.end)

    def setUp(self):
        self.prefix = f"/{self.id().rsplit('.', 1)[1]}"

    def cluster(self, **options):
        cluster = Cluster(self.etcd, **{"groups": GROUPS, "channels": CHANNELS, "prefix": self.prefix, **options})
        cluster.__enter__()
        self.addCleanup(lambda: cluster.__exit__(*((None,) if not self.has_failed() else (True,))))
        return cluster

    def has_failed(self):
        outcome = self._outcome.result
        return any(test is self for test, _ in outcome.failures + outcome.errors)

    def is_ready(self, member):
        """As a probe would ask: no answer is one too, as while the daemon does not know whether it may give any."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{member.http_port}/readyz", timeout=1) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            error.close()
            self.assertEqual(error.code, 503)
        except (OSError, http.client.HTTPException):
            pass
        return False

    def assert_turns_away(self, member):
        """Once it has lost its place: who connects is told so at once, and goes to another daemon."""
        end = time.monotonic() + DEADLINE_S
        while True:
            with Connection(member.port) as connection:
                told = connection.receive()  # None: it was there still when the place was lost
            if told:
                self.assertEqual((told["id"], told["error"]), (None, "unavailable"))
                self.assertIn("not joined its cluster yet", told["message"])
                return
            self.assertLess(time.monotonic(), end, member.log())

    def wait_until_ready(self, member, is_ready=True):
        end = time.monotonic() + DEADLINE_S
        while self.is_ready(member) != is_ready:
            self.assertLess(time.monotonic(), end, member.log())
            pause(0.02)


class Service(WithEtcd):
    def test_groups_are_where_the_configuration_has_them_and_any_address_will_do(self):
        cluster = self.cluster()
        # Whoever was up first has taken both; they go home when those who shall have them have been up for a while.
        for channel, name in (("{a}.q", "a"), ("{b}.q", "b")):
            end = time.monotonic() + DEADLINE_S
            while cluster.owner(channel).name != name:
                self.assertLess(time.monotonic(), end, cluster.logs())
                pause(0.05)
        with cluster.client("c") as client:
            self.assertEqual(client.ask("put", channel="{a}.q", value=1)["status"], "ok")
            self.assertEqual((client.n_moved, client.port), (1, cluster["a"].port))
            self.assertIn("cluster", client.ask("hello", protocol=1)["features"])
            reply = client.ask("alts", arms=[{"take": "{a}.q"}, {"take": "{b}.q"}], timeout_ms=0)
            self.assertEqual(reply["error"], "cross_group")
        for member in cluster.members.values():
            self.wait_until_ready(member)

    def test_a_rolling_restart_loses_nothing(self):
        cluster = self.cluster()
        with Load(cluster, CHANNELS) as load:
            for name in "abc":
                load.wait_more(50)
                daemon = cluster[name].daemon
                self.assertEqual(daemon.stop(), 0, daemon.log())
                load.wait_more(50)
                cluster.start(name)
            load.wait_more(50)

    def test_groups_are_brought_about_by_who_may_create_and_by_the_configuration(self):
        tokens = {name: make_token() for name in ("least", "manager")}
        rights = {"least": {"take": ["*"], "put": ["*"], "observe": ["*"]}, "manager": {"manage": ["{made}*"], "put": ["*"]}}
        cluster = self.cluster(channels={**CHANNELS, "{c}.q": DURABLE}, users={name: {"token": tokens[name][1], **rights[name]} for name in tokens})

        def ask(user, member, method, path, body=None):
            headers = {"Authorization": f"Bearer {tokens[user][0]}", "Content-Type": "application/json"}
            port = member.http_port
            end = time.monotonic() + DEADLINE_S
            while time.monotonic() < end:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                response = connection.getresponse()
                reply = json.loads(response.read() or '{"status": "ok"}')
                connection.close()
                if response.status == 307:
                    port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", response.getheader("Location")).groups()
                elif reply.get("error") == "unavailable":
                    pause(reply["retry_ms"] / 1000)
                else:
                    return reply.get("error", reply["status"])
            raise AssertionError(cluster.logs())

        for i, member in enumerate(cluster.members.values()):
            self.assertEqual(ask("least", member, "GET", f"/api/v1/channels/%7Bnew{i}%7Dc"), "no_such_channel")
            self.assertEqual(ask("least", member, "POST", f"/api/v1/channels/%7Bnew{i}%7Dc/values", 1), "no_such_channel")
            self.assertEqual(ask("least", member, "POST", f"/api/v1/channels/%7Bnew{i}%7Dc/take", {"timeout_ms": 0}), "no_such_channel")
            for user in tokens:
                self.assertEqual(ask(user, member, "PUT", f"/api/v1/channels/%7Bnew{i}%7Dc", {"kind": "unbuffered"}), "denied")
        self.assertEqual(ask("manager", cluster["a"], "PUT", "/api/v1/channels/%7Bmade%7Dc", {"kind": "bounded", "capacity": 1}), "ok")
        self.assertEqual(ask("least", cluster["b"], "POST", "/api/v1/channels/%7Bmade%7Dc/values", 1), "ok")
        self.assertEqual(ask("least", cluster["c"], "POST", "/api/v1/channels/%7Bc%7D.q/values", 1), "ok")
        groups = {key.removeprefix(f"{self.prefix}/g/").split("/")[0] for key in self.etcd.keys(f"{self.prefix}/g/")}
        self.assertEqual(groups, {"a", "b", "c", "default", "made"})

    def test_definitions_outlive_their_daemon(self):
        cluster = self.cluster()
        with cluster.client() as client:
            self.assertTrue(client.ask("create", channel="{a}.made", kind="sliding", capacity=7)["created"])
            self.assertTrue(client.ask("create", channel="{a}.kept", kind="bounded", capacity=9, durable=True)["created"])
            self.assertEqual(client.ask("put", channel="{a}.kept", value="x")["status"], "ok")
        cluster.owner("{a}.q").kill()
        with cluster.client() as client:
            row = client.ask("stat", channel="{a}.made")
            self.assertEqual((row["kind"], row["capacity"], row["buffered"]), ("sliding", 7, 0))
            self.assertEqual(client.ask("take", channel="{a}.kept")["value"], "x")

    def test_what_is_taken_leaves_etcd_too(self):
        cluster = self.cluster(names="ab")
        journal = f"{self.prefix}/j/a/"
        with cluster.client() as client:
            self.assertEqual(client.ask("put", channel="{a}.q", value="kept")["status"], "ok")
            first = self.etcd.keys(journal)[0]
            end = time.monotonic() + DEADLINE_S
            while self.etcd.keys(journal)[0] == first:
                self.assertLess(time.monotonic(), end, cluster.logs())
                for i in range(100):
                    self.assertEqual(client.ask("put", channel="{a}.q", value=i)["status"], "ok")
                    self.assertEqual(client.ask("take", channel="{a}.q")["status"], "ok")
        cluster.owner("{a}.q").kill()
        with cluster.client() as client:
            self.assertEqual(client.ask("take", channel="{a}.q")["value"], 99)


class Failures(WithEtcd):
    def test_the_owner_is_killed(self):
        cluster = self.cluster()
        for _ in range(FAILURES):
            with Load(cluster, CHANNELS) as load:
                load.wait_more(50)
                owner = cluster.owner("{a}.q")
                owner.kill()
                load.wait_more(50)
                cluster.start(owner.name)
                load.wait_more(50)
            print(f"killed: {load.longest_pause_s():.2f} s without an answer", file=sys.stderr)

    def test_with_leases(self):
        cluster = self.cluster()
        with Load(cluster, CHANNELS, leases=True) as load:
            load.wait_more(50)
            owner = cluster.owner("{b}.q")
            owner.kill()
            load.wait_more(50)
            cluster.start(owner.name)

    def test_an_owner_that_stood_still_answers_nothing_wrong(self):
        cluster = self.cluster(names="ab")
        for i in range(FAILURES):
            # Whoever asks only the stale one: requests wait in its sockets while it stands still.
            owner = cluster.owner("{a}.q")
            stale = [cluster.client(owner.name, follows=False) for _ in range(8)]
            replies = []
            for client in stale:
                self.assertEqual(client.ask("ping")["status"], "ok")
            with Load(cluster, CHANNELS) as load:
                load.wait_more(50)
                history = load.histories["{a}.q"]
                owner.stop()

                def ask(number, client):
                    # What gets no answer may have happened, if it was written before another had taken over.
                    if number % 2:
                        members = {"op": "put", "value": ["stale", i * 100 + number]}
                        history.ask_put(("stale", i * 100 + number))
                    else:
                        members = {"op": "take", "timeout_ms": 0}
                        history.take_without_answer()
                    try:
                        reply = client.ask(channel="{a}.q", **members)
                    except Broken:
                        reply = None
                    replies.append((members, reply))

                threads = [threading.Thread(target=ask, args=each) for each in enumerate(stale)]
                for thread in threads:
                    thread.start()
                load.wait_more(50)  # another has taken over
                owner.resume()
                for thread in threads:
                    thread.join(DEADLINE_S)
                load.wait_more(50)
            for members, reply in replies:
                self.assertTrue(reply is None or reply.get("error") in ("moved", "unavailable"), (members, reply, cluster.logs()))
            for client in stale:
                client.hang_up()

    def test_an_owner_that_is_parted_from_etcd(self):
        cluster = self.cluster(names="ab", parts=True)
        for _ in range(FAILURES):
            with Load(cluster, CHANNELS) as load:
                load.wait_more(50)
                owner = cluster.owner("{a}.q")
                owner.part()
                load.wait_more(50)
                self.wait_until_ready(owner, False)
                self.assert_turns_away(owner)
                owner.heal()
                load.wait_more(50)
            self.wait_until_ready(owner)

    def test_etcd_loses_its_majority_and_gets_it_back(self):
        cluster = self.cluster()
        stopped = self.etcd.nodes[:2]
        with Load(cluster, CHANNELS) as load:
            load.wait_more(50)
            for node in stopped:
                node.stop()
            for member in cluster.members.values():
                self.wait_until_ready(member, False)
            for node in stopped:
                node.resume()
            load.wait_more(50)
        for member in cluster.members.values():
            self.wait_until_ready(member)

    def test_the_leader_of_etcd_is_killed(self):
        cluster = self.cluster()
        for _ in range(FAILURES):
            with Load(cluster, CHANNELS) as load:
                load.wait_more(50)
                leader = self.etcd.leader()
                leader.end()
                load.wait_more(50)
                leader.start()
                leader.wait_ready()
            print(f"leader killed: {load.longest_pause_s():.2f} s without an answer", file=sys.stderr)


class OldEtcd(http.server.BaseHTTPRequestHandler):
    """One that is too old."""

    def do_POST(self):
        self.close_connection = True
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"header": {"cluster_id": "1", "revision": "1"}, "version": "3.3.25", "dbSize": "1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # /metrics

    def log_message(self, *_):
        pass


class Mistakes(WithEtcd):
    def refused(self, cluster, name, **changes):
        """What the daemon says, who ends because of it."""
        done = run("-c", cluster.configuration(name, **changes), "--listen", "tcp://127.0.0.1:0", "--http", "none")
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_a_second_daemon_of_one_name(self):
        cluster = self.cluster(names="ab")
        self.assertRegex(self.refused(cluster, "a"), "a daemon of this name is in the cluster")
        with cluster.client("b") as client:
            self.assertEqual(client.ask("put", channel="{a}.q", value=1)["status"], "ok")

    def test_an_etcd_that_is_too_old(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OldEtcd) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            cluster = Cluster(self.etcd, "a", channels=CHANNELS, starts=False)
            said = self.refused(cluster, "a", endpoints=[f"http://127.0.0.1:{server.server_port}"])
            server.shutdown()
        self.assertIn("3.3.25", said)
        self.assertIn("3.4", said)

    def test_etcd_is_waited_for(self):
        with Etcd(1, starts=False) as etcd:
            cluster = Cluster(etcd, "a", channels={"{a}.q": DURABLE}, starts=False)
            with cluster:
                member = cluster.start("a", waits=False)
                member.daemon.wait_log(etcd.nodes[0].url)
                etcd.start()
                cluster.wait_ready("a")
                with cluster.client() as client:
                    self.assertEqual(client.ask("put", channel="{a}.q", value=1)["status"], "ok")

    def test_no_rights(self):
        with Etcd(1) as etcd:
            node = etcd.nodes[0]
            for path, members in (
                ("user/add", {"name": "root", "password": "r"}),
                ("role/add", {"name": "root"}),
                ("user/grant", {"user": "root", "role": "root"}),
                ("user/add", {"name": "m", "password": "m"}),
                ("role/add", {"name": "m"}),
                ("user/grant", {"user": "m", "role": "m"}),
                ("enable", {}),
            ):
                node.ask(f"/v3/auth/{path}", **members)
            cluster = Cluster(etcd, "a", channels=CHANNELS, starts=False)
            self.assertIn("user", self.refused(cluster, "a"))
            secret = os.path.join(cluster.directory, "secret")
            with open(secret, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write("m\n")
            self.assertIn("permission denied", self.refused(cluster, "a", user="m", password_file=secret))
            with open(secret, "w", encoding="utf-8") as file:
                file.write("wrong\n")
            self.assertIn("authentication failed", self.refused(cluster, "a", user="m", password_file=secret))


if __name__ == "__main__":
    unittest.main()
