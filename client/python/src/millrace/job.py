"""A value on lease, and how leases end."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Mapping

from .errors import ConnectionLost, LeaseLost
from .link import Link, Reply, milliseconds


class Job:
    """A value on lease: it stays the daemon's until ack(). While the job is held the lease is extended by itself.

    value, channel, deliveries (how often it was given out, this time included), origin (of a dead letter: channel, deliveries, reason,
    age_ms; else None). `async with job:` acknowledges at a normal end, and gives back (nack) on an exception.
    """

    def __init__(self, link: Link, channel: str, reply: Reply, lease_ms: int) -> None:
        self.value: Any = reply.get("value")
        self.channel = channel
        self.deliveries = int(reply.get("deliveries", 1))
        self.origin: Mapping[str, Any] | None = reply.get("origin")
        self.token = str(reply["lease"])
        self._link = link
        self._is_done = False
        self._timer: asyncio.TimerHandle | None = None
        self._extend_later(weakref.ref(self), lease_ms)

    @property
    def is_done(self) -> bool:
        """Whether it was acknowledged or given back, or its lease is known to be lost."""
        return self._is_done

    async def ack(self) -> None:
        """The work is done: the value is out of the channel. LeaseLost if it had gone back by then."""
        await self._finish("ack", {})

    async def nack(self, *, delay: float = 0.0, counted: bool = True) -> None:
        """Gives the value back to its place, at once or after `delay` seconds. counted=False: no work was done on it, and its
        deliveries stay as they were."""
        members: dict[str, Any] = {"delay_ms": milliseconds(delay, "delay")} if delay else {}
        if not counted:
            members["counted"] = False
        await self._finish("nack", members)

    async def extend(self, lease: float) -> None:
        """So many seconds more from now on, instead of what was left."""
        lease_ms = max(1, milliseconds(lease, "lease"))
        self._stop_extending()
        await self._ask("extend", {"lease_ms": lease_ms})
        self._extend_later(weakref.ref(self), lease_ms)

    async def _finish(self, op: str, members: dict[str, Any]) -> None:
        if self._is_done:
            return
        self._stop_extending()
        self._is_done = True
        await asyncio.shield(self._ask(op, members))

    async def _ask(self, op: str, members: dict[str, Any]) -> None:
        try:
            await self._link.send(op, {"lease": self.token, **members})
        except ConnectionLost as error:
            raise LeaseLost(f"the lease has ended with its connection: {error}", "no_such_lease") from error

    def give_back(self) -> None:
        """nack(counted=False) for who cannot wait."""
        if not self._is_done:
            self._is_done = True
            self._stop_extending()
            give_back(self._link, self.token)

    def fail(self) -> None:
        """nack() for who cannot wait."""
        if not self._is_done:
            self._is_done = True
            self._stop_extending()
            self._link.post("nack", {"lease": self.token})

    @staticmethod
    def _extend_later(self_ref: "weakref.ref[Job]", lease_ms: int) -> None:
        """Extends after a third of the time, for as long as somebody holds the job."""

        def extend() -> None:
            job = self_ref()
            if job is not None and not job._is_done and job._link.is_open:
                job._link.post("extend", {"lease": job.token, "lease_ms": lease_ms})
                Job._extend_later(self_ref, lease_ms)

        job = self_ref()
        if job is not None:
            job._timer = asyncio.get_running_loop().call_later(lease_ms / 3000, extend)

    def _stop_extending(self) -> None:
        if self._timer:
            self._timer.cancel()

    async def __aenter__(self) -> "Job":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await finish_job(self, kind)


async def finish_job(job: Job, kind: type[BaseException] | None) -> None:
    """ack at a normal end, nack on an exception: uncounted where no work failed but the worker was stopped."""
    if kind is None:
        await job.ack()
    elif issubclass(kind, Exception):
        await job.nack()
    else:
        job.give_back()


def give_back(link: Link, token: str) -> None:
    """A value that nobody worked on returns to its place."""
    members: dict[str, Any] = {"lease": token}
    if "once" in link.features:
        members["counted"] = False
    link.post("nack", members)


def accept(link: Link, reply: Reply) -> None:
    """The caller has the value: it is out of its channel. Nothing may be awaited between this and the caller's return."""
    if "lease" in reply:
        link.post("ack", {"lease": reply["lease"]})
