#!/usr/bin/env python3
"""One client of the soak, until its time is over or it is killed:  soak_worker.py NAME SEED SECONDS PORT...
Each life is a fresh connection to one of the ports, some of which go through bad networks. In the end it tells how often it was told what, in JSON."""
import json
import random
import socket
import struct
import sys
import time

from millraced import Connection

KIB = 1024
BROKEN = (OSError, TypeError, struct.error, ValueError)  # what becomes of a connection that meets its fault


class Worker:
    def __init__(self, name, seed, seconds, *ports):
        self.live = getattr(self, name)
        self.ends_at = time.monotonic() + float(seconds)
        self.rng = random.Random(int(seed))
        self.ports = [int(port) for port in ports]
        self.counts = {}

    def run(self):
        while time.monotonic() < self.ends_at:
            try:
                with Connection(self.rng.choice(self.ports)) as connection:
                    connection.socket.settimeout(2)
                    self.live(self.rng, connection)
            except BROKEN:
                pass
        print(json.dumps(self.counts))

    def count(self, reply):
        if reply is None:
            raise ConnectionError("the connection has ended")
        name = reply.get("error", reply["status"])
        self.counts[name] = self.counts.get(name, 0) + 1
        if time.monotonic() > self.ends_at:
            raise TimeoutError("the soak is over")

    def putter(self, rng, connection):
        for i in range(200):
            channel = rng.choice(["meet", "jobs", "jobs", "lossy", "latest", "leader"])
            value = {"n": i, "text": "x" * int(rng.paretovariate(1) * 20 % 20000)}
            values = {"values": [value] * rng.randrange(1, 9)} if rng.random() < 0.2 else {"value": value}
            self.count(connection.ask(id=i, op="put", channel=channel, timeout_ms=rng.choice([0, 5, 20]), **values))

    def taker(self, rng, connection):
        for i in range(200):
            more = rng.choice([{}, {}, {"max": rng.randrange(1, 50)}])
            channel = rng.choice(["meet", "jobs", "jobs", "lossy", "latest"])
            self.count(connection.ask(id=i, op="take", channel=channel, timeout_ms=rng.choice([0, 5, 20]), **more))

    def consumer(self, rng, connection):
        connection.send(id=1, op="take", channel=rng.choice(["jobs", "meet"]), count=rng.randrange(1, 200), timeout_ms=rng.randrange(1, 300))
        self.count(reply := connection.receive())
        while reply["status"] == "ok" and reply["left"] > 0:
            self.count(reply := connection.receive())

    def job_worker(self, rng, connection):
        """Takes a lease, works, and then mostly acks; or nacks, or lets it run out. What it is killed with comes back."""
        for i in range(200):
            taken = connection.ask(id=1, op="take", channel="work", lease_ms=300, timeout_ms=100, sticky=rng.random() < 0.3)
            self.count(taken)
            if taken["status"] != "ok":
                continue
            end = rng.random()
            if end < 0.05:
                continue
            if end < 0.1:
                self.count(connection.ask(id=2, op="nack", lease=taken["lease"], delay_ms=rng.randrange(50)))
                continue
            if end < 0.3:
                self.count(connection.ask(id=2, op="extend", lease=taken["lease"], lease_ms=500))
            # Done first, acked then: if it dies between the two, the job is done twice, and the second time says so.
            self.count(put := connection.ask(id=3, op="put", channel="done", value=[taken["value"], taken["deliveries"]]))
            self.count(connection.ask(id=4, op="ack" if put["status"] == "ok" else "nack", lease=taken["lease"]))  # "overloaded": another time

    def chooser(self, rng, connection):
        for i in range(100):
            arms = []
            for _ in range(rng.randrange(1, 6)):
                channel = rng.choice(["meet", "jobs", "lossy", "latest"])
                arms.append({"take": channel} if rng.random() < 0.5 else {"put": channel, "value": "y" * rng.randrange(2000)})
            connection.send(id=i, op="alts", arms=arms, timeout_ms=rng.choice([0, 10]), priority=rng.random() < 0.5)
            if rng.random() < 0.2:
                connection.send(id=1000 + i, op="cancel", request=i)
                self.count(connection.receive())
            self.count(connection.receive())
            connection.send(id=2000, op="take", channel="clock")  # where nothing ever comes
            connection.send(id=2001, op="cancel", request=2000)
            self.count(connection.receive())
            self.count(connection.receive())

    def hoarder(self, rng, connection):
        """Fills the memory to its cap, and some more; then makes room."""
        for i in range(1000):
            self.count(reply := connection.ask(id=i, op="put", channel="store", value="z" * rng.randrange(20000, 60000)))
            if reply["status"] != "ok":
                break
        for i in range(rng.randrange(50)):
            self.count(connection.ask(id=i, op="take", channel="store", timeout_ms=0))

    def owner(self, rng, connection):
        """Reply channels, and named ones that come and go."""
        for i in range(20):
            made = connection.ask(id=1, op="create", kind="bounded", capacity=2, ephemeral=True)
            self.count(made)
            self.count(connection.ask(id=2, op="put", channel=made.get("channel", "lossy"), values=[1, 2]))
            name = f"named.{rng.randrange(5)}"
            self.count(connection.ask(id=3, op="create", channel=name, kind=rng.choice(["promise", "unbuffered"])))
            self.count(connection.ask(id=4, op=rng.choice(["close", "peek", "stat"]), channel=name))
            self.count(connection.ask(id=5, op="delete", channel=name, force=True))

    def looker(self, rng, connection):
        for i in range(20):
            self.count(connection.ask(id=i, op="waiters", limit=rng.randrange(1, 100)))
            self.count(connection.ask(id=i, op="peek", channel="jobs", max=rng.randrange(1, 100)))
            self.count(connection.ask(id=i, op="list", match="*e*"))

    def trickler(self, rng, connection):
        """Half a large frame, then nothing for a while, then gone."""
        connection.socket.sendall(struct.pack(">I", 900 * KIB) + b"{" + b" " * rng.randrange(500 * KIB))
        connection.socket.settimeout(rng.random())
        self.count(connection.receive())

    def deaf(self, rng, connection):
        """Asks for much, and reads none of it for a while."""
        for i in range(50):
            connection.send(id=i, op="peek", channel="store", max=20)
            connection.send(id=1000 + i, op="take", channel="jobs")
        with Connection(self.ports[0]) as clock:
            clock.ask(id=1, op="take", channel="clock", timeout_ms=rng.randrange(1000))

    def vanisher(self, rng, connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", rng.randrange(2), 0))
        frames = b"".join(Connection.frame({"id": i, "op": rng.choice(["take", "put"]), "channel": "meet", "value": i}) for i in range(9))
        connection.socket.sendall(frames[: rng.randrange(len(frames))])


if __name__ == "__main__":
    Worker(*sys.argv[1:]).run()
