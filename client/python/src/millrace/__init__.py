"""Channels between processes: a client for Millrace, for asyncio and without.

    with millrace.connect() as m:                        # or: async with
        m.put("jobs", {"url": "http://x/y"})             # waits while there is no room
        for job in m.jobs("jobs", lease=30):             # or: async for
            work_on(job.value)                           # acknowledged when the next is asked for, given back on an exception

Times are in seconds. A timeout of None is for ever, of 0 at once or not at all. Values are what `json` makes of JSON; ints have any size,
and a number that a float cannot hold is a Decimal. The package has no dependency.
"""

from __future__ import annotations

import os
import ssl
from typing import Generator

from . import url as _url
from .aio import AsyncClient, Choice, Settings
from .errors import (
    Cancelled,
    Closed,
    ConnectionLost,
    ForkError,
    LeaseLost,
    MillraceError,
    Refused,
    Timeout,
    Undecodable,
)
from .iteration import Jobs as AsyncJobs, Subscription as AsyncSubscription
from .job import Job as AsyncJob
from .jsontext import Raw
from .sync import Client, Job, Jobs, Subscription

__version__ = "0.1.0"
__all__ = [
    "AsyncClient", "AsyncJob", "AsyncJobs", "AsyncSubscription", "Cancelled", "Choice", "Client", "Closed", "ConnectionLost", "Connector",
    "ForkError", "Job", "Jobs", "LeaseLost", "MillraceError", "Raw", "Refused", "Subscription", "Timeout", "Undecodable", "connect",
]


class Connector:
    """What connect() gives. `with` makes a Client of it, `async with` and `await` an AsyncClient; open() a Client without `with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sync: Client | None = None
        self._async: AsyncClient | None = None

    def open(self) -> Client:
        """A Client, connected; the caller has to disconnect() it."""
        return Client(self._settings)

    def __enter__(self) -> Client:
        self._sync = self.open()
        return self._sync

    def __exit__(self, *error: object) -> None:
        assert self._sync
        self._sync.disconnect()

    async def _connect(self) -> AsyncClient:
        return await AsyncClient(self._settings).connect()

    def __await__(self) -> Generator[object, None, AsyncClient]:
        return self._connect().__await__()

    async def __aenter__(self) -> AsyncClient:
        self._async = await self._connect()
        return self._async

    async def __aexit__(self, *error: object) -> None:
        assert self._async
        await self._async.disconnect()


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    name: str = "python",
    tls: ssl.SSLContext | None = None,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    connect_timeout: float = 5.0,
    reconnect: float | None = 30.0,
) -> Connector:
    """A connection to be opened by `with`, `async with`, `await` or .open().

    url:    tcp://host:port, tls://host:port or unix:///path; several with commas, of which each will do. None: $MILLRACE_URL, or the
            daemon on this machine.
    token:  who this is, to a daemon with users. None: $MILLRACE_TOKEN, if there is one.
    name:   shown to people who look at who waits.
    ca, cert, key: PEM files for tls://: who may have signed the daemon's certificate (None: the system's), and this side's own.
            `tls` is a context of the caller's making instead.
    connect_timeout: seconds for the first connection.
    reconnect: seconds for which a request waits for a daemon that is away, within its own timeout; None: as long as it takes.

    ValueError if an address is none.
    """
    addresses = _url.parse(url)
    if tls is None and (ca or cert):
        tls = ssl.create_default_context(cafile=ca)
        if cert:
            tls.load_cert_chain(cert, key)
    return Connector(
        Settings(
            url=url,
            name=name,
            token=token if token is not None else os.environ.get("MILLRACE_TOKEN"),
            tls=tls,
            connect_timeout=connect_timeout,
            reconnect=reconnect,
            addresses=addresses,
        )
    )
