"""What taps cost: carrying a value to N targets beside a client that takes it and puts it N times; 64 subscribers beside NATS's; and the memory of
a value that 64 targets hold."""
import json
import os
import selectors
import socket
import struct
import threading
import time

from brokers import Broker, is_installed

VALUE = b'"#' + b"x" * 47 + b'"'  # 50 bytes
SUBSCRIBERS = 64
CHUNK, CHUNKS = 500, 40  # values that are under way at a time, and how often


def frame(**request):
    body = json.dumps(request).encode()
    return struct.pack(">I", len(body)) + body


class Client:
    """Sends frames, many in one go, and reads as many replies."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def reply(self):
        while len(self.rest) < 4 or len(self.rest) < 4 + struct.unpack(">I", self.rest[:4])[0]:
            got = self.socket.recv(1 << 20)
            if not got:
                raise SystemExit("the daemon has ended the connection")
            self.rest += got
        length = struct.unpack(">I", self.rest[:4])[0]
        body, self.rest = self.rest[4 : 4 + length], self.rest[4 + length :]
        return json.loads(body)

    def until_id(self, last):
        """Passes over replies, up to the one with this id: their text is enough."""
        mark = b'{"id":%d,' % last
        while True:
            at = self.rest.find(mark)
            if at >= 4 and len(self.rest) >= at + struct.unpack(">I", self.rest[at - 4 : at])[0]:
                self.rest = self.rest[at + struct.unpack(">I", self.rest[at - 4 : at])[0] :]
                return
            self.rest = self.rest[-100:] + self.socket.recv(1 << 20) if at < 0 else self.rest + self.socket.recv(1 << 20)

    def ask(self, **request):
        self.socket.sendall(frame(id=1, **request))
        reply = self.reply()
        if reply["status"] != "ok":
            raise SystemExit(f"{request}: {reply}")
        return reply


def put_frames(channel, n):
    return b"".join(struct.pack(">I", len(body)) + body for body in [b'{"op":"put","channel":"%s","value":%s}' % (channel.encode(), VALUE)]) * n


class Counter:
    """Reads many sockets, and counts how often a mark has come."""

    def __init__(self, sockets, mark):
        self.selector, self.mark, self.n, self.tails = selectors.DefaultSelector(), mark, 0, {}
        for one in sockets:
            self.selector.register(one, selectors.EVENT_READ)

    def until(self, n):
        while self.n < n:
            for key, _ in self.selector.select():
                data = self.tails.get(key.fd, b"") + key.fileobj.recv(1 << 18)
                self.n += data.count(self.mark)
                at = data.rfind(self.mark)
                self.tails[key.fd] = data[at + len(self.mark) :][-len(self.mark) :] if at >= 0 else data[-len(self.mark) + 1 :]


def measured(broker, work):
    """[microseconds of the broker's processor, seconds]"""
    cpu, begin = broker.cpu_us(), time.monotonic()
    work()
    return broker.cpu_us() - cpu, time.monotonic() - begin


def carrying(broker, n, how):
    """Values that come to `n` targets "by taps", or "by hand": a client takes each of the source and puts it to all; or "not at all", which is what
    it costs to put them into the source. Taking them from the targets is not measured. Microseconds for one value at one target."""
    client, names = Client(broker.port), [f"t{i}" for i in range(n)]
    client.ask(op="create", channel="source", kind="bounded", capacity=CHUNK)
    for name in names:
        client.ask(op="create", channel=name, kind="bounded", capacity=CHUNK)
        if how == "by taps":
            client.ask(op="tap", **{"from": "source", "to": name})
    take = b'{"id":7,"op":"take","channel":"%s"}'
    in_source = put_frames("source", CHUNK) + frame(id=2, op="ping")
    # Who carries by hand has to know when all have accepted a value: its puts have ids.
    puts = [b'{"id":8,"op":"put","channel":"%s","value":%s}' % (name.encode(), VALUE) for name in names]
    hand = b"".join(struct.pack(">I", len(body)) + body for body in [take % b"source", *puts]) * CHUNK
    rounds = max(1, 400 // n)
    total = 0

    for _ in range(rounds):
        def carry():
            client.socket.sendall(in_source)
            while client.reply()["id"] != 2:
                pass
            if how == "by hand":
                threading.Thread(target=client.socket.sendall, args=(hand + frame(id=9, op="ping"),)).start()
                client.until_id(9)
            while how == "by taps" and client.ask(op="stat", channel="source")["bytes"]:
                broker.watch(0.002)

        total += measured(broker, carry)[0]
        for name in ["source"] if how == "not at all" else names:
            got = 0
            while got < CHUNK:
                got += len(client.ask(op="take", channel=name, max=CHUNK)["values"])
    for name in [*names, "source"]:
        client.ask(op="delete", channel=name, force=True)
    client.socket.close()
    return total / rounds / CHUNK / n


def fan_out_millrace(broker):
    """[microseconds, seconds] for a delivery to one of the subscribers."""
    maker = Client(broker.port)
    maker.ask(op="create", channel="feed", kind="bounded", capacity=CHUNK)
    subscribers = []
    for _ in range(SUBSCRIBERS):
        subscriber = Client(broker.port)
        name = subscriber.ask(op="tap", **{"from": "feed", "kind": "dropping", "capacity": 2 * CHUNK})["to"]
        subscriber.socket.sendall(frame(id=2, op="take", channel=name, count=1_000_000))
        subscribers.append(subscriber)
    result = deliver(broker, maker.socket, [one.socket for one in subscribers], put_frames("feed", CHUNK))
    for one in [*subscribers, maker]:
        one.socket.close()
    return result


def fan_out_nats(broker):
    sockets = []
    for i in range(SUBSCRIBERS + 1):
        one = socket.create_connection(("127.0.0.1", broker.port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n' + (b"SUB feed 1\r\n" if i else b"") + b"PING\r\n")
        text = b""
        while b"PONG\r\n" not in text:
            text += one.recv(65536)
        sockets.append(one)
    result = deliver(broker, sockets[0], sockets[1:], (b"PUB feed %d\r\n%s\r\n" % (len(VALUE), VALUE)) * CHUNK)
    for one in sockets:
        one.close()
    return result


def deliver(broker, publisher, subscribers, chunk):
    counter = Counter(subscribers, VALUE[:2])
    publisher.sendall(chunk)  # to warm up
    counter.until(CHUNK * SUBSCRIBERS)

    def work():
        for _ in range(CHUNKS):
            goal = counter.n + CHUNK * SUBSCRIBERS
            publisher.sendall(chunk)
            counter.until(goal)

    cpu, seconds = measured(broker, work)
    n = CHUNKS * CHUNK * SUBSCRIBERS
    return cpu / n, seconds / n


def memory(broker):
    """Bytes that the daemon grows by when 64 targets hold a value of a megabyte."""
    client = Client(broker.port)
    client.ask(op="create", channel="large", kind="bounded", capacity=1)
    for i in range(SUBSCRIBERS):
        client.ask(op="create", channel=f"l{i}", kind="bounded", capacity=1)
        client.ask(op="tap", **{"from": "large", "to": f"l{i}"})

    def resident():
        with open(f"/proc/{broker.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    before = resident()
    client.ask(op="put", channel="large", value="x" * 1_000_000)
    return resident() - before


def measure_taps(cores, quick):
    """Of several rounds the best of each: noise only adds."""
    rounds, targets, fan_out = 1 if quick else 3, (SUBSCRIBERS,) if quick else (1, 8, SUBSCRIBERS), {"millrace": fan_out_millrace, "nats": fan_out_nats}
    brokers = {}
    try:
        for name in fan_out:
            if is_installed(name):
                brokers[name] = Broker(name, cores[0])
        millrace, rows = brokers["millrace"], {"carrying": {}, "fan_out": {name: [] for name in brokers}}
        for n in targets:
            put, taps, hand = (min(carrying(millrace, n, how) for _ in range(rounds)) for how in ("not at all", "by taps", "by hand"))
            rows["carrying"][n] = {"taps_us": taps - put, "hand_us": hand - put}
        for _ in range(rounds):
            for name, broker in brokers.items():
                rows["fan_out"][name].append(fan_out[name](broker))
        rows["grown_bytes"] = memory(millrace)
        return rows
    finally:
        for broker in brokers.values():
            broker.stop()


def tell_taps(rows, judge):
    print(f"\ntaps: a value of {len(VALUE)} bytes is carried to several targets, by the daemon or by a client\n  {'':30}{'taps µs':>9}{'client µs':>11}   CPU each")
    for n, cost in rows["carrying"].items():
        taps, hand = cost["taps_us"], cost["hand_us"]
        print(f"  {f'{n} targets':30}{taps:9.3f}{hand:11.3f}   {judge(taps / hand, 0.6, True)}")
    print(f"\ntaps: {SUBSCRIBERS} dropping subscribers, {len(VALUE)} bytes\n  {'':18}{'deliveries/s':>14}{'µs CPU':>9}")
    best = {name: [min(column) for column in zip(*results)] for name, results in rows["fan_out"].items()}
    for name, (cpu_us, seconds) in best.items():
        print(f"  {name:18}{1 / seconds:14,.0f}{cpu_us:9.3f}")
    if "nats" in best:
        for column, what in ((0, "deliveries a CPU"), (1, "rate")):
            print(f"  {what} of millrace against nats: {judge(best['nats'][column] / best['millrace'][column], 1, False)}")
    grown = rows["grown_bytes"] / 1e6
    print(f"  a value of 1 MB in {SUBSCRIBERS} targets takes {grown:.1f} MB, wanted at most 4 (one copy, and buffers): {'met' if grown <= 4 else 'MISSED'}")
