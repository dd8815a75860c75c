#!/usr/bin/env python3
"""millrace, the command line, where the daemon speaks TLS and has users."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CONNECT, DENIED, ERROR, OK, PROGRAM, USAGE  # noqa: E402
from millraced import DEADLINE_S, Daemon  # noqa: E402
from secure import Authority  # noqa: E402


class Secure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="millrace-cli.")
        authority = Authority(cls.directory)
        cert, key = authority.issue("daemon", "/CN=localhost", "DNS:localhost")
        cls.ca, (cls.cert, cls.key) = authority.cert, authority.issue("client", "/CN=reader")
        made = json.loads(subprocess.run([PROGRAM, "token", "-o", "json"], capture_output=True, check=True, text=True, timeout=DEADLINE_S).stdout)
        cls.token = made["token"]
        config = os.path.join(cls.directory, "c.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"tls: {{cert: {cert}, key: {key}, ca: {cls.ca}}}\nchannels: {{jobs: {{kind: bounded, capacity: 9}}}}\n"
                       f"users:\n  writer: {{token: \"{made['hash']}\", put: jobs}}\n  reader: {{certificate: CN=reader, take: jobs}}\n")
        os.chmod(config, 0o600)
        cls.daemon = Daemon("-c", config, listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"])
        cls.tls, cls.tcp = f"tls://localhost:{cls.daemon.tls_port}", f"tcp://127.0.0.1:{cls.daemon.port}"

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        shutil.rmtree(cls.directory)
        assert status == 0, cls.daemon.log()

    def expect(self, status, out, *arguments, err="", **environment):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}
        result = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                                env={**clean, **environment})
        self.assertEqual((result.returncode, result.stdout), (status, out), result.stderr)
        self.assertIn(err, result.stderr)

    def test_by_token_and_by_certificate(self):
        path = os.path.join(self.directory, "token")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.token + "\n")
        self.expect(OK, "", "put", "jobs", "1", "--url", self.tls, "--ca", self.ca, MILLRACE_TOKEN=self.token)
        self.expect(OK, "", "put", "jobs", "2", MILLRACE_URL=self.tls, MILLRACE_CA=self.ca, MILLRACE_TOKEN_FILE=path)
        self.expect(OK, "", "put", "jobs", "3", "-u", self.tcp, MILLRACE_TOKEN=self.token)
        self.expect(OK, "1\n2\n", "take", "jobs", "-n", "2", "-u", self.tls, "--ca", self.ca, "--cert", self.cert, "--key", self.key)
        self.expect(OK, "3\n", "take", "jobs", MILLRACE_URL=self.tls, MILLRACE_CA=self.ca, MILLRACE_CERT=self.cert, MILLRACE_KEY=self.key)
        self.expect(DENIED, "", "take", "jobs", "-u", self.tcp, err="take on \"jobs\"", MILLRACE_TOKEN=self.token)

    def test_who_is_not_let_in(self):
        self.expect(DENIED, "", "put", "jobs", "1", "-u", self.tcp, err="set MILLRACE_TOKEN, or MILLRACE_TOKEN_FILE")
        self.expect(DENIED, "", "put", "jobs", "1", "-u", self.tcp, err="does not know this token; see MILLRACE_TOKEN", MILLRACE_TOKEN=self.token[:-1])
        self.expect(ERROR, "", "put", "jobs", "1", "-u", self.tcp, err="cannot be read", MILLRACE_TOKEN_FILE="/nonexistent")

    def test_whom_it_does_not_trust(self):
        self.expect(CONNECT, "", "ping", "-q", "-u", self.tls, err="certificate cannot be trusted", MILLRACE_TOKEN=self.token)
        other = self.tls.replace("localhost", "127.0.0.1")
        self.expect(CONNECT, "", "ping", "-q", "-u", other, "--ca", self.ca, err="mismatch", MILLRACE_TOKEN=self.token)
        self.expect(OK, "", "ping", "-q", "-u", other, "--insecure-accept-any-certificate", MILLRACE_TOKEN=self.token)
        self.expect(USAGE, "", "ping", "-u", self.tls, "--ca", "/nonexistent", err="No such file")
        self.expect(CONNECT, "", "ping", "-u", self.tcp.replace("tcp", "tls"), err="TLS")

    def test_tokens_are_new_each_time(self):
        made = {subprocess.run([PROGRAM, "token"], capture_output=True, check=True, text=True, timeout=DEADLINE_S).stdout for _ in range(5)}
        self.assertEqual(len(made), 5)
        for text in made:
            self.assertRegex(text, r"^mrt_([0-9a-f]{32})_[0-9a-f]{64}\nsha256:\1:[0-9a-f]{64}\n$")


if __name__ == "__main__":
    unittest.main()
