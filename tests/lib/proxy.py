#!/usr/bin/env python3
"""A TCP proxy that injects faults: it splits, delays, cuts, resets, or swallows what goes through it. One thread; what it does is decided by a seed."""
import heapq
import random
import selectors
import socket
import struct
import sys
import threading
import time

PIECE = 65536


class Fault:
    """What becomes of one connection. `after` counts the bytes in the direction `towards` ("daemon" or "client") until it strikes. The first
    `fine` bytes of each direction go in pieces of `piece` bytes, each `delay_s` after the other; what comes behind them, as it comes."""

    def __init__(self, kind="none", towards="daemon", after=0, piece=PIECE, delay_s=0.0, fine=4000):
        self.kind, self.towards, self.after = kind, towards, after  # kind: none cut reset swallow
        self.piece, self.delay_s, self.fine = piece, delay_s, fine

    @staticmethod
    def at_random(rng):
        piece, delay_s = rng.choice([(1, 0.0), (3, 0.0), (50, 0.001), (PIECE, 0.002), (PIECE, 0.0)])
        return Fault(
            kind=rng.choice(["none", "none", "cut", "reset", "swallow"]),
            towards=rng.choice(["daemon", "client"]),
            after=rng.randrange(4000),
            piece=piece,
            delay_s=delay_s,
        )


class Side:
    """One direction of one connection: from a socket to another."""

    def __init__(self, link, source, target, towards):
        self.link, self.source, self.target, self.towards = link, source, target, towards
        self.waiting = bytearray()
        self.passed = 0
        self.ended = False  # the source has
        self.is_due = True  # what waits may be sent


class Link:
    def __init__(self, client, daemon, fault):
        self.client, self.daemon, self.fault, self.swallows = client, daemon, fault, False
        self.sides = [Side(self, client, daemon, "daemon"), Side(self, daemon, client, "client")]
        self.is_open = True


class Proxy:
    """Listens at a free port of 127.0.0.1 (`port`), and connects to `target_port` there. `choose` gives each connection its Fault. For `with`."""

    def __init__(self, target_port, choose=lambda: Fault()):
        self.target_port, self.choose, self.is_silent = target_port, choose, False
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.wake, self.waker = socket.socketpair()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.selector.register(self.wake, selectors.EVENT_READ, None)
        self.links, self.timers, self.n_timers, self.running = set(), [], 0, True
        self.n_faults = 0
        self.obeyed = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.running = False
        self.waker.send(b"x")
        self.thread.join()
        for link in list(self.links):
            self.end(link)
        for each in (self.listener, self.wake, self.waker, self.selector):
            each.close()

    def run(self):
        while self.running:
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            for key, _ in self.selector.select(wait):
                if key.fileobj is self.wake:
                    self.obey(self.wake.recv(1))
                elif key.fileobj is self.listener:
                    self.accept()
                elif key.data and key.data.is_open:
                    self.handle(key.data)
            while self.timers and self.timers[0][0] <= time.monotonic():
                side = heapq.heappop(self.timers)[2]
                side.is_due = True
                if side.link.is_open:
                    self.handle(side.link)

    def order(self, byte):
        self.waker.send(byte)
        self.obeyed.acquire()

    def silence(self):
        """From now on nothing comes through, and nobody is told: a network that is parted. It has happened when this returns."""
        self.order(b"s")

    def heal(self):
        """What was silent breaks; new connections come through."""
        self.order(b"h")

    def obey(self, byte):
        if byte == b"x":
            return
        self.is_silent = byte == b"s"
        for link in list(self.links):
            if self.is_silent:
                link.swallows = True
                for side in link.sides:
                    side.waiting.clear()
            elif link.swallows:
                self.end(link)
        self.obeyed.release()

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        try:
            daemon = socket.create_connection(("127.0.0.1", self.target_port), 5)
        except OSError:
            client.close()
            return
        link = Link(client, daemon, self.choose())
        link.swallows = self.is_silent
        self.links.add(link)
        for end in (client, daemon):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(end, selectors.EVENT_READ, link)

    def handle(self, link):
        try:
            for side in link.sides:
                self.receive(side)
                self.forward(side)
                if not link.is_open:
                    return
            self.watch(link)
            if all(side.ended and not side.waiting for side in link.sides):
                self.end(link)
        except OSError:
            self.end(link)

    def receive(self, side):
        if side.ended or len(side.waiting) >= PIECE:
            return
        try:
            data = side.source.recv(PIECE)
        except BlockingIOError:
            return
        side.ended = not data
        if not side.link.swallows:
            side.waiting += data
        if side.ended and not side.waiting:
            side.target.shutdown(socket.SHUT_WR)

    def forward(self, side):
        fault = side.link.fault
        while side.waiting and side.is_due:
            is_fine = side.passed < fault.fine
            room = fault.piece if is_fine else PIECE
            if fault.kind != "none" and side.towards == fault.towards:
                room = min(room, fault.after - side.passed)
                if room <= 0:
                    self.strike(side.link)
                    return
            try:
                n = side.target.send(side.waiting[:room])
            except BlockingIOError:
                return
            del side.waiting[:n]
            side.passed += n
            if fault.delay_s and is_fine:
                side.is_due = False
                self.n_timers += 1
                heapq.heappush(self.timers, (time.monotonic() + fault.delay_s, self.n_timers, side))
            if side.ended and not side.waiting:
                side.target.shutdown(socket.SHUT_WR)

    def strike(self, link):
        self.n_faults += 1
        if link.fault.kind == "swallow":
            link.swallows = True
            for side in link.sides:
                side.waiting.clear()
                if side.ended:
                    side.target.shutdown(socket.SHUT_WR)
            return
        if link.fault.kind == "reset":
            for end in (link.client, link.daemon):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end(link)

    def watch(self, link):
        """Each socket for what can go on: reading while there is room, writing while something waits that is due."""
        forth, back = link.sides
        for end, reads, writes in ((link.client, forth, back), (link.daemon, back, forth)):
            events = selectors.EVENT_READ if not reads.ended and len(reads.waiting) < PIECE else 0
            events |= selectors.EVENT_WRITE if writes.waiting and writes.is_due else 0
            is_there = end in self.selector.get_map()
            if events and is_there:
                self.selector.modify(end, events, link)
            elif events:
                self.selector.register(end, events, link)
            elif is_there:
                self.selector.unregister(end)

    def end(self, link):
        link.is_open = False
        self.links.discard(link)
        for end in (link.client, link.daemon):
            if end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()


def random_faults(seed):
    """For Proxy's `choose`."""
    rng = random.Random(seed)
    return lambda: Fault.at_random(rng)


def main():
    """proxy.py PORT SEED: faults at random in front of that port, until standard input ends. Says where it listens."""
    with Proxy(int(sys.argv[1]), random_faults(int(sys.argv[2]))) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
