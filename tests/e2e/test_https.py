#!/usr/bin/env python3
"""HTTPS: the gateway with a certificate, whose files are read again by SIGHUP; what the configuration asks for beyond loopback; certificates that are out of date."""
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import DEADLINE_S, Daemon, Directory, run  # noqa: E402
from secure import Authority, client_context, make_token, openssl  # noqa: E402

NAMES = "DNS:localhost,IP:127.0.0.1"


class Base(Directory):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.directory)
        self.cert, self.key = self.ca.issue("server", "/CN=localhost", NAMES)
        os.chmod(self.key, 0o600)
        self.tls = f"tls={{cert: {self.cert}, key: {self.key}}}"

    def start(self, *arguments, http="https://127.0.0.1:0", **options):
        daemon = Daemon("--set", self.tls, "--set", "channels={b: {kind: bounded, capacity: 4}}", *arguments, http=http, **options)
        self.addCleanup(lambda: daemon.__exit__(None))
        return daemon

    @staticmethod
    def port(daemon):
        return int(re.search(r"http: https://127\.0\.0\.1:(\d+)", daemon.wait_log("http: https"))[1])

    def ask(self, daemon, method, path, body=None, **headers):
        connection = http.client.HTTPSConnection("localhost", self.port(daemon), timeout=DEADLINE_S, context=client_context(self.ca.cert))
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()



class Https(Base):
    def test_curl_trusts_it_by_its_authority(self):
        daemon = self.start()
        url = f"https://localhost:{self.port(daemon)}/api/v1/channels/b/"
        curl = ["curl", "-sS", "--max-time", str(DEADLINE_S), "--cacert", self.ca.cert, "-H", "Content-Type: application/json", "-X", "POST"]
        subprocess.run([*curl, url + "values", "-d", '{"n": 1}'], check=True)
        self.assertIn('"value":{"n": 1}', subprocess.run([*curl, url + "take"], check=True, capture_output=True, text=True).stdout)
        plain = subprocess.run(["curl", "-sS", f"http://localhost:{self.port(daemon)}/healthz"], capture_output=True, text=True, check=True)
        self.assertIn("this address speaks TLS: https://", plain.stdout)
        with self.assertRaises(ssl.SSLError):
            http.client.HTTPSConnection("localhost", self.port(daemon), timeout=DEADLINE_S).request("GET", "/healthz")

    def test_large_values_and_pipelines(self):
        daemon = self.start()
        value = '"' + "x" * 1_000_000 + '"'
        self.assertEqual(self.ask(daemon, "POST", "/api/v1/channels/b/values", value)[0], 204)
        status, text = self.ask(daemon, "POST", "/api/v1/channels/b/take")
        self.assertEqual(status, 200)
        self.assertIn(value, text)

    def serial(self, daemon):
        plain = socket.create_connection(("127.0.0.1", self.port(daemon)), DEADLINE_S)
        with client_context(self.ca.cert).wrap_socket(plain, server_hostname="localhost") as connection:
            return connection.getpeercert()["serialNumber"]

    def test_a_reload_takes_the_new_certificate(self):
        daemon = self.start()
        before = self.serial(daemon)
        self.ca.issue("server", "/CN=localhost", NAMES)
        daemon.kill(signal.SIGHUP)
        daemon.wait_log("reloaded")
        self.assertNotEqual(self.serial(daemon), before)

    def test_certificates_of_its_own(self):
        cert, key = self.ca.issue("web", "/CN=localhost", NAMES)
        config = self.write(f"http: {{address: 'https://127.0.0.1:0', cert: {cert}, key: {key}}}\n")
        self.assertEqual(run("--check", "-c", config).returncode, 0)
        wrong = self.write("http: {address: '127.0.0.1:0', cert: x}\n", "wrong.yaml")
        self.assertIn("only tls:// and https:// have certificates", run("--check", "-c", wrong).stderr)
        for text in ("http: {cert: x}\n", "http: {address: 'tls://127.0.0.1:0'}\n", "http: ftp://127.0.0.1:1\n"):
            self.assertRegex(run("--check", "-c", self.write(text, "wrong.yaml")).stderr, r"wrong\.yaml:1:\d+: .*https://", text)

    def test_beyond_loopback_it_wants_tls_and_users(self):
        _, hashed = make_token()
        users = ("--set", f"users={{a: {{token: '{hashed}'}}}}")
        self.assertIn("without TLS", run("--check", "--http", "0.0.0.0:7224", *users).stderr)
        self.assertIn("expected https://", run("--check", "--http", "0.0.0.0:7224", *users).stderr)
        self.assertIn("without login", run("--check", "--http", "https://0.0.0.0:7224", "--set", self.tls).stderr)
        self.assertIn("needs a certificate", run("--check", "--http", "https://0.0.0.0:7224", *users).stderr)
        self.assertEqual(run("--check", "--http", "https://0.0.0.0:7224", "--set", self.tls, *users).returncode, 0)


class Dates(Base):
    """A certificate that clients will refuse is told, with its date."""

    def issue(self, first, last):
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=localhost", "-out", self.path("r.csr"))
        self.write("", "index.txt")
        self.write("01\n", "serial")
        self.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.path('index.txt')}\nserial={self.path('serial')}\nnew_certs_dir={self.directory}\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n", "ca.cnf")
        openssl("ca", "-batch", "-config", self.path("ca.cnf"), "-cert", self.ca.cert, "-keyfile", self.ca.key, "-in", self.path("r.csr"), "-out", self.cert, "-startdate", first, "-enddate", last)

    def test_expired_and_not_yet_valid(self):
        for first, last, said in (("20200101000000Z", "20210203040506Z", "expired on 2021-02-03T04:05:06Z"), ("20990101000000Z", "20990203040506Z", "not valid before 2099-01-01T00:00:00Z")):
            self.issue(first, last)
            checked = run("--check", "--http", "https://127.0.0.1:0", "--set", self.tls)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertIn(said, checked.stderr)
            daemon = self.start()
            self.assertIn(" warning: ", daemon.wait_log(said))
            daemon.stop()
        self.ca.issue("server", "/CN=localhost", NAMES)
        self.assertEqual(run("--check", "--http", "https://127.0.0.1:0", "--set", self.tls).stderr, "")

    def test_a_reload_tells_it_and_the_metric_follows(self):
        daemon = self.start(listen=["tls://127.0.0.1:0"])
        expiries = re.findall(r'millrace_certificate_expiry_timestamp_seconds\{address="(tls|http)s?://[^"]+"\} (\d+)', self.ask(daemon, "GET", "/metrics")[1])
        self.assertEqual(len(expiries), 2)
        for _, expiry in expiries:
            self.assertAlmostEqual(int(expiry), time.time() + 2 * 86400, delta=600)
        self.issue("20200101000000Z", "20210203040506Z")
        daemon.kill(signal.SIGHUP)
        self.assertIn(" warning: ", daemon.wait_log("expired on 2021-02-03T04:05:06Z"))


if __name__ == "__main__":
    unittest.main()
