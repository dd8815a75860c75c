"""What is large: channels, parked takes, connections and values by the million, values of many MiB; and how long a ping-pong waits beside those who keep the daemon busy."""
import json
import os
import resource
import socket
import statistics
import struct
import subprocess
import threading
import time
import urllib.request

from brokers import BUILD, Broker, start_on

DRIVER = os.path.join(BUILD, "tests/bench/driver")
CHUNK = 1000
MIB = 1 << 20
LARGE_ROUNDS = 7


class Peer:
    """A connection that sends requests in chunks and counts replies, each of which has to be ok."""

    def __init__(self, broker):
        self.socket = socket.create_connection(("127.0.0.1", broker.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = bytearray()

    def send(self, bodies):
        self.socket.sendall(b"".join(struct.pack(">I", len(body)) + body for body in bodies))

    def expect(self, n):
        """Reads n replies."""
        while n > 0:
            at = 0
            while n > 0 and len(self.rest) - at >= 4:
                end = at + 4 + int.from_bytes(self.rest[at : at + 4], "big")
                if len(self.rest) < end:
                    break
                body = bytes(self.rest[at + 4 : min(end, at + 204)])
                if b'"status":"ok"' not in body[:64]:
                    raise SystemExit(f"scale: {body!r}")
                at, n = end, n - 1
            del self.rest[:at]
            if n > 0:
                self.rest += self.socket.recv(4 * MIB)

    def ask_all(self, bodies):
        """All of them, so many at a time."""
        chunk = []
        for body in bodies:
            chunk.append(body)
            if len(chunk) == CHUNK:
                self.send(chunk)
                self.expect(CHUNK)
                chunk = []
        self.send(chunk)
        self.expect(len(chunk))


def anonymous_bytes(broker):
    with open(f"/proc/{broker.process.pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous:"))


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


def grow(broker, kept, n, work):
    """What each of n costs the daemon: processor time, and memory. What the work returns is kept: memory that was given back would be had again free of charge."""
    bytes_before, cpu_before = anonymous_bytes(broker), broker.cpu_us()
    kept.append(work())
    return {"n": n, "cpu_us": (broker.cpu_us() - cpu_before) / n, "bytes": (anonymous_bytes(broker) - bytes_before) / n}


def make_channels(broker, n):
    Peer(broker).ask_all(b'{"id":1,"op":"create","channel":"scale-%d","kind":"bounded","capacity":4}' % i for i in range(n))


def park_takes(broker, n):
    peers = [Peer(broker) for _ in range(n // CHUNK)]
    for number, peer in enumerate(peers):
        peer.send([b'{"id":%d,"op":"take","channel":"arm-%d","timeout_ms":%d}' % (i, number % 60 + 1, 600000 + i) for i in range(CHUNK)] + [b'{"id":1000000,"op":"ping"}'])
    for peer in peers:
        peer.expect(1)  # the ping's: all before it have parked
    return peers


def open_connections(broker, n):
    peers = [Peer(broker) for _ in range(n)]
    for peer in peers:
        peer.ask_all([b'{"id":1,"op":"ping"}'])
    return peers


def put_values(broker, n):
    batch = b'{"id":1,"op":"put","channel":"bench-fan-large","values":[' + b",".join(b"%08d" % (10**7 + i) for i in range(CHUNK)) + b"]}"
    peer = Peer(broker)
    peer.ask_all([b'{"id":1,"op":"create","channel":"bench-fan-large","kind":"bounded","capacity":20000000}'])
    for _ in range(n // CHUNK):
        peer.ask_all([batch])
    return peer


def resident_bytes(broker):
    with open(f"/proc/{broker.process.pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))


def measure_burst(broker, n):
    """Memory before so many values come, while they are there, and 10 seconds after the last was taken."""
    before = resident_bytes(broker)
    peer = put_values(broker, n)
    most = resident_bytes(broker)
    peer.ask_all([b'{"id":1,"op":"take","channel":"bench-fan-large","max":1000}'] * (n // CHUNK))
    deadline = time.monotonic() + 10
    while resident_bytes(broker) > 2 * before and time.monotonic() < deadline:
        broker.watch(0.1)
    return {"n": n, "before": before, "most": most, "after": resident_bytes(broker)}


def measure_large_value(broker, size):
    """A put and a take of it, in turn: the median of how long they take, and the processor time of the daemon, in milliseconds."""
    peer, value = Peer(broker), b'"' + b"x" * (size - 2) + b'"'
    took_ms, cpu_before = [], broker.cpu_us()
    for _ in range(LARGE_ROUNDS):
        begin = time.monotonic()
        peer.ask_all([b'{"id":1,"op":"put","channel":"bench-50","value":' + value + b"}"])
        peer.ask_all([b'{"id":1,"op":"take","channel":"bench-50"}'])
        took_ms.append((time.monotonic() - begin) * 1000)
    return {"took": statistics.median(took_ms), "cpu": (broker.cpu_us() - cpu_before) / 1000 / LARGE_ROUNDS}


def ping_pong(broker, core, ms):
    settings = "producers=1 consumers=1 pingpong=1 queue=bench-pingpong"
    driver = start_on(core, [DRIVER, "millrace", str(broker.port), *settings.split(), f"ms={ms}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = driver.communicate()
    if driver.returncode:
        raise SystemExit(f"scale: {err}")
    return json.loads(out.splitlines()[-1])


def beside(broker, core, ms, busy):
    """A ping-pong while `busy` is called again and again."""
    ended = threading.Event()

    def keep_busy():
        while not ended.is_set():
            busy()

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        return ping_pong(broker, core, ms)
    finally:
        ended.set()
        thread.join()


def measure_ping_pongs(broker, core, ms):
    """p99.9, in microseconds, of it alone and beside three who keep the daemon busy."""
    lister = Peer(broker)
    flood = [DRIVER, "millrace", str(broker.port), "pairs=1", "window=512", "size=50", f"ms={ms}"]
    works = {
        "a client that pipelines flat out": lambda: start_on(core, flood, stdout=subprocess.DEVNULL).wait(),
        "a scrape of all channels": lambda: urllib.request.urlopen(f"http://127.0.0.1:{broker.http_port}/metrics").read(),
        "pages of list": lambda: lister.ask_all([b'{"id":1,"op":"list","limit":1000}']),
    }
    return {"nobody": ping_pong(broker, core, ms)["p999_us"], **{name: beside(broker, core, ms, work)["p999_us"] for name, work in works.items()}}


def measure_scale(cores, quick):
    """The numbers are those of the goals; of quick, a tenth."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 16384)), hard))
    few, many = (100_000, 1000) if quick else (1_000_000, 10_000)
    n_values = 500_000 if quick else 10_000_000
    broker = Broker("millrace large", cores[0])
    result = {}
    try:
        result["burst"] = measure_burst(broker, few)
        result["channels_before"] = min(few, 100_000)
        make_channels(broker, result["channels_before"])
        result["p999_us"] = measure_ping_pongs(broker, cores[-1], 300 if quick else 1500)
        result["large_ms"] = {f"{size // MIB} MiB": measure_large_value(broker, size) for size in (MIB, 15 * MIB)}
    finally:
        broker.stop()
    broker, kept = Broker("millrace large", cores[0]), []
    try:
        result["connection"] = grow(broker, kept, many, lambda: open_connections(broker, many))
        result["parked take with a time-out"] = grow(broker, kept, few, lambda: park_takes(broker, few))
        result["channel"] = grow(broker, kept, few, lambda: make_channels(broker, few))
        if available_bytes() < n_values * 200:
            n_values = available_bytes() // 200 // CHUNK * CHUNK
        result["value of 8 bytes"] = grow(broker, kept, n_values, lambda: put_values(broker, n_values))
    finally:
        broker.stop()
    return result


def tell_scale(result):
    print(f"\nscale: what each costs the daemon, with so many\n  {'':32}{'how many':>12}{'µs CPU':>9}{'bytes':>9}")
    for name, row in result.items():
        if isinstance(row, dict) and "cpu_us" in row:
            print(f"  {name:32}{row['n']:12,}{row['cpu_us']:9.2f}{row['bytes']:9.0f}")
    burst = result["burst"]
    mib = {name: burst[name] / MIB for name in ("before", "most", "after")}
    print(f"  memory before a burst of {burst['n']:,} values {mib['before']:.1f} MiB, with them {mib['most']:.1f}, within 10 s of the last take {mib['after']:.1f}: ×{mib['after'] / mib['before']:.2f}, wanted at most ×2: {'met' if mib['after'] <= 2 * mib['before'] else 'MISSED'}")
    for size, ms in result["large_ms"].items():
        print(f"  a value of {size}, put and taken: {ms['cpu']:.1f} ms CPU, and {ms['took']:.1f} ms until it is there, with the time of the one who asks")
    print(f"  p99.9 of a ping-pong, with {result['channels_before']:,} channels, beside")
    alone = result["p999_us"]["nobody"]
    for name, p999_us in result["p999_us"].items():
        print(f"    {name:34}{p999_us:9.1f} µs   ×{p999_us / alone:.1f}")
