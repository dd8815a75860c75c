"""The client for asyncio. Everything that it can do is here; sync.py runs it in a thread for programs without a loop.

A take is leased while it is on its way, and acknowledged in the moment in which the caller gets the value, with no await between: so one
that is cancelled (a CancelledError, asyncio.timeout) is withdrawn in the daemon, and a value that was on its way already goes back to
its place. Nothing is lost, and no CancelledError is swallowed.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Iterable, Mapping, Optional, Sequence, Union

from . import url as urls
from .errors import Closed, ConnectionLost, ForkError, Refused, Timeout
from .iteration import Jobs, Subscription
from .job import Job, accept, give_back
from .link import PROTOCOL, Link, Reply, milliseconds

HANDOVER_MS = 60_000  # the lease of a take while its value is on its way
PUT_WINDOW = 512  # unanswered puts of one channel: the daemon remembers 1024, so each can be sent again
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
FREE_REPEATS, REPEAT_PAUSE_S = 3, 0.1  # so often a request is sent again at once; daemons that disagree, or fall, need time

Row = Mapping[str, Any]
PutArm = tuple[str, Any]
Arm = Union[str, PutArm]


def group_of(channel: str) -> str:
    """The group that a channel belongs to: what stands in the first pair of braces in its name, else `default`."""
    match = re.search(r"\{([^}]*)\}", channel)
    return match[1] if match and match[1] else "default"


@dataclass(frozen=True)
class Choice:
    """What came of an alts: which arm happened (its index), on which channel; the value, if it was a take; whether a put's value was
    shed; and with a lease the job."""

    arm: int
    channel: str
    value: Any = None
    is_dropped: bool = False
    job: Optional["Job"] = None


@dataclass(frozen=True)
class Settings:
    """How a client connects. See connect()."""

    url: str | None = None
    name: str = "python"
    token: str | None = None
    tls: ssl.SSLContext | None = None
    connect_timeout: float = 5.0
    reconnect: float | None = 30.0
    addresses: list[urls.Address] = field(default_factory=list)


class _PutWindow:
    """How many puts of one channel are unanswered; more wait for a place."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(PUT_WINDOW)
        self.users = 0


class AsyncClient:
    """A client for one event loop; any number of its tasks share it and its connection. Make it with connect()."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pid = os.getpid()
        self._links: dict[urls.Address, Link] = {}
        self._routes: dict[str, urls.Address] = {}
        self._connecting: dict[urls.Address | None, asyncio.Task[Link]] = {}
        self._is_ended = False
        self._failure = ""  # why the last address that was tried did not let us in
        self._producer = secrets.token_hex(12)
        self._last_seq = -1
        self._windows: dict[str, _PutWindow] = {}
        self._promises: set[str] = set()  # channels of which nothing can be leased
        self._ephemeral: dict[str, dict[str, Any]] = {}  # made again with a new connection

    # -- Connections --

    async def __aenter__(self) -> "AsyncClient":
        await self.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.disconnect()

    async def connect(self) -> "AsyncClient":
        """Reaches a daemon, within connect_timeout. ConnectionLost if none answers, Refused if it does not let this user in."""
        try:
            await self._link(None, self._settings.connect_timeout)
        except BaseException:
            await self.disconnect()
            raise
        return self

    async def disconnect(self) -> None:
        """What is parked is cancelled by the daemon; what is leased and not acknowledged comes back; ephemeral channels go."""
        self._is_ended = True
        connecting = list(self._connecting.values())
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        links, self._links = self._links, {}
        if os.getpid() == self._pid:
            await asyncio.gather(*(link.close() for link in links.values()))

    @property
    def features(self) -> frozenset[str]:
        """What the daemon can do beyond the first version of the protocol; empty while there is no connection."""
        return next((link.features for link in self._links.values() if link.is_open), frozenset())

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise ForkError("this client was made before a fork, by another process: connect() anew in this one", "forked")
        if self._is_ended:
            raise ConnectionLost("the client has disconnected", "disconnected")

    async def _link(self, group: str | None, patience: float | None) -> Link:
        """A connection to who owns the group, made if there is none, within `patience` seconds."""
        address = self._routes.get(group) if group is not None else None
        for known, link in list(self._links.items()):
            if not link.is_open:
                del self._links[known]
        if address is None and self._links:
            return next(iter(self._links.values()))
        if address in self._links:
            return self._links[address]
        task = self._connecting.get(address)
        if task is None:
            task = self._connecting[address] = asyncio.ensure_future(self._open(address))
            task.add_done_callback(lambda done: self._opened(address, done))
        done, _ = await asyncio.wait({task}, timeout=patience)
        if not done:
            where = address or ", ".join(str(known) for known in self._settings.addresses)
            why = f" ({self._failure})" if self._failure else ""
            raise ConnectionLost(f"no daemon answers at {where}{why}", "unreachable")
        if task.cancelled():
            raise ConnectionLost("the client has disconnected", "disconnected")
        return task.result()

    def _opened(self, address: urls.Address | None, task: asyncio.Task[Link]) -> None:
        self._connecting.pop(address, None)
        if not task.cancelled():
            task.exception()

    async def _open(self, address: urls.Address | None) -> Link:
        """Tries the address, or all, each in its share of the time, again and again with growing pauses. Refused: the daemon does not
        let us in."""
        settings, pause, failures = self._settings, FIRST_PAUSE_S, 0
        while True:
            candidates = [address] if address else settings.addresses
            for candidate in candidates:
                opening = Link.open(candidate, settings.name, settings.token, self._context(candidate))
                try:
                    link = await asyncio.wait_for(opening, settings.connect_timeout / len(candidates))
                except (ConnectionLost, asyncio.TimeoutError) as error:
                    self._failure = str(error) or f"{candidate}: no answer in time"
                    if self._is_ended:  # a cancelling that met the end of wait_for() is lost
                        raise ConnectionLost("the client has disconnected", "disconnected") from error
                    continue
                self._failure = ""
                self._links[candidate] = link
                for members in self._ephemeral.values():
                    link.post("create", members)
                return link
            failures += 1
            if address and failures >= 2:  # a route that leads nowhere: ask the others who owns the group now
                self._routes = {group: known for group, known in self._routes.items() if known != address}
                address = None
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _context(self, address: urls.Address) -> ssl.SSLContext | None:
        if address.scheme != "tls":
            return None
        return self._settings.tls or ssl.create_default_context()

    # -- Requests --

    async def _ask(
        self,
        op: str,
        members: dict[str, Any],
        *,
        channel: str | None = None,
        timeout: float | None = None,
        repeat: bool = False,
        seq: int | None = None,
        raw: bool = False,
        has_timeout: bool = False,
    ) -> tuple[Reply, Link]:
        """Sends a request and waits for its reply. After a cut it is sent again if `repeat` says that this does no harm, or if it is a
        put (with `seq`) and the daemon knows puts again; else ConnectionLost says that nobody knows."""
        self._check()
        loop = asyncio.get_running_loop()
        group = group_of(channel) if channel is not None else None
        deadline = None if timeout is None else loop.time() + timeout
        limit_ms = None if timeout is None else milliseconds(timeout)
        repeats = 0
        while True:
            patience = self._patience(None if deadline is None else deadline - loop.time())
            link = await self._link(group, patience)
            await link.writable()
            may_repeat = limit_ms != 0 or repeats < FREE_REPEATS  # no pause is short enough for who does not wait
            present = dict(members)
            if has_timeout and limit_ms is not None:
                present["timeout_ms"] = limit_ms
            is_once = seq is not None and "once" in link.features
            if is_once:
                present.update(producer=self._producer, seq=seq)
            try:
                return await self._await_reply(link, op, present, raw), link
            except ConnectionLost as error:
                if self._is_ended or error.code == PROTOCOL or not (repeat or is_once) or not may_repeat:
                    raise
                pause = 0.0
            except Refused as error:
                redirected = self._redirected(group, error, link)
                if redirected is None or not may_repeat or (error.code == "unavailable" and deadline is not None and loop.time() + redirected > deadline):
                    raise
                pause = redirected
            repeats += 1
            await asyncio.sleep(max(pause, REPEAT_PAUSE_S) if repeats > FREE_REPEATS else pause)
            if deadline is not None:
                if limit_ms and loop.time() >= deadline:
                    raise Timeout("the time ran out while the daemon was away", "timeout")
                limit_ms = milliseconds(max(0.0, deadline - loop.time()))

    def _patience(self, left: float | None) -> float | None:
        """How long to wait for a connection: as long as the request, but no longer than `reconnect`."""
        longest = self._settings.reconnect
        if left is None:
            return longest
        least = max(left, 1.0)
        return least if longest is None else min(least, longest)

    async def _await_reply(self, link: Link, op: str, members: dict[str, Any], raw: bool) -> Reply:
        future = link.send(op, members, raw, on_late=lambda reply: self._on_late(link, reply))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._on_late(link, future.result())  # the reply and the cancelling met
            raise

    @staticmethod
    def _on_late(link: Link, reply: Reply) -> None:
        if "lease" in reply:
            give_back(link, str(reply["lease"]))

    def _redirected(self, group: str | None, error: Refused, link: Link) -> float | None:
        """After how many seconds to ask again, and whom; None: the refusal stands. Who has asked for TLS keeps to it."""
        if error.code == "moved" and group is not None:
            try:
                address = urls.parse(str(error.reply.get("address")))[0]
            except ValueError:
                return None
            if link.address.scheme == "tls" and address.scheme != "tls":
                return None
            self._routes[group] = address
            return 0.0
        if error.code == "unavailable" and "retry_ms" in error.reply:
            self._routes.pop(group or "", None)
            return float(error.reply["retry_ms"]) / 1000
        return None

    # -- Put and take --

    async def put(self, channel: str, value: Any, *, timeout: float | None = None, delay: float = 0.0) -> bool:
        """Puts a value, and waits for room as long as `timeout` seconds (None: for ever; 0: not at all, Timeout).

        True: it is in the channel, or has met a take. False: the channel shed it (dropping, promise). With `delay` it enters after so
        many seconds. After a cut it is sent again, and enters once. Closed, Timeout, Refused, ConnectionLost.
        """
        reply = await self._put(channel, {"value": value}, timeout, delay)
        return bool(reply["status"] == "ok")

    async def put_many(self, channel: str, values: Iterable[Any], *, timeout: float | None = None, delay: float = 0.0) -> int:
        """Puts 1 to 10,000 values in order, in one step; how many were accepted (the rest was shed). An exception says how many were
        in `accepted`."""
        reply = await self._put(channel, {"values": list(values)}, timeout, delay)
        return int(reply["accepted"])

    async def _put(self, channel: str, members: dict[str, Any], timeout: float | None, delay: float) -> Reply:
        if delay:
            members["delay_ms"] = milliseconds(delay, "delay")
        window = self._windows.setdefault(channel, _PutWindow())
        window.users += 1
        try:
            async with window.places:
                self._last_seq += 1
                reply, _ = await self._ask(
                    "put", {"channel": channel, **members}, channel=channel, timeout=timeout, seq=self._last_seq, has_timeout=True
                )
                return reply
        finally:
            window.users -= 1
            if window.users == 0:
                self._windows.pop(channel, None)

    async def take(self, channel: str, *, timeout: float | None = None, raw: bool = False) -> Any:
        """Takes a value: it is the caller's, and out of the channel. raw=True: as JSON text. Closed, Timeout, Refused, Undecodable."""
        reply, link = await self._take(channel, {}, timeout, raw)
        accept(link, reply)
        return reply["value"]

    async def take_many(self, channel: str, max: int, *, timeout: float | None = None, raw: bool = False) -> list[Any]:
        """Takes 1 to `max` (at most 1000) values, whatever is there now; waits only while there is none."""
        reply, link = await self._take(channel, {"max": max}, timeout, raw)
        accept(link, reply)
        return list(reply["values"])

    async def _take(self, channel: str, members: dict[str, Any], timeout: float | None, raw: bool) -> tuple[Reply, Link]:
        """A take whose value is leased, to be accept()ed; but of a promise, which is never used up."""
        members = {"channel": channel, **members}
        if channel not in self._promises:
            leased = {**members, "lease_ms": HANDOVER_MS}
            try:
                return await self._ask("take", leased, channel=channel, timeout=timeout, repeat=True, raw=raw, has_timeout=True)
            except Refused as error:
                if error.code != "bad_request":
                    raise
        result = await self._ask("take", members, channel=channel, timeout=timeout, repeat=True, raw=raw, has_timeout=True)
        self._promises.add(channel)
        return result

    async def take_job(self, channel: str, *, lease: float = 30.0, timeout: float | None = None) -> Job:
        """Takes a value on lease: it comes back unless job.ack() says that the work is done."""
        lease_ms = max(1, milliseconds(lease, "lease"))
        members = {"channel": channel, "lease_ms": lease_ms}
        reply, link = await self._ask("take", members, channel=channel, timeout=timeout, repeat=True, has_timeout=True)
        return Job(link, channel, reply, lease_ms)

    def jobs(self, channel: str, *, lease: float = 30.0) -> Jobs:
        """All values of a channel, each on lease: see Jobs."""
        return Jobs(self, channel, lease)

    async def values(self, channel: str) -> AsyncIterator[Any]:
        """All values of a channel, until it is closed."""
        while True:
            try:
                value = await self.take(channel)
            except Closed:
                return
            yield value

    async def alts(
        self, arms: Sequence[Arm], *, timeout: float | None = None, priority: bool = False, lease: float | None = None
    ) -> Choice:
        """A choice: exactly one arm happens. "jobs" takes from it, ("results", value) puts. priority: the first that can, in the order
        given, instead of any. lease: what is taken is a job, in Choice.job. Timeout: none happened. Closed: `reply` has the arm."""
        choice, link, reply = await self._alts(arms, timeout, priority, lease)
        if choice.job is None:
            accept(link, reply)
        return choice

    async def _alts(
        self, arms: Sequence[Arm], timeout: float | None, priority: bool, lease: float | None
    ) -> tuple[Choice, Link, Reply]:
        written = [{"take": arm} if isinstance(arm, str) else {"put": arm[0], "value": arm[1]} for arm in arms]
        takes = [arm for arm in arms if isinstance(arm, str)]
        members: dict[str, Any] = {"arms": written}
        if priority:
            members["priority"] = True
        lease_ms = HANDOVER_MS if lease is None else max(1, milliseconds(lease, "lease"))
        if takes and not (lease is None and self._promises.intersection(takes)):
            members["lease_ms"] = lease_ms
        first = next((arm if isinstance(arm, str) else arm[0] for arm in arms), None)
        is_repeatable = len(takes) == len(arms)
        try:
            reply, link = await self._ask("alts", members, channel=first, timeout=timeout, repeat=is_repeatable, has_timeout=True)
        except Refused as error:
            if error.code != "bad_request" or lease is not None or "lease_ms" not in members:
                raise
            del members["lease_ms"]  # a promise among them: of that nothing is leased
            reply, link = await self._ask("alts", members, channel=first, timeout=timeout, repeat=is_repeatable, has_timeout=True)
        job = Job(link, str(reply["channel"]), reply, lease_ms) if lease is not None and "lease" in reply else None
        choice = Choice(int(reply["arm"]), str(reply["channel"]), reply.get("value"), reply["status"] == "dropped", job)
        return choice, link, reply

    # -- Channels --

    async def create(self, channel: str | None, kind: str, capacity: int | None = None, **definition: Any) -> str:
        """Makes a channel unless it is there already with this definition; its name, which the daemon makes up for None.
        definition: ephemeral, durable, max_deliveries and dead_letter, max_waiters."""
        members = {key: value for key, value in {"channel": channel, "kind": kind, "capacity": capacity, **definition}.items() if value is not None}
        reply, _ = await self._ask("create", members, channel=channel, repeat=channel is not None)
        name = str(reply["channel"])
        if channel is not None and definition.get("ephemeral"):
            self._ephemeral[name] = members
        return name

    async def alter(self, channel: str, **changes: Any) -> Row:
        """Changes capacity, max_waiters, max_deliveries or dead_letter (None: none) of a channel; its row, as stat() has it."""
        reply, _ = await self._ask("alter", {"channel": channel, **changes}, channel=channel, repeat=True)
        return reply

    async def close(self, channel: str) -> None:
        """No put enters any more; what is there can still be taken."""
        await self._ask("close", {"channel": channel}, channel=channel, repeat=True)

    async def delete(self, channel: str, *, force: bool = False) -> int:
        """Removes a channel; how many values went with it, which only force=True allows."""
        reply, _ = await self._ask("delete", {"channel": channel, "force": force}, channel=channel)
        self._ephemeral.pop(channel, None)
        self._promises.discard(channel)
        return int(reply.get("discarded", 0))

    async def move(self, source: str, target: str | None = None, *, max: int | None = None) -> tuple[int, int]:
        """Moves buffered values, the oldest first, to `target` or (None) each to where it came from as a dead letter; how many, and
        how many are left."""
        members = {key: value for key, value in {"from": source, "to": target, "max": max}.items() if value is not None}
        reply, _ = await self._ask("move", members, channel=source)
        return int(reply["moved"]), int(reply["left"])

    async def stat(self, channel: str) -> Row:
        """Kind, capacity, what is in it, who waits, and the counters."""
        reply, _ = await self._ask("stat", {"channel": channel}, channel=channel, repeat=True)
        return reply

    async def peek(self, channel: str, max: int = 1) -> list[Any]:
        """The oldest values of the buffer; nothing is taken."""
        reply, _ = await self._ask("peek", {"channel": channel, "max": max}, channel=channel, repeat=True)
        return list(reply["values"])

    def list(self, match: str | None = None) -> AsyncIterator[Row]:
        """A row for each channel, in order of name, a page at a time."""
        return self._pages("list", "channels", {"match": match}, "channel")

    def waiters(self, channel: str | None = None) -> AsyncIterator[Row]:
        """Who waits for what, the longest first."""
        return self._pages("waiters", "waiters", {"channel": channel}, "seq")

    def leases(self, channel: str | None = None) -> AsyncIterator[Row]:
        """Who works on what since when, the longest first."""
        return self._pages("leases", "leases", {"channel": channel}, "seq")

    async def _pages(self, op: str, rows: str, members: dict[str, Any], key: str) -> AsyncIterator[Row]:
        present = {name: value for name, value in members.items() if value is not None}
        while True:
            reply, _ = await self._ask(op, present, channel=present.get("channel"), repeat=True)
            for row in reply[rows]:
                yield row
            if not reply.get("more"):
                return
            present["after"] = reply["next"] if "next" in reply else reply[rows][-1][key]

    # -- Taps --

    async def tap(self, source: str, target: str | None = None, *, match: Mapping[str, Any] | None = None, **options: Any) -> Subscription:
        """Carries what enters `source` to `target` inside the daemon; or, without a target, to a channel of the caller's own, whose
        values the Subscription gives: bounded=N, dropping=N or sliding=N says what happens when the caller is slow (sliding=100 if
        nothing is said). match: JSON pointers and what must stand there. options: close, state."""
        kinds = {kind: options.pop(kind) for kind in ("bounded", "dropping", "sliding") if kind in options}
        if len(kinds) > 1 or (kinds and target is not None):
            raise ValueError("one of bounded=, dropping=, sliding=, and only without a target")
        members: dict[str, Any] = {"from": source, **options}
        if match is not None:
            members["match"] = dict(match)
        if target is not None:
            members["to"] = target
        else:
            members["kind"], members["capacity"] = next(iter(kinds.items()), ("sliding", 100))
        return await Subscription(self, members).open()

    async def untap(self, source: str, target: str) -> None:
        """Ends a tap; closes nothing."""
        await self._ask("untap", {"from": source, "to": target}, channel=source)

    def taps(self, channel: str | None = None) -> AsyncIterator[Row]:
        """What is carried from where to where."""
        return self._pages("taps", "taps", {"channel": channel}, "seq")

    async def ping(self) -> None:
        """Whether the daemon answers."""
        await self._ask("ping", {}, repeat=True)
