"""What durable channels cost those in memory beside them, and how long a daemon reads its journal."""
import statistics
import subprocess

from brokers import Broker, start_on
from scale import CHUNK, DRIVER, Peer, beside, ping_pong


def measure_ping_pongs(cores, ms):
    """A ping-pong over channels in memory, beside nobody and beside a load over durable ones. With three cores the load has one of its own."""
    broker = Broker("millrace durable", cores[0])
    load = [DRIVER, "millrace", str(broker.port), "pairs=4", "window=64", "size=50", f"ms={ms}"]
    try:
        return {
            "alone": ping_pong(broker, cores[-1], ms),
            "beside": beside(broker, cores[-1], ms, lambda: start_on(cores[len(cores) // 2], load, stdout=subprocess.DEVNULL).wait()),
        }
    finally:
        broker.stop()


def measure_reading_back(core, n):
    """Processor time, in seconds, of a daemon that was killed with so many values of 100 bytes in a channel, from its start until it answers. That all are there again is then shown by taking them."""
    broker = Broker("millrace durable", core)
    batch = b'{"id":1,"op":"put","channel":"bench-100","values":[' + b",".join([b'"' + b"x" * 98 + b'"'] * CHUNK) + b"]}"
    try:
        Peer(broker).ask_all([batch] * (n // CHUNK))
        broker.kill()
        broker.start()
        peer = Peer(broker)
        peer.ask_all([b'{"id":1,"op":"stat","channel":"bench-100"}'])
        cpu_s = broker.cpu_s_in_all()
        peer.ask_all([b'{"id":1,"op":"take","channel":"bench-100","max":%d,"timeout_ms":0}' % CHUNK] * (n // CHUNK))
        return {"n": n, "cpu_s": cpu_s}
    finally:
        broker.stop()


def measure_durable(cores, quick, ms):
    return {"ping_pongs": measure_ping_pongs(cores, ms), "reading_back": measure_reading_back(cores[0], 100_000 if quick else 1_000_000)}


def tell_durable(rows, judge):
    """The medians of several runs."""

    def median_us(name, quantile):
        return statistics.median(row["ping_pongs"][name][quantile] for row in rows)

    print("\ndurable: a ping-pong in memory, beside a load over durable channels of the same daemon and alone")
    for quantile, most in (("p50_us", 1.1), ("p99_us", 1.3)):
        beside_us, alone_us = median_us("beside", quantile), median_us("alone", quantile)
        print(f"  {quantile[:3]} {beside_us:.1f} µs against {alone_us:.1f} µs: {judge(beside_us / alone_us, most, True)}")
    n, cpu_s = rows[0]["reading_back"]["n"], statistics.median(row["reading_back"]["cpu_s"] for row in rows)
    wanted = 2 * n / 1_000_000
    print(f"  reading back {n:,} values of 100 bytes: {cpu_s:.2f} s of CPU, wanted at most {wanted:g}: {'met' if cpu_s <= wanted else 'MISSED'}")
