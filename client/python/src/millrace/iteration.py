"""What `async for` goes over: the jobs of a channel, and what comes through a tap."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from .errors import Closed, LeaseLost, Refused
from .job import Job, finish_job

if TYPE_CHECKING:
    from .aio import AsyncClient


class Jobs:
    """`async for job in m.jobs(...)`: each job is acknowledged when the next one is asked for, and given back if the loop ends by an
    exception. A `break` cannot be told from that: call job.ack() before it, or write `async with m.jobs(...) as jobs:` around the loop,
    which acknowledges at a normal end. The loop ends when the channel is closed and has nothing more."""

    def __init__(self, client: AsyncClient, channel: str, lease: float) -> None:
        self._client, self._channel, self._lease = client, channel, lease
        self._job: Job | None = None

    def __aiter__(self) -> "Jobs":
        return self

    async def __anext__(self) -> Job:
        job, self._job = self._job, None
        if job is not None:
            try:
                await job.ack()
            except LeaseLost:
                pass  # somebody else has it, and will finish it
        try:
            self._job = await self._client.take_job(self._channel, lease=self._lease)
        except Closed:
            raise StopAsyncIteration from None
        return self._job

    async def __aenter__(self) -> "Jobs":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        job, self._job = self._job, None
        if job is not None and not job.is_done:
            await finish_job(job, kind)

    def __del__(self) -> None:
        job = self._job
        if job is not None and not job.is_done and job._link.is_open:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and soon the connection
                job._link._loop.call_soon_threadsafe(job.fail)


class Subscription:
    """`async for value in m.tap(...)`: what comes through a tap of the caller's own. Its channel and its tap go with the connection, and
    are made anew with it: what came while there was none is missed."""

    def __init__(self, client: AsyncClient, members: dict[str, Any]) -> None:
        self._client, self._members = client, members
        self.channel = ""

    async def open(self) -> "Subscription":
        reply, _ = await self._client._ask("tap", self._members, channel=str(self._members["from"]), repeat=True)
        self.channel = str(reply["to"])
        return self

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Any:
        while True:
            if not self.channel:
                await self.open()
            try:
                return await self._client.take(self.channel)
            except Closed:
                raise StopAsyncIteration from None
            except Refused as error:
                if error.code != "no_such_channel":
                    raise
                self.channel = ""  # it went with a connection that broke

    async def close(self) -> None:
        """Ends the tap, and deletes its channel."""
        if self.channel:
            channel, self.channel = self.channel, ""
            await self._client.delete(channel, force=True)

    async def __aenter__(self) -> "Subscription":
        return self if self.channel else await self.open()

    async def __aexit__(self, *error: object) -> None:
        await self.close()
