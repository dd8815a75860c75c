#!/usr/bin/env python3
"""docker/kubernetes.yaml: its configuration is one that the daemon takes, and its parts fit each other and the image."""
import os
import re
import sys
import unittest

import yaml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from millraced import Directory, run  # noqa: E402

with open(os.path.join(ROOT, "docker", "kubernetes.yaml"), encoding="utf-8") as file:
    PARTS = {part["kind"]: part for part in yaml.safe_load_all(file)}


class Manifest(Directory):
    def setUp(self):
        super().setUp()
        self.pod = PARTS["StatefulSet"]["spec"]["template"]
        self.container = self.pod["spec"]["containers"][0]
        self.config = PARTS["ConfigMap"]["data"]["millraced.yaml"]

    def test_the_daemon_takes_the_configuration(self):
        config = yaml.safe_load(self.config)
        self.assertTrue(config["channels"]["jobs"]["durable"])
        self.assertIn(config["journal"]["path"], [mount["mountPath"] for mount in self.container["volumeMounts"] if not mount.get("readOnly")])
        done = run("--check", "-c", self.write(self.config))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ports_are_those_that_are_listened_on(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        config = yaml.safe_load(self.config)
        self.assertEqual(ports, {"millrace": int(config["listen"].rpartition(":")[2]), "http": int(config["http"].rpartition(":")[2])})
        for port in PARTS["Service"]["spec"]["ports"]:
            self.assertEqual(ports[port["targetPort"]], port["port"])
        for rule in PARTS["NetworkPolicy"]["spec"]["ingress"]:
            self.assertLessEqual({port["port"] for port in rule["ports"]}, set(ports))

    def test_labels_and_names_fit(self):
        labels = self.pod["metadata"]["labels"]
        for part in PARTS["StatefulSet"]["spec"]["selector"]["matchLabels"], PARTS["Service"]["spec"]["selector"], PARTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]:
            self.assertEqual(part, labels)
        self.assertEqual(self.pod["spec"]["volumes"][0]["configMap"]["name"], PARTS["ConfigMap"]["metadata"]["name"])
        self.assertEqual(PARTS["StatefulSet"]["spec"]["serviceName"], PARTS["Service"]["metadata"]["name"])

    def test_probes_ask_what_there_is_and_by_a_name_that_is_let_in(self):
        hosts = yaml.safe_load(self.config)["http_hosts"]
        for name in "startupProbe", "readinessProbe", "livenessProbe":
            probe = self.container[name]["httpGet"]
            self.assertIn(probe["path"], ("/healthz", "/readyz"))
            self.assertIn(probe["httpHeaders"][0]["value"], hosts)

    def test_it_runs_as_the_image_does_and_ends_in_time(self):
        with open(os.path.join(ROOT, "docker", "Dockerfile"), encoding="utf-8") as file:
            uid = int(re.search(r"^USER (\d+)", file.read(), re.M)[1])
        self.assertEqual(self.pod["spec"]["securityContext"]["runAsUser"], uid)
        grace = re.search(r"grace_ms: (\d+)s", self.config)[1]
        self.assertGreater(self.pod["spec"]["terminationGracePeriodSeconds"], int(grace))


if __name__ == "__main__":
    unittest.main()
