"""TLS, tokens and certificates."""
import json
import os
import ssl
import subprocess
import tempfile
import unittest

from common import DEADLINE_S, Daemon, StandIn, millrace, url_of
from millraced import BUILD
from secure import Authority


class Secure(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="millrace-test.")
        self.addCleanup(directory.cleanup)
        authority = Authority(directory.name)
        cert, key = self.cert_of_daemon, self.key_of_daemon = authority.issue("daemon", "/CN=localhost", "DNS:localhost")
        self.ca, (self.cert, self.key) = authority.cert, authority.issue("client", "/CN=reader")
        command = [os.path.join(BUILD, "millrace"), "token", "-o", "json"]
        made = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=DEADLINE_S).stdout)
        self.token = made["token"]
        config = os.path.join(directory.name, "c.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"tls: {{cert: {cert}, key: {key}, ca: {self.ca}}}\nchannels: {{jobs: {{kind: bounded, capacity: 9}}}}\nusers:\n"
                       f"  writer: {{token: \"{made['hash']}\", put: jobs}}\n  reader: {{certificate: CN=reader, take: jobs}}\n")
        os.chmod(config, 0o600)
        self.daemon = Daemon("-c", config, listen=["tls://127.0.0.1:0"])
        self.addCleanup(self.daemon.stop)
        self.url = f"tls://localhost:{self.daemon.tls_port}"

    def test_by_token_and_by_certificate(self):
        with millrace.connect(self.url, ca=self.ca, token=self.token) as writer:
            writer.put("jobs", 1)
            with self.assertRaises(millrace.Refused) as denied:
                writer.take("jobs")
            self.assertEqual(denied.exception.code, "denied")
        with millrace.connect(self.url, ca=self.ca, cert=self.cert, key=self.key) as reader:
            self.assertEqual(reader.take("jobs"), 1)

    def test_strangers_either_way(self):
        with self.assertRaises(millrace.Refused) as refused:
            millrace.connect(self.url, ca=self.ca, token="another").open()
        self.assertEqual(refused.exception.code, "unauthenticated")
        with self.assertRaisesRegex(millrace.ConnectionLost, "certificate"):  # who has signed this daemon is not known
            millrace.connect(self.url, token=self.token, connect_timeout=0.3).open()

    def test_who_has_asked_for_tls_is_not_sent_to_where_there_is_none(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_of_daemon, self.key_of_daemon)
        elsewhere = StandIn(self, lambda request: {"status": "ok"})
        other = StandIn(self, lambda request: {"status": "error", "error": "moved", "address": elsewhere.url}, context=context)
        with millrace.connect(f"tls://localhost:{other.port}", ca=self.ca, token=self.token) as m:
            with self.assertRaises(millrace.Refused) as refused:
                m.put("jobs", 1)
            self.assertEqual((refused.exception.code, elsewhere.asked), ("moved", []))


class Taps(unittest.TestCase):
    def test_a_subscription_and_a_tap(self):
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        with millrace.connect(url_of(daemon)) as m:
            m.create("events", "bounded", 9)
            m.create("audit", "bounded", 9)
            with m.tap("events", sliding=9, match={"/type": "order"}) as orders:
                m.tap("events", "audit")
                m.put_many("events", [{"type": "other"}, {"type": "order", "n": 1}])
                self.assertEqual(next(iter(orders)), {"type": "order", "n": 1})
                self.assertEqual([m.take("audit")["type"], m.take("audit")["type"]], ["other", "order"])
                self.assertEqual(len(list(m.taps("events"))), 2)
            m.untap("events", "audit")
            self.assertEqual(list(m.taps()), [])


if __name__ == "__main__":
    unittest.main()
