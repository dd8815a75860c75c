"""Clients of durable channels who put, take, choose, lease, move and tap until the daemon is gone, and a journal of what they were told.

- a: plain takes and moves, to b: what comes of either is in order,
- b: filled by moves alone, with leases that are acked,
- q: leases that end in every way, delays, and d for its dead letters, which are moved back,
- s: taps carry it to audit, which nobody takes from, to work, which is often full, and to live, which is not durable."""
import collections
import random
import threading

from tests.lib.durable import Wire
from tests.lib.history import History

CHANNELS = {
    "a": "kind: bounded, capacity: 1000, durable: true",
    "b": "kind: bounded, capacity: 1000, durable: true",
    "d": "kind: bounded, capacity: 1000, durable: true",
    "q": "kind: bounded, capacity: 1000, durable: true, max_deliveries: 2, dead_letter: d",
    "kept": "kind: bounded, capacity: 50, durable: true",
    "s": "kind: bounded, capacity: 1000, durable: true",
    "audit": "kind: bounded, capacity: 1000000, durable: true",
    "work": "kind: bounded, capacity: 7, durable: true",
    "live": "kind: sliding, capacity: 5",
}
DEFINITIONS = [argument for name, definition in CHANNELS.items() for argument in ("--set", f"channels.{name}={{{definition}}}")]
DEFINITIONS += ["--set", "taps=[{from: s, to: live}]"]
PUT_TO = {"b": "a", "d": "q", "work": "s"}  # where the values of others come from
KEPT = [f"{i}{'x' * 10000}" for i in range(50)]  # nobody takes them: a checkpoint of them takes several slices
PARK_MS = 5  # of a put
COUNTERS_IN, COUNTERS_OUT = ("accepted", "returned", "recovered"), ("taken", "buffered", "leased", "evicted", "dead_lettered", "discarded")


class Load:
    """What all clients know, of all lives of the daemon."""

    def __init__(self, seed, pad=0):
        self.seed, self.pad = seed, pad  # bytes: values are up to that long
        self.histories = {"a": History(), "q": History(), "s": History()}  # by where values are put
        self.cut_off = collections.deque()  # puts that got no answer: they are sent again in the next life
        self.lives = self.puts = self.unavailable = 0  # of all clients, about
        self.mistakes = []  # answers that may not be

    def prepare(self, port):
        """Once."""
        wire = Wire(port)
        assert wire.ask("put", channel="kept", values=KEPT)["accepted"] == len(KEPT)
        for to in ("audit", "work"):
            assert wire.ask("tap", to=to, **{"from": "s"})["status"] == "ok"
        wire.close()

    def begin(self, port, n=6):
        """A life: its clients, who are running."""
        self.lives += 1
        clients = [Client(self, port, self.lives * 100 + i) for i in range(n)]
        for client in clients:
            client.start()
        return clients

    def pop_cut_off(self):
        try:
            return self.cut_off.popleft()
        except IndexError:
            return None

    def drain(self, port):
        """Takes what is left, and says what is wrong, in words."""
        wire = Wire(port)
        faults = list(self.mistakes)
        left = {channel: [] for channel in CHANNELS}
        durable = [channel for channel in CHANNELS if channel != "live"]

        def are_empty():
            rows = [wire.ask("stat", channel=channel) for channel in durable]
            faults.extend(f"the books do not balance: {row}" for row in rows if sum(row[c] for c in COUNTERS_IN) != sum(row[c] for c in COUNTERS_OUT))
            return all(row["buffered"] + row["leased"] == 0 for row in rows)

        while not are_empty():
            for channel in durable:
                if channel != "s":  # the taps take from there
                    left[channel] += wire.ask("take", channel=channel, max=1000, timeout_ms=0).get("values", [])
        wire.close()
        if left.pop("kept") != KEPT:
            faults.append("what was only kept has changed")
        for name, channels in {"a": "ab", "q": "qd", "s": ("work",)}.items():
            history = self.histories[name]
            history.left = [key_of(value) for channel in channels for value in left[channel]]
            faults += history.faults()
        audit = History()
        audit.asked, audit.put = self.histories["s"].asked, self.histories["s"].put
        audit.taken["audit"] = [key_of(value) for value in left["audit"]]
        return faults + audit.faults()


def key_of(value):
    return tuple(value[:2])


class Client(threading.Thread):
    def __init__(self, load, port, number):
        super().__init__(daemon=True)
        self.load, self.port, self.number = load, port, number
        self.random = random.Random(load.seed * 1000 + number)
        self.last = 0
        self.acts = [self.put] * 5 + [self.take, self.lease, self.lease, self.give_back, self.choose, self.move]

    def run(self):
        try:
            self.wire = Wire(self.port)
        except OSError:
            return
        try:
            while put := self.load.pop_cut_off():
                self.send_put(*put)
            while True:
                self.random.choice(self.acts)()
        except OSError:
            pass
        except Exception as error:  # it would go unseen
            self.load.mistakes.append(repr(error))
        self.wire.close()

    def history_of(self, channel):
        return self.load.histories[PUT_TO.get(channel, channel)]

    # -- Putting --

    def make_values(self, n, history):
        values = []
        for _ in range(n):
            self.last += 1
            values.append([self.number, self.last, "x" * self.random.randrange(1 + self.load.pad)])
            history.ask_put(key_of(values[-1]))
        return values

    def put(self):
        channel = self.random.choice("aqs")
        values = self.make_values(1 + self.random.randrange(4), self.history_of(channel))
        self.send_put(channel, {"values": values, "producer": f"p{self.number}", "seq": values[0][1], "delay_ms": self.random.choice((0, 5, 50)) if channel == "q" else 0})

    def send_put(self, channel, members):
        """Sent again it has to enter once."""
        try:
            reply = self.wire.ask("put", channel=channel, timeout_ms=PARK_MS, **members)
        except OSError:
            self.load.cut_off.append((channel, members))
            raise
        self.load.puts += 1
        if reply.get("error") == "unavailable":
            self.load.unavailable += 1
        elif reply["status"] not in ("ok", "timeout"):
            self.load.mistakes.append(str(reply))
        for value in members["values"][: reply.get("accepted", 0)]:
            self.history_of(channel).did_put(key_of(value))

    # -- Taking --

    def took(self, channel, value):
        """In q nothing has an order, nor where its dead letters are: each value has a consumer of its own."""
        self.history_of(channel).took(key_of(value) if channel in "qd" else (self.number, channel), key_of(value))

    def take(self):
        channel = self.random.choice(("a", "b", "q", "d", "work"))
        self.take_plainly("take", {"channel": channel}, channel)

    def take_plainly(self, op, members, channel):
        try:
            reply = self.wire.ask(op, timeout_ms=0, **members)
        except OSError:
            self.history_of(channel).take_without_answer()
            raise
        if "value" in reply:
            self.took(channel, reply["value"])
        return reply

    def choose(self):
        """The put of an alts is of no producer: nobody knows whether one without an answer has entered, and it is not sent again."""
        history = self.load.histories["a"]
        [value] = self.make_values(1, history)
        arms = [{"take": "b"}, {"put": "a", "value": value}]
        reply = self.take_plainly("alts", {"arms": arms, "priority": self.random.random() < 0.5}, "b")
        if reply["status"] == "ok" and reply["arm"] == 1:
            history.did_put(key_of(value))

    def take_leased(self, channel, **members):
        return self.wire.ask("take", channel=channel, max=1 + self.random.randrange(5), timeout_ms=0, **members)

    def lease(self):
        channel = self.random.choice(("b", "q", "d", "work"))
        reply = self.take_leased(channel, lease_ms=60000)
        if reply["status"] != "ok":
            return
        try:
            acked = self.wire.ask("ack", lease=reply["lease"])
        except OSError:
            for value in reply["values"]:
                self.history_of(channel).ack_without_answer(key_of(value))
            raise
        if acked["status"] != "ok":
            self.load.mistakes.append(str(acked))
        for value in reply["values"]:
            self.took(channel, value)

    def give_back(self):
        is_sticky = self.random.random() < 0.3
        reply = self.take_leased("q", lease_ms=200 if is_sticky else 60000, sticky=is_sticky)
        if reply["status"] == "ok" and self.random.random() < 0.8:  # else it ends, or the daemon does
            self.wire.ask("nack", lease=reply["lease"], delay_ms=self.random.choice((0, 20)), counted=self.random.random() < 0.5)

    def move(self):
        if self.random.random() < 0.8:
            self.wire.ask("move", to="b", max=10, **{"from": "a"})
        else:
            self.wire.ask("move", **{"from": "d"})
