#!/usr/bin/env python3
"""docker/'s dashboard for Grafana, and alerts: they are well formed, and name metrics that there are."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import Connection, Daemon  # noqa: E402
from web import Web  # noqa: E402

DOCKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docker")

OF_TLS = {"millrace_certificate_expiry_timestamp_seconds"}  # test_https.py sees it
WATCHED = {"millrace_request_errors_total", "millrace_refused_logins_total", "process_start_time_seconds", "process_open_fds", "millrace_turn_seconds_bucket", "millrace_journal_full",
           "millrace_journal_commit_seconds_bucket", *OF_TLS}


def read(name):
    with open(os.path.join(DOCKER, name), encoding="utf-8") as file:
        return file.read()


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        journal = tempfile.TemporaryDirectory(prefix="millrace-test.")
        cls.addClassCleanup(journal.cleanup)
        settings = ("--set", "channels={u: {kind: unbuffered}, b: {kind: bounded, capacity: 1}}", "--set", f"journal.path={journal.name}", "--set", "journal.segment=4MiB")
        with Daemon(*settings, http="127.0.0.1:0") as daemon, Web(daemon) as web, Connection(daemon) as connection:
            connection.send(id=1, op="take", channel="u")
            connection.ask(id=2, op="put", channel="u", value=1)
            connection.ask(id=3, op="put", channel="none", value=1)
            cls.names = set(re.findall(r"^([a-z_]+)[{ ]", web.ask("GET", "/metrics").body.decode(), re.M))

    def are_known(self, text):
        used = set(re.findall(r"\b(?:millrace|process)_[a-z_]+\b", text))
        self.assertEqual(used - self.names - OF_TLS, set())
        self.assertEqual(WATCHED - used, set())

    def test_the_dashboard(self):
        dashboard = json.loads(read("grafana/dashboards/millrace.json"))
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.are_known("\n".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]))

    def test_the_alerts(self):
        self.are_known("\n".join(re.findall(r"expr: (.*)", read("prometheus/rules/millrace.yml"))))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is of the package prometheus")
    def test_prometheus_takes_them(self):
        for command in (["check", "rules", "prometheus/rules/millrace.yml"], ["check", "config", "prometheus/prometheus.yml"]):
            done = subprocess.run(["promtool", *command], cwd=DOCKER, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
