#!/usr/bin/env python3
"""The command line in a cluster: its rows, and that it follows. The daemons are played here, but in one test."""
import json
import os
import shutil
import socketserver
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from tests.lib.cluster import Cluster  # noqa: E402
from tests.lib.etcd import Etcd  # noqa: E402
from tests.lib.millraced import BUILD, DEADLINE_S  # noqa: E402

GROUPS = [{"group": "default", "owner": "a", "epoch": 3, "lag_ms": 7}, {"group": "lost", "epoch": 4}, {"group": "orders", "owner": "b", "target": "a", "epoch": 12}]


class Played(socketserver.ThreadingTCPServer):
    """A daemon that owns nothing but `group`; for the others it names `elsewhere`."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, name, group):
        super().__init__(("127.0.0.1", 0), Talk)
        self.name, self.group, self.elsewhere, self.waits_for, self.asked = name, group, None, None, []
        self.url = f"tcp://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, request):
        op = request["op"]
        self.asked.append(request)
        if op == "hello":
            return {"protocol": 1, "features": ["cluster", "once"], "max_frame_bytes": 65536, "max_inflight": 64}
        if op == "cluster" and "group" in request:
            return {} if request["to"] == "b" else {"status": "error", "error": "bad_request", "message": "no daemon 'c' is up; there are a, b"}
        if op == "cluster":
            shown = [row for row in GROUPS if row["group"] > request.get("after", "")][:2]  # in pages of two
            more = shown[-1] is not GROUPS[-1]
            daemons = [{"daemon": name, "address": f"tcp://{name}:7223", "self": name == self.name} for name in "ab"]
            return {"groups": shown, "more": more, **({"next": shown[-1]["group"]} if more else {}), "daemons": daemons, "joined": not self.waits_for, **({"waits_for": self.waits_for} if self.waits_for else {})}
        if "{orders}" in request.get("channel", "") and self.group != "orders":
            return {"status": "error", "error": "moved", "message": "elsewhere", "address": self.elsewhere}
        return {"value": 1} if op == "take" else {"accepted": len(request.get("values", []))}


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        while header := self.rfile.read(4):
            request = json.loads(self.rfile.read(*struct.unpack(">I", header)))
            body = json.dumps({"id": request.get("id"), "status": "ok", **self.server.answer(request)}).encode()
            self.wfile.write(struct.pack(">I", len(body)) + body)


class CliCluster(unittest.TestCase):
    def setUp(self):
        self.a, self.b = Played("a", "default"), Played("b", "orders")
        self.a.elsewhere = self.b.url

    def tearDown(self):
        for played in (self.a, self.b):
            played.shutdown()
            played.server_close()

    def run_cli(self, *arguments, url=None):
        command = [os.path.join(BUILD, "millrace"), "--url", url or self.a.url, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S)

    def test_rows_of_groups_and_daemons(self):
        run = self.run_cli("cluster")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        lines = [line.split() for line in run.stdout.splitlines()]
        self.assertEqual(lines[0], ["GROUP", "OWNER", "TARGET", "EPOCH", "LAG_MS"])
        self.assertEqual(lines[1:4], [["default", "a", "-", "3", "7"], ["lost", "-", "-", "4", "-"], ["orders", "b", "a", "12", "-"]])
        self.assertEqual(lines[5], ["DAEMON", "ADDRESS", "HTTP", "ASKED"])
        self.assertEqual([line[0] for line in lines[6:]], ["a", "b"])

    def test_for_programs(self):
        overview = json.loads(self.run_cli("cluster", "-o", "json").stdout)
        self.assertEqual(overview["groups"], GROUPS)
        self.assertEqual(set(overview), {"groups", "daemons", "joined"})
        self.assertEqual(self.run_cli("cluster", "-o", "raw").stdout, "default\ta\t-\t3\t7\nlost\t-\t-\t4\t-\norders\tb\ta\t12\t-\n")

    def test_who_has_not_joined_says_why(self):
        self.a.waits_for = "etcd does not answer"
        self.assertIn("not joined: etcd does not answer", self.run_cli("cluster").stderr)

    def test_a_group_is_moved(self):
        run = self.run_cli("cluster", "move", "orders", "b")
        self.assertEqual((run.returncode, run.stdout), (0, "orders goes to b\n"))
        run = self.run_cli("cluster", "move", "orders", "c")
        self.assertEqual(run.returncode, 1)
        self.assertIn("there are a, b", run.stderr)
        for arguments in (["move"], ["move", "orders"], ["mvoe", "orders", "b"]):
            self.assertEqual(self.run_cli("cluster", *arguments).returncode, 2)

    def test_commands_follow_to_whom_has_the_channel(self):
        self.assertEqual(self.run_cli("put", "{orders}.jobs", "1").returncode, 0)
        run = self.run_cli("take", "{orders}.jobs")
        self.assertEqual((run.returncode, run.stdout), (0, "1\n"))
        self.assertIn("put", [request["op"] for request in self.b.asked])

    def test_any_address_will_do(self):
        run = self.run_cli("take", "{orders}.jobs", url=f"tcp://127.0.0.1:1,{self.b.url[6:]}")
        self.assertEqual((run.returncode, run.stdout), (0, "1\n"))


@unittest.skipUnless(shutil.which("etcd"), "etcd is not installed")
class Alive(unittest.TestCase):
    def test_a_hand_over_and_the_death_of_the_owner_lose_nothing_and_keep_the_order(self):
        channel, n = "{orders}.jobs", 6000
        channels = {channel: {"kind": "bounded", "capacity": n, "durable": True}}
        with Etcd(1) as etcd, Cluster(etcd, groups={"orders": "b"}, channels=channels) as cluster:
            command = [os.path.join(BUILD, "millrace"), "--url", ",".join(cluster[name].url for name in "abc")]
            run = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            with subprocess.Popen([*command, "put", channel], stdin=subprocess.PIPE, **run) as put:
                for i in range(n):
                    put.stdin.write(f"{i}\n")
                    if i == n // 3:
                        moved = subprocess.run([*command, "cluster", "move", "orders", "c"], timeout=DEADLINE_S, **run)
                        self.assertEqual(moved.returncode, 0, moved.stderr)
                    if i == 2 * n // 3:
                        cluster.owner(channel).kill()
                _, told = put.communicate(timeout=DEADLINE_S)
            self.assertEqual(put.returncode, 0, told)
            taken = subprocess.run([*command, "take", channel, "-n", str(n)], timeout=DEADLINE_S, **run)
            self.assertEqual([int(line) for line in taken.stdout.splitlines()], list(range(n)), taken.stderr)


if __name__ == "__main__":
    unittest.main()
