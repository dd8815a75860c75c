"""What is measured, of whom, and what we want to reach."""
from typing import NamedTuple

# How a row of a table is driven: broker, protocol of the driver, settings beside the workload's.
TARGETS = {
    "millrace": ("millrace", "millrace", ""),  # {"id":1,"op":"put",...
    "millrace op first": ("millrace", "millrace", "style=1"),  # {"op":"put","id":1,...
    "millrace foreign": ("millrace", "millrace", "style=2"),  # {"op": "put", "id": 1, ... with objects as values: as many languages' libraries write it
    "millrace credit": ("millrace", "millrace-credit", ""),  # put without `id`, take with `count`
    "millrace TLS": ("millrace TLS", "millrace", "tls=1"),  # 1.3
    "millrace spinning": ("millrace spinning", "millrace", ""),  # spin_us: 50
    "redis": ("redis", "redis", ""),
    "nats": ("nats", "nats", ""),  # verbose off, as its users run it: no put is acknowledged. As many values under way as Millrace has requests in flight
    "nats half": ("nats", "nats", "half=1"),  # half as many: a value is two of Millrace's requests
    "nats verbose": ("nats", "nats-verbose", ""),
    "beanstalkd": ("beanstalkd", "beanstalkd", ""),
    "millrace, journal": ("millrace durable", "millrace", "queue=memory-50"),  # channels in memory, of a daemon that has durable ones too
    "millrace durable": ("millrace durable", "millrace", ""),
    "redis durable": ("redis durable", "redis", ""),  # appendfsync always
    "beanstalkd durable": ("beanstalkd durable", "beanstalkd", ""),  # -f0
    "rabbitmq durable": ("rabbitmq durable", "amqp", ""),  # a durable queue, publisher confirms; as many values under way as Millrace has requests in flight
    "echo": ("echo", "echo", ""),  # millrace's bytes, merely sent back
    "plain take": ("millrace", "millrace", ""),
    "alts over 1": ("millrace", "millrace", "arms=1"),
    "alts over 8": ("millrace", "millrace", "arms=8"),
    "alts over 64": ("millrace", "millrace", "arms=64"),
}


# One broker, driven in several ways: a goal is judged by the worst of them.
WORST_OF = {"millrace": ["millrace", "millrace op first", "millrace foreign"]}


class Goal(NamedTuple):
    """`of` is at least so many times as good as `against`: by processor time of the broker for a hand-off, by rate, or (at most so many times as long) by latency."""

    of: str
    against: str
    factor: float
    member: str = "cpu_us"


class Workload(NamedTuple):
    title: str
    settings: str
    targets: list
    goals: list = []
    is_latency: bool = False
    times_longer: int = 1


def durable(title, settings, against_redis, has_all=True):
    """All sync to the same disk before they answer, which takes milliseconds: they are looked at for longer. beanstalkd and AMQP know no batches."""
    peers = {"redis durable": against_redis, **({"beanstalkd durable": 15, "rabbitmq durable": 3} if has_all else {})}
    return Workload(f"durable, {title}", settings, ["millrace durable", *peers], [Goal("millrace durable", peer, factor, "rate") for peer, factor in peers.items()], times_longer=2)


STYLES = ["millrace", "millrace op first", "millrace foreign"]
PEERS = ["redis", "nats", "nats verbose", "beanstalkd"]
WORKLOADS = {
    "pingpong": Workload(
        "hand-off to a take that waits, 50 B, one at a time",
        "producers=1 consumers=1 pingpong=1 queue=bench-pingpong",
        ["millrace", "millrace spinning", *PEERS, "echo"],
        [
            *(Goal("millrace", peer, factor, quantile) for quantile in ("p50_us", "p99_us") for peer, factor in (("echo", 1.1), ("redis", 0.95), ("nats", 1))),
            Goal("millrace spinning", "redis", 0.4, "p50_us"),
        ],
        is_latency=True,
    ),
    "one-50": Workload(
        "50 connections, one request in flight each, 50 B",
        "pairs=50 window=1 size=50",
        ["millrace", "millrace credit", *PEERS, "echo"],
        [Goal("millrace", "echo", 0.95, "rate"), Goal("millrace", "redis", 1.15, "rate"), Goal("millrace credit", "redis", 2.3, "rate"), Goal("millrace credit", "nats", 1.2, "rate")],
    ),
    "window-50": Workload(
        "4 connections, 64 in flight, 50 B",
        "pairs=4 window=64 size=50",
        [*STYLES, "millrace credit", "millrace TLS", "millrace, journal", "redis", "nats", "nats half", "nats verbose", "beanstalkd", "echo"],
        [
            *(Goal("millrace", peer, factor) for peer, factor in (("redis", 3.3), ("nats", 1.2), ("nats half", 1.2))),
            *(Goal("millrace", peer, factor, "rate") for peer, factor in (("redis", 2.5), ("nats", 1), ("beanstalkd", 40))),
            Goal("millrace TLS", "millrace", 0.5, "rate"),
            Goal("millrace, journal", "millrace", 0.97),
        ],
    ),
    "window-1k": Workload(
        "4 connections, 64 in flight, 1 KiB",
        "pairs=4 window=64 size=1024",
        [*STYLES, "millrace credit", "millrace TLS", "redis", "nats", "nats half", "nats verbose", "beanstalkd", "echo"],
        [*(Goal("millrace", peer, factor) for peer, factor in (("redis", 2.5), ("nats", 1.8), ("nats half", 1.8))), Goal("millrace TLS", "millrace", 0.5, "rate")],
    ),
    "apart-50": Workload(
        "2 producers and 2 consumers, 64 in flight each, 50 B",
        "producers=2 consumers=2 window=64 size=50 queue=bench-apart",
        [*STYLES, "redis", "nats", "nats half"],
        [Goal("millrace", "redis", 3)],
    ),
    "batch-50": Workload("batches of 64, 50 B", "pairs=4 window=4 batch=64 size=50", [*STYLES, "redis"], [Goal("millrace", "redis", 1.45)]),
    "batch-1k": Workload("batches of 64, 1 KiB", "pairs=4 window=4 batch=64 size=1024", [*STYLES, "redis"], [Goal("millrace", "redis", 1.3)]),
    "fan-in": Workload(
        "1000 producers with one put in flight, 1 consumer, 50 B",
        "producers=1000 consumers=1 window=1 consumer_window=1000 queue=bench-fan",
        ["millrace", "millrace credit", *PEERS],
    ),
    "alts": Workload(
        "alts, 4 connections, 64 in flight, 50 B",
        "pairs=4 window=64 size=50 style=1",
        ["plain take", "alts over 1", "alts over 8", "alts over 64"],
        [Goal("alts over 8", "plain take", 0.7)],
    ),
    "durable-window-50": durable("4 connections, 64 in flight, 50 B", "pairs=4 window=64 size=50", 1.5),
    "durable-one-50": durable("50 connections, one request in flight each, 50 B", "pairs=50 window=1 size=50", 1.3),
    "durable-batch-50": durable("batches of 64, 50 B", "pairs=4 window=4 batch=64 size=50", 1.3, has_all=False),
    "durable-window-1k": durable("4 connections, 64 in flight, 1 KiB", "pairs=4 window=64 size=1024", 1.5),
}
