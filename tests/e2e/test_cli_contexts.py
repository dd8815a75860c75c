#!/usr/bin/env python3
"""millrace context: daemons by name; and what is said where something else than a daemon answers."""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cli import CONNECT, DENIED, ERROR, OK, PROGRAM, USAGE  # noqa: E402
from millraced import DEADLINE_S, Daemon, Directory  # noqa: E402
from secure import Authority, make_token  # noqa: E402


class Home(Directory):
    """A home of its own, and a clean environment."""

    def setUp(self):
        super().setUp()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}
        self.environment.update(HOME=self.directory, XDG_CONFIG_HOME="")
        os.makedirs(self.path(".config/millrace"))
        self.config = self.path(".config/millrace/config.yaml")

    def configure(self, text, mode=0o600):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.config, mode)

    def run_cli(self, *arguments, **environment):
        return subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              env={**self.environment, **environment})

    def expect(self, status, out, *arguments, err="", **environment):
        result = self.run_cli(*arguments, **environment)
        self.assertEqual((result.returncode, result.stdout), (status, out), result.stderr)
        if err:
            self.assertIn(err, result.stderr)
        else:
            self.assertEqual(result.stderr, "")
        return result


class Contexts(Home):
    TWO = 'contexts:\n  local: {url: "tcp://127.0.0.1:1"}\n  prod: {url: "tls://mill.example", token_file: prod.token, ca: ~/ca.pem}\n'

    def test_there_are_none(self):
        self.expect(OK, "", "context", err="there are no contexts")
        self.expect(ERROR, "", "context", "show", err="no context is chosen")
        self.expect(ERROR, "", "-c", "prod", "ls", err="there is no context 'prod'")

    def test_list_show_and_choose(self):
        self.configure(self.TWO)
        rows = [json.loads(line) for line in self.run_cli("context", "-o", "json").stdout.splitlines()]
        self.assertEqual([(row["name"], row["chosen"]) for row in rows], [("local", False), ("prod", False)])
        self.expect(OK, "", "context", "use", "prod")
        rows = [json.loads(line) for line in self.run_cli("context", "list", "-o", "json").stdout.splitlines()]
        self.assertEqual([row["chosen"] for row in rows], [False, True])
        shown = json.loads(self.run_cli("context", "show", "-o", "json").stdout)
        self.assertEqual(shown, {"name": "prod", "url": "tls://mill.example", "has_token": True, "token_file": os.path.join(os.path.dirname(self.config), "prod.token"),
                                 "ca": self.path("ca.pem")})
        self.assertIn("url: tcp://127.0.0.1:1\n", self.run_cli("context", "show", "local").stdout)
        self.expect(OK, "", "context", "none")
        self.expect(ERROR, "", "context", "show", err="no context is chosen")

    def test_mistakes(self):
        self.configure(self.TWO)
        self.expect(ERROR, "", "context", "use", "prdo", err="did you mean 'prod'?")
        self.expect(USAGE, "", "context", "us", "prod", err="word too many")
        self.expect(USAGE, "", "context", "lst", err="did you mean 'list'?")
        self.expect(USAGE, "", "-c", "local", "-u", "tcp://127.0.0.1:1", "ls", err="give one of them")
        for text, words in (("contexts: {a: {urll: x}}", "1:16: a context has url, token or token_file, ca, cert and key; no 'urll'; did you mean 'url'?"), ("contexts: {a: {}}", "has no url"), ("contexts: [a]", "by their names"),
                            ("context: {}", "there is only `contexts:` here"), ("contexts: {a: {url: x, token: t, token_file: f}}", "one is enough"), ("contexts: {a: [", "config.yaml:")):
            self.configure(text)
            for arguments in (["context"], ["-c", "a", "ls"]):
                self.expect(ERROR, "", *arguments, err=words)

    def test_where_a_command_goes(self):
        with Daemon("--set", "channels={jobs: {kind: bounded, capacity: 9}}") as daemon:
            here, nowhere = f"tcp://127.0.0.1:{daemon.port}", "tcp://127.0.0.1:1"
            self.configure(f'contexts:\n  here: {{url: "{here}"}}\n  nowhere: {{url: "{nowhere}"}}\n')
            self.expect(OK, "", "-c", "here", "put", "jobs", "1")
            self.expect(OK, "1\n", "take", "jobs", "--context", "here", MILLRACE_URL=nowhere)
            self.expect(OK, "", "put", "jobs", "2", MILLRACE_CONTEXT="here", MILLRACE_URL=nowhere)
            self.expect(OK, "", "context", "use", "here")
            self.expect(OK, "2\n", "take", "jobs")
            self.expect(OK, "", "context", "use", "nowhere")
            self.expect(CONNECT, "", "take", "jobs", err="cannot connect")
            self.expect(OK, "", "put", "jobs", "3", MILLRACE_URL=here)
            self.expect(OK, "3\n", "-u", here, "take", "jobs")
            self.expect(OK, "", "-c", "here", "put", "jobs", "4")
            self.expect(OK, "here\n", "-c", "here", "work", "jobs", "-n", "1", "--", "sh", "-c", "echo $MILLRACE_CONTEXT")
            self.expect(OK, "", "context", "use", "here", MILLRACE_URL=nowhere, err="MILLRACE_URL is set")

    def test_xdg(self):
        elsewhere = self.path("elsewhere")
        os.makedirs(os.path.join(elsewhere, "millrace"))
        self.config = os.path.join(elsewhere, "millrace", "config.yaml")
        self.configure(self.TWO)
        self.assertIn("prod", self.run_cli("context", XDG_CONFIG_HOME=elsewhere).stdout)
        self.expect(OK, "", "context", err="there are no contexts")

    def test_tokens(self):
        token, hashed = make_token()
        config = self.write(f'channels: {{jobs: {{kind: bounded, capacity: 9}}}}\nusers: {{ann: {{token: "{hashed}", put: jobs, take: jobs}}}}\n')
        os.chmod(config, 0o600)
        with Daemon("-c", config, listen=["tcp://127.0.0.1:0"]) as daemon:
            url = f'url: "tcp://127.0.0.1:{daemon.port}"'
            path = os.path.join(os.path.dirname(self.config), "ann.token")
            with open(path, "w", encoding="utf-8") as file:
                file.write(token + "\n")
            os.chmod(path, 0o600)
            self.configure(f"contexts: {{ann: {{{url}, token_file: ann.token}}, nobody: {{{url}}}}}", 0o644)
            self.expect(OK, "", "-c", "ann", "put", "jobs", "1")
            self.expect(OK, "", "-c", "ann", "put", "jobs", "2", MILLRACE_TOKEN="wrong")
            self.expect(DENIED, "", "-c", "nobody", "take", "jobs", err="MILLRACE_TOKEN")
            self.expect(OK, "1\n", "-c", "nobody", "take", "jobs", MILLRACE_TOKEN=token)
            for mode in (0o640, 0o604, 0o660):
                os.chmod(path, mode)
                self.expect(ERROR, "", "-c", "ann", "take", "jobs", err=f"others may read it; run: chmod 600 '{path}'")
            self.configure(f"contexts: {{ann: {{{url}, token: {token}}}}}", 0o644)
            result = self.expect(ERROR, "", "-c", "ann", "take", "jobs", err=f"run: chmod 600 '{self.config}'")
            self.assertNotIn(token, result.stderr)
            os.chmod(self.config, 0o600)
            self.expect(OK, "2\n", "-c", "ann", "take", "jobs")
            self.assertNotIn(token, self.run_cli("context", "show", "ann").stdout)
            os.remove(path)
            self.configure(f"contexts: {{ann: {{{url}, token_file: ann.token}}}}")
            self.expect(ERROR, "", "-c", "ann", "take", "jobs", err="cannot be read")


class Addresses(Home):
    """Something else than a daemon's protocol is there: it is named, and the right address."""

    def test_http(self):
        with Daemon(http="127.0.0.1:0") as daemon:
            port = int(re.search(r"http: http://[^ ]*:(\d+)", daemon.wait_log("http: http"))[1])
            for scheme in ("tcp", "tls"):
                self.expect(CONNECT, "", "ping", "-u", f"{scheme}://127.0.0.1:{port}", err="what is there is an HTTP server")

    def test_tls_and_not(self):
        authority = Authority(self.directory)
        cert, key = authority.issue("daemon", "/CN=localhost", "DNS:localhost")
        with Daemon("--set", f"tls={{cert: {cert}, key: {key}}}", listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"]) as daemon:
            result = self.expect(CONNECT, "", "ping", "-u", f"tcp://localhost:{daemon.tls_port}", err=f"connect with tls://localhost:{daemon.tls_port}")
            self.assertNotIn("correct the member", result.stderr)
            self.expect(CONNECT, "", "ping", "-u", f"tls://localhost:{daemon.port}", err=f"without TLS: connect with tcp://localhost:{daemon.port}")

    def test_who_closes_at_once(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def close_all():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=close_all, daemon=True).start()
        self.expect(CONNECT, "", "ping", "-u", f"tcp://127.0.0.1:{listener.getsockname()[1]}", err="millrace ping: ")
        listener.shutdown(socket.SHUT_RDWR)

    def test_the_first_connection_in_time(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.expect(CONNECT, "", "take", "jobs", "--follow", "--connect-timeout", "50ms", "-u", f"tcp://127.0.0.1:{listener.getsockname()[1]}", err="millrace take: ")
        self.expect(USAGE, "", "ls", "--connect-timeout", "0", err="not a time to connect in")


if __name__ == "__main__":
    unittest.main()
