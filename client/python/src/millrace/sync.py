"""The client for programs without an event loop: aio.py in a thread of its own. Any number of threads may share one; a call blocks its
own thread alone, and their requests are in flight together.

A call that is interrupted (KeyboardInterrupt, or whatever a signal's handler raises) is withdrawn in the daemon; a value that was on its way
goes back to its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from typing import Any, AsyncIterator, Callable, Coroutine, Generic, Iterable, Iterator, Mapping, Sequence, TypeVar

from . import aio
from .aio import Arm, Choice, Row, Settings
from .errors import Closed, ConnectionLost, ForkError, LeaseLost
from .iteration import Subscription as AsyncSubscription
from .job import Job as AsyncJob, accept, finish_job
from .link import Link, Reply

T = TypeVar("T")


class _Call(Generic[T]):
    """A coroutine that runs in the loop's thread, and the thread that waits for it. Everything is changed in the loop's thread alone; the
    other waits at a lock, which no signal's exception can leave half done."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, start: Callable[[], Coroutine[Any, Any, T]], undo: Callable[[T], None] | None
    ) -> None:
        self._loop, self._start, self._undo = loop, start, undo
        self._task: asyncio.Task[T] | None = None
        self._is_abandoned = False
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def begin(self) -> None:
        """In the loop's thread."""
        if not self._is_abandoned:
            self._task = self._loop.create_task(self._start())
            self._task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._error = ConnectionLost("the client has disconnected", "disconnected")
        elif task.exception() is not None:
            self._error = task.exception()
        else:
            self._result.append(task.result())
        if self._is_abandoned:
            self._take_back()
        self._done.release()

    def wait(self) -> T:
        """Begins it, in the caller's thread. That may be interrupted at any moment, and what has begun has to be withdrawn then."""
        try:
            try:
                self._loop.call_soon_threadsafe(self.begin)
            except RuntimeError as error:
                raise ConnectionLost("the client has disconnected", "disconnected") from error
            self._done.acquire()
            if self._error is None:
                return self._result[0]
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it what was begun
                self._loop.call_soon_threadsafe(self._abandon)
            raise
        raise self._error

    def _abandon(self) -> None:
        """In the loop's thread: nobody waits any more."""
        self._is_abandoned = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
        else:
            self._take_back()

    def _take_back(self) -> None:
        if self._result and self._undo:
            self._undo(self._result.pop())


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, pid: int) -> None:
    if os.getpid() == pid and not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)


class Job:
    """A value on lease; see job.Job. `with job:` acknowledges at a normal end, and gives back on an exception."""

    def __init__(self, client: "Client", job: AsyncJob) -> None:
        self._client, self._job = client, job
        self.value, self.channel, self.deliveries, self.origin, self.token = job.value, job.channel, job.deliveries, job.origin, job.token

    @property
    def is_done(self) -> bool:
        return self._job.is_done

    def ack(self) -> None:
        """The work is done. LeaseLost if the value had gone back by then."""
        self._client._call(self._job.ack)

    def nack(self, *, delay: float = 0.0, counted: bool = True) -> None:
        """Gives the value back, at once or after `delay` seconds; counted=False: with its deliveries as they were."""
        self._client._call(lambda: self._job.nack(delay=delay, counted=counted))

    def extend(self, lease: float) -> None:
        """So many seconds more from now on."""
        self._client._call(lambda: self._job.extend(lease))

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._client._call(lambda: finish_job(self._job, kind))


class Jobs:
    """`for job in m.jobs(...)`; see iteration.Jobs, which says what `break` means."""

    def __init__(self, client: "Client", channel: str, lease: float) -> None:
        self._client, self._channel, self._lease = client, channel, lease
        self._job: Job | None = None

    def __iter__(self) -> "Jobs":
        return self

    def __next__(self) -> Job:
        job, self._job = self._job, None
        if job is not None:
            try:
                job.ack()
            except LeaseLost:
                pass  # somebody else has it, and will finish it
        try:
            self._job = self._client.take_job(self._channel, lease=self._lease)
        except Closed:
            raise StopIteration from None
        return self._job

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        job, self._job = self._job, None
        if job is not None and not job.is_done:
            job.__exit__(kind, error, trace)

    def __del__(self) -> None:
        job = self._job
        if job is not None and not job.is_done:
            self._client._later(job._job.fail)


class Subscription:
    """`for value in m.tap(...)`; see iteration.Subscription."""

    def __init__(self, client: "Client", subscription: AsyncSubscription) -> None:
        self._client, self._subscription = client, subscription

    @property
    def channel(self) -> str:
        """The channel that the tap carries to."""
        return self._subscription.channel

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self._client._call(self._subscription.__anext__)
            except StopAsyncIteration:
                return

    def close(self) -> None:
        """Ends the tap, and deletes its channel."""
        self._client._call(self._subscription.close)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Client:
    """A client that blocks. Make it with connect(); its methods are those of AsyncClient, which documents them."""

    def __init__(self, settings: Settings) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._client = aio.AsyncClient(settings)
        threading.Thread(target=_run, args=(self._loop,), name="millrace", daemon=True).start()
        self._stop = weakref.finalize(self, _stop, self._loop, self._pid)
        try:
            self._call(self._client.connect)
        except BaseException:
            self._stop()
            raise

    def _call(self, start: Callable[[], Coroutine[Any, Any, T]], undo: Callable[[T], None] | None = None) -> T:
        """Runs it in the loop, and waits. `undo`: for a result that nobody gets, because the waiting was interrupted."""
        if os.getpid() != self._pid:
            raise ForkError("this client was made before a fork, by another process: connect() anew in this one", "forked")
        if not self._stop.alive:
            raise ConnectionLost("the client has disconnected", "disconnected")
        return _Call(self._loop, start, undo).wait()

    def _later(self, function: Callable[..., object], *arguments: object) -> None:
        if os.getpid() == self._pid and self._stop.alive:
            self._loop.call_soon_threadsafe(function, *arguments)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """What is parked is cancelled by the daemon; what is leased comes back; ephemeral channels go. In a forked child: nothing."""
        if self._stop.alive and os.getpid() == self._pid:
            self._call(self._client.disconnect)
            self._stop()

    @property
    def features(self) -> frozenset[str]:
        """What the daemon can do beyond the first version of the protocol."""
        return self._client.features

    # -- Put and take --

    def put(self, channel: str, value: Any, *, timeout: float | None = None, delay: float = 0.0) -> bool:
        """True: it is in, or has met a take. False: the channel shed it. See AsyncClient.put."""
        return self._call(lambda: self._client.put(channel, value, timeout=timeout, delay=delay))

    def put_many(self, channel: str, values: Iterable[Any], *, timeout: float | None = None, delay: float = 0.0) -> int:
        """Puts them in order, in one step; how many were accepted."""
        listed = list(values)
        return self._call(lambda: self._client.put_many(channel, listed, timeout=timeout, delay=delay))

    def _handed_over(self, start: Callable[[], Coroutine[Any, Any, tuple[Reply, Link]]]) -> Reply:
        def undo(result: tuple[Reply, Link]) -> None:
            self._client._on_late(result[1], result[0])

        reply, link = self._call(start, undo)
        self._later(accept, link, reply)
        return reply

    def take(self, channel: str, *, timeout: float | None = None, raw: bool = False) -> Any:
        """Takes a value: it is the caller's. Closed, Timeout (`timeout` in seconds; 0: at once or not at all), Refused, Undecodable."""
        return self._handed_over(lambda: self._client._take(channel, {}, timeout, raw))["value"]

    def take_many(self, channel: str, max: int, *, timeout: float | None = None, raw: bool = False) -> list[Any]:
        """Takes 1 to `max` values, whatever is there now; waits only while there is none."""
        return list(self._handed_over(lambda: self._client._take(channel, {"max": max}, timeout, raw))["values"])

    def take_job(self, channel: str, *, lease: float = 30.0, timeout: float | None = None) -> Job:
        """Takes a value on lease: it comes back unless job.ack() says that the work is done."""
        job = self._call(lambda: self._client.take_job(channel, lease=lease, timeout=timeout), AsyncJob.give_back)
        return Job(self, job)

    def jobs(self, channel: str, *, lease: float = 30.0) -> Jobs:
        """All values of a channel, each on lease: acknowledged at a normal end, given back on an exception."""
        return Jobs(self, channel, lease)

    def values(self, channel: str) -> Iterator[Any]:
        """All values of a channel, until it is closed."""
        while True:
            try:
                value = self.take(channel)
            except Closed:
                return
            yield value

    def alts(self, arms: Sequence[Arm], *, timeout: float | None = None, priority: bool = False, lease: float | None = None) -> Choice:
        """A choice: exactly one arm happens. See AsyncClient.alts; Choice.job is this module's Job."""

        def undo(result: tuple[Choice, Link, Reply]) -> None:
            self._client._on_late(result[1], result[2])

        choice, link, reply = self._call(lambda: self._client._alts(arms, timeout, priority, lease), undo)
        if choice.job is None:
            self._later(accept, link, reply)
            return choice
        job: Any = Job(self, choice.job)
        return Choice(choice.arm, choice.channel, choice.value, choice.is_dropped, job)

    # -- Channels --

    def create(self, channel: str | None, kind: str, capacity: int | None = None, **definition: Any) -> str:
        """Makes a channel unless it is there already with this definition; its name."""
        return self._call(lambda: self._client.create(channel, kind, capacity, **definition))

    def alter(self, channel: str, **changes: Any) -> Row:
        """Changes a channel's definition; its row."""
        return self._call(lambda: self._client.alter(channel, **changes))

    def close(self, channel: str) -> None:
        """No put enters any more; what is there can still be taken."""
        self._call(lambda: self._client.close(channel))

    def delete(self, channel: str, *, force: bool = False) -> int:
        """Removes a channel; how many values went with it."""
        return self._call(lambda: self._client.delete(channel, force=force))

    def move(self, source: str, target: str | None = None, *, max: int | None = None) -> tuple[int, int]:
        """Moves buffered values; how many, and how many are left."""
        return self._call(lambda: self._client.move(source, target, max=max))

    def stat(self, channel: str) -> Row:
        """Kind, capacity, what is in it, who waits, and the counters."""
        return self._call(lambda: self._client.stat(channel))

    def peek(self, channel: str, max: int = 1) -> list[Any]:
        """The oldest values of the buffer; nothing is taken."""
        return self._call(lambda: self._client.peek(channel, max))

    def _rows(self, rows: AsyncIterator[Row]) -> Iterator[Row]:
        async def following() -> Row:
            return await rows.__anext__()

        while True:
            try:
                row = self._call(following)
            except StopAsyncIteration:
                return
            yield row

    def list(self, match: str | None = None) -> Iterator[Row]:
        """A row for each channel, in order of name."""
        return self._rows(self._client.list(match))

    def waiters(self, channel: str | None = None) -> Iterator[Row]:
        """Who waits for what, the longest first."""
        return self._rows(self._client.waiters(channel))

    def leases(self, channel: str | None = None) -> Iterator[Row]:
        """Who works on what since when, the longest first."""
        return self._rows(self._client.leases(channel))

    # -- Taps --

    def tap(self, source: str, target: str | None = None, *, match: Mapping[str, Any] | None = None, **options: Any) -> Subscription:
        """Carries what enters `source` to `target`, or to a channel of the caller's own. See AsyncClient.tap."""
        return Subscription(self, self._call(lambda: self._client.tap(source, target, match=match, **options)))

    def untap(self, source: str, target: str) -> None:
        """Ends a tap; closes nothing."""
        self._call(lambda: self._client.untap(source, target))

    def taps(self, channel: str | None = None) -> Iterator[Row]:
        """What is carried from where to where."""
        return self._rows(self._client.taps(channel))

    def ping(self) -> None:
        """Whether the daemon answers."""
        self._call(self._client.ping)
