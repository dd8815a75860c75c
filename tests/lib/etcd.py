"""Real etcd nodes on free ports of loopback, for tests in Python: started, killed, stopped and continued. Everything waits for events, at most DEADLINE_S."""
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

DEADLINE_S = 60


def free_ports(n):
    """Ports of 127.0.0.1 that nobody has, all at once."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    """One etcd."""

    def __init__(self, name, directory, port, peer_port, members, options):
        self.name, self.port, self.process, self.is_stopped = name, port, None, False
        self.url = f"http://127.0.0.1:{port}"
        peer = f"http://127.0.0.1:{peer_port}"
        self.command = ["etcd", "--name", name, "--data-dir", os.path.join(directory, name), "--initial-cluster", members, "--initial-cluster-token", directory]
        self.command += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        self.command += ["--heartbeat-interval=50", "--election-timeout=300", "--logger=zap", *options]

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log, self.is_ready, self.changed = [], False, threading.Condition()
        self.reader = threading.Thread(target=self.read_log, args=(self.process,), daemon=True)
        self.reader.start()

    def read_log(self, process):
        for line in process.stderr:
            with self.changed:
                self.log = self.log[-50:] + [line]
                self.is_ready |= bool(re.search(r"ready to serve client requests|serving insecure client requests|serving client", line))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_ready(self):
        with self.changed:
            self.changed.wait_for(lambda: self.is_ready or self.process.poll() is not None, DEADLINE_S)
            assert self.is_ready, "".join(self.log)

    def end(self, number=signal.SIGKILL):
        if not self.process:
            return
        self.process.send_signal(number)
        if self.is_stopped:
            self.resume()
        self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        self.process.stderr.close()
        self.process = None

    def stop(self):
        """SIGSTOP: its connections stay, and are silent."""
        self.process.send_signal(signal.SIGSTOP)
        self.is_stopped = True

    def resume(self):
        self.is_stopped = False
        self.process.send_signal(signal.SIGCONT)

    def ask(self, path, **members):
        request = urllib.request.Request(self.url + path, json.dumps(members).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return json.load(answer)


class Etcd:
    """`n` nodes of one cluster, ready when made. For `with`. Without fsync unless `fsync`: what is killed is the process, not the machine."""

    def __init__(self, n=3, fsync=False, options=(), starts=True):
        self.directory = tempfile.mkdtemp(prefix="millrace-etcd.")
        ports = free_ports(2 * n)
        names = [f"e{i}" for i in range(n)]
        members = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in zip(names, ports[n:]))
        options = [*options, *([] if fsync else ["--unsafe-no-fsync"])]
        self.nodes = [Node(name, self.directory, ports[i], ports[n + i], members, options) for i, name in enumerate(names)]
        if starts:
            self.start()

    def start(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()

    @property
    def endpoints(self):
        return [node.url for node in self.nodes]

    def leader(self):
        """The node that leads, as one that runs sees it."""
        for node in self.nodes:
            if node.process and not node.is_stopped:
                status = node.ask("/v3/maintenance/status")
                leader = status.get("leader")
                for other in self.nodes:
                    if other.process and not other.is_stopped and other.ask("/v3/maintenance/status")["header"]["member_id"] == leader:
                        return other
        raise AssertionError("nobody leads")

    def keys(self, prefix):
        """All that begin so."""
        key = prefix.encode()
        end = key[:-1] + bytes([key[-1] + 1])
        node = next(node for node in self.nodes if node.process and not node.is_stopped)
        answer = node.ask("/v3/kv/range", key=base64.b64encode(key).decode(), range_end=base64.b64encode(end).decode(), keys_only=True)
        return [base64.b64decode(row["key"]).decode(errors="replace") for row in answer.get("kvs", [])]

    def end(self):
        for node in self.nodes:
            node.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.end()
