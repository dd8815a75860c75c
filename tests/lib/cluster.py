"""Daemons that share channels through etcd, for tests in Python; clients that follow them, and a load whose history is checked. Everything waits for events, at most DEADLINE_S."""
import collections
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

from tests.lib.etcd import free_ports
from tests.lib.history import History
from tests.lib.millraced import DEADLINE_S, Daemon
from tests.lib.proxy import Proxy

SILENCE_S = 2.0  # after which a client that may ask elsewhere gives a daemon up
pause = threading.Event().wait  # of a client between two tries, as a reply told it


class Member:
    """One daemon of a cluster: where it is, and what runs there."""

    def __init__(self, name, port, http_port, proxies):
        self.name, self.port, self.http_port, self.proxies = name, port, http_port, proxies
        self.url, self.daemon, self.is_stopped = f"tcp://127.0.0.1:{port}", None, False

    def stop(self):
        """SIGSTOP: it does nothing, and does not know it."""
        self.daemon.kill(signal.SIGSTOP)
        self.is_stopped = True

    def resume(self):
        self.is_stopped = False
        self.daemon.kill(signal.SIGCONT)

    def part(self):
        """From etcd, not from its clients."""
        for proxy in self.proxies:
            proxy.silence()

    def heal(self):
        for proxy in self.proxies:
            proxy.heal()

    def kill(self):
        self.daemon.kill(signal.SIGKILL)
        if self.is_stopped:
            self.resume()
        self.daemon.wait()
        self.daemon = None

    def log(self):
        return self.daemon.log() if self.daemon else ""


class Cluster:
    """Daemons on free ports, ready when made. `groups`: who serves which; `channels`: the lines of the configuration. `parts`: between each daemon and etcd is a network that can be parted. For `with`."""

    def __init__(self, etcd, names="abc", groups=None, channels=None, prefix="/millrace", ttl_ms=1000, parts=False, more="", starts=True, users=None):
        self.directory = tempfile.mkdtemp(prefix="millrace-cluster.")
        self.etcd, self.groups, self.channels, self.prefix, self.ttl_ms, self.more, self.users = etcd, groups or {}, channels or {}, prefix, ttl_ms, more, users or {}
        ports = free_ports(2 * len(names))
        self.members = {}
        for i, name in enumerate(names):
            proxies = [Proxy(node.port) for node in etcd.nodes] if parts else []
            self.members[name] = Member(name, ports[2 * i], ports[2 * i + 1], proxies)
        if starts:
            for name in names:
                self.start(name, waits=False)
            for name in names:
                self.wait_ready(name)

    def __getitem__(self, name):
        return self.members[name]

    def configuration(self, name, **changes):
        member = self.members[name]
        endpoints = [f"http://127.0.0.1:{proxy.port}" for proxy in member.proxies] or self.etcd.endpoints
        cluster = {"name": name, "endpoints": endpoints, "prefix": self.prefix, "advertise": member.url}
        cluster.update(advertise_http=f"http://127.0.0.1:{member.http_port}", ttl_ms=self.ttl_ms, groups=self.groups)
        cluster.update(changes)
        path = os.path.join(self.directory, f"{name}-{len(os.listdir(self.directory))}.yaml")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps({"cluster": cluster, "channels": self.channels, **({"users": self.users} if self.users else {})}))  # which is YAML too
        return path

    def start(self, name, waits=True, **changes):
        member = self.members[name]
        arguments = ["-c", self.configuration(name, **changes), *self.more]
        member.daemon = Daemon(*arguments, listen=[member.url], http=f"127.0.0.1:{member.http_port}", waits=False)
        if waits:
            self.wait_ready(name)
        return member

    def wait_ready(self, name):
        self.members[name].daemon.wait_ready()

    def client(self, first=None, follows=True):
        return Client([member.port for member in self.members.values()], self.members[first].port if first else None, follows)

    def owner(self, channel):
        """The member that serves the channel, as soon as one does."""
        with self.client() as client:
            reply = client.ask("stat", channel=channel)
            assert reply["status"] == "ok", reply
            return next(member for member in self.members.values() if member.port == client.port)

    def logs(self):
        return "\n".join(f"-- {member.name}:\n{member.log()}" for member in self.members.values())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        statuses = {}
        for member in self.members.values():
            if not member.daemon:
                continue
            if member.is_stopped:
                member.resume()
            member.heal()
            if member.daemon.process.poll() is None:
                member.daemon.kill(signal.SIGTERM)
        for member in self.members.values():
            if member.daemon:
                statuses[member.name] = member.daemon.stop()
            for proxy in member.proxies:
                proxy.__exit__()
        if error[0]:
            print(self.logs())
        shutil.rmtree(self.directory, ignore_errors=True)
        assert error[0] or not any(statuses.values()), f"ended with {statuses}: {self.logs()}"


class Broken(Exception):
    """The connection has ended, and nobody knows whether what was asked has happened."""


class Client:
    """Asks one thing at a time, of whoever serves it: `moved` leads it on, `unavailable` lets it try again, and what was never sent goes elsewhere. Who does not follow sees every reply as it is."""

    def __init__(self, ports, port=None, follows=True):
        self.ports, self.port, self.follows = ports, port or ports[0], follows
        self.socket, self.last_id, self.n_moved = None, 0, 0

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), SILENCE_S if self.follows else DEADLINE_S)
        self.file = self.socket.makefile("rb")

    def hang_up(self):
        if self.socket:
            self.file.close()
            self.socket.close()
        self.socket = None

    def next_port(self):
        self.hang_up()
        self.port = self.ports[(self.ports.index(self.port) + 1) % len(self.ports)]

    def ask_here(self, op, members):
        """Of this daemon, once. None: it could not be asked."""
        try:
            if not self.socket:
                self.connect()
            self.last_id += 1
            body = json.dumps({"id": self.last_id, "op": op, **members}).encode()
        except OSError:
            self.hang_up()
            return None
        try:
            self.socket.sendall(struct.pack(">I", len(body)) + body)
            head = self.file.read(4)
            reply = self.file.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
            if not reply.endswith(b"}"):
                raise ConnectionError
            return json.loads(reply)
        except OSError as error:
            self.hang_up()
            raise Broken from error

    def ask(self, op, **members):
        """Broken: it may have happened."""
        end = time.monotonic() + DEADLINE_S
        while True:
            reply = self.ask_here(op, members)
            if not self.follows:
                return reply
            if reply is None:
                self.next_port()
                pause(0.01)
            elif reply.get("error") == "moved":
                self.n_moved += 1
                self.hang_up()
                self.port = int(reply["address"].rsplit(":", 1)[1])
            elif reply.get("error") == "unavailable":
                pause(reply.get("retry_ms", 10) / 1000)
            else:
                return reply
            assert time.monotonic() < end, f"nobody serves {members}: {reply}"

    def ask_until_answered(self, op, **members):
        """For what may happen twice."""
        while True:
            try:
                return self.ask(op, **members)
            except Broken:
                self.next_port()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.hang_up()


class Load:
    """Clients that put and take on durable channels, each with a history that is checked in the end. One consumer a channel, so that order can be checked. For `with`."""

    numbers = itertools.count()  # of producers: a cluster remembers what each has put, also for another load

    def __init__(self, cluster, channels, producers=3, leases=False):
        self.cluster, self.leases = cluster, leases
        self.histories = {channel: History() for channel in channels}
        self.goes_on, self.errors = True, []
        self.moment = threading.Condition()
        self.oks = []  # when each put was answered
        self.n_done = collections.Counter()  # by channel: puts that were
        jobs = [(self.produce, channel, f"p{next(self.numbers)}") for channel in channels for _ in range(producers)]
        jobs += [(self.consume, channel, "c") for channel in channels]
        self.threads = [threading.Thread(target=self.work, args=job, daemon=True) for job in jobs]

    def work(self, job, channel, name):
        try:
            with self.cluster.client() as client:
                job(client, channel, self.histories[channel], name)
        except Exception as error:  # which the test that waits is told
            with self.moment:
                self.errors.append(f"{name} of {channel}: {error!r}")
                self.moment.notify_all()

    def count(self, channel):
        with self.moment:
            self.n_done[channel] += 1
            self.oks.append(time.monotonic())
            self.moment.notify_all()

    def produce(self, client, channel, history, name):
        number = 0
        while self.goes_on:
            number += 1
            history.ask_put((name, number))
            reply = client.ask_until_answered("put", channel=channel, value=[name, number], producer=name, seq=number)
            assert reply["status"] == "ok", reply
            history.did_put((name, number))
            self.count(channel)

    def consume(self, client, channel, history, name):
        members = {"lease_ms": 60000} if self.leases else {}
        while self.goes_on:
            try:
                reply = client.ask("take", channel=channel, timeout_ms=200, **members)
            except Broken:
                if not self.leases:
                    history.take_without_answer()
                client.next_port()
                continue
            if reply["status"] != "ok":
                assert reply["status"] == "timeout", reply
                continue
            value = tuple(reply["value"])
            if self.leases and not self.acked(client, reply["lease"]):
                history.ack_without_answer(value)
                continue
            history.took(name, value)

    def acked(self, client, lease):
        """False: nobody knows, or the lease is gone, and the value comes again."""
        try:
            return client.ask("ack", lease=lease)["status"] == "ok"
        except Broken:
            client.next_port()
            return False

    def wait_more(self, n):
        """Until so many more puts were answered on each channel."""
        with self.moment:
            goal = {channel: self.n_done[channel] + n for channel in self.histories}
            self.moment.wait_for(lambda: self.errors or all(self.n_done[channel] >= goal[channel] for channel in goal), DEADLINE_S)
            assert not self.errors, "\n".join(self.errors) + self.cluster.logs()
            lacking = {channel: goal[channel] - self.n_done[channel] for channel in goal if self.n_done[channel] < goal[channel]}
            assert not lacking, f"puts that did not go on: {lacking} of {n}: {self.cluster.logs()}"

    def longest_pause_s(self):
        """Between two puts that were answered."""
        return max(after - before for before, after in zip(self.oks, self.oks[1:]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.goes_on = False
        for thread in self.threads:
            thread.join(DEADLINE_S)
        if error[0]:
            return
        assert not self.errors, "\n".join(self.errors) + self.cluster.logs()
        faults = []
        with self.cluster.client() as client:
            for channel, history in self.histories.items():
                while (row := client.ask("stat", channel=channel))["buffered"] + row["leased"] > 0:
                    reply = client.ask("take", channel=channel, max=1000)
                    history.left += map(tuple, reply["values"])
                faults += [f"{channel}: {fault}" for fault in history.faults()]
        assert not faults, "\n".join(faults[:20]) + self.cluster.logs()
