#!/usr/bin/env python3
"""docker/kubernetes.yaml and kubernetes.cluster.yaml, and compose.cluster.yaml: their configurations are such that the daemon takes, and their parts fit each other and the image."""
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


def load(name):
    with open(os.path.join(ROOT, "docker", name), encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


class ClusterManifest(Directory):
    def setUp(self):
        super().setUp()
        self.parts = {(part["kind"], part["metadata"]["name"]): part for part in load("kubernetes.cluster.yaml")}
        self.daemons, self.etcds = (self.parts["StatefulSet", name]["spec"] for name in ("millraced", "etcd"))
        self.config = self.parts["ConfigMap", "millraced"]["data"]["millraced.yaml"]

    def test_each_daemon_takes_the_configuration_with_its_arguments(self):
        config, container = yaml.safe_load(self.config), self.daemons["template"]["spec"]["containers"][0]
        for i in range(self.daemons["replicas"]):
            pod = f"millraced-{i}"
            arguments = [argument.replace("$(POD)", pod).replace("$(NAMESPACE)", "default") for argument in container["args"]]
            arguments = [part for argument in arguments for part in argument.split("=", 1)]
            done = run("--check", "-c", self.write(self.config), *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            if i == 0:
                self.assertEqual(config["cluster"]["groups"]["orders"], pod)
        self.assertIn(container["readinessProbe"]["httpGet"]["httpHeaders"][0]["value"], config["http_hosts"])

    def test_etcd_is_where_the_daemons_look_for_it(self):
        names = [f"etcd-{i}" for i in range(self.etcds["replicas"])]
        self.assertEqual(yaml.safe_load(self.config)["cluster"]["endpoints"], [f"http://{name}.etcd:2379" for name in names])
        members = ",".join(f"{name}=http://{name}.etcd:2380" for name in names)
        self.assertIn(f"--initial-cluster={members}", self.etcds["template"]["spec"]["containers"][0]["args"])

    def test_labels_services_and_budgets_fit(self):
        for name, spec in ("millraced", self.daemons), ("etcd", self.etcds):
            labels = spec["template"]["metadata"]["labels"]
            self.assertEqual(spec["selector"]["matchLabels"], labels)
            self.assertEqual(spec["serviceName"], name)
            self.assertEqual(self.parts["Service", name]["spec"]["clusterIP"], "None")
            for part in self.parts["Service", name]["spec"]["selector"], self.parts["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"]:
                self.assertEqual(part, labels)
            self.assertEqual(self.parts["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"], labels)


class ClusterCompose(Directory):
    def test_each_daemon_takes_the_configuration_with_its_arguments(self):
        services = load("compose.cluster.yaml")[0]["services"]
        path = os.path.join(ROOT, "docker", "millraced.cluster.yaml")
        with open(path, encoding="utf-8") as file:
            cluster = yaml.safe_load(file)["cluster"]
        names = [name for name, service in services.items() if "depends_on" in service and "etcd-1" in service["depends_on"]]
        self.assertEqual(names, ["a", "b", "c"])
        self.assertIn(cluster["groups"]["orders"], names)
        for name in names:
            done = run("--check", "-c", path, *services[name]["command"])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"cluster.advertise=tcp://{name}:7223", services[name]["command"])
        members = services["etcd-1"]["environment"]["ETCD_INITIAL_CLUSTER"].split(",")
        self.assertEqual([f"http://{member.split('=')[0]}:2379" for member in members], cluster["endpoints"])
        self.assertEqual(services["producer"]["environment"]["MILLRACE_URL"], "tcp://" + ",".join(f"{name}:7223" for name in names))


if __name__ == "__main__":
    unittest.main()
