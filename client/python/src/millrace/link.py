"""One connection to one daemon: frames in, frames out, and which request a reply belongs to. It never reconnects: it ends, once."""

from __future__ import annotations

import asyncio
import math
import re
import socket
import ssl
import struct
import sys
from typing import Any, Callable, cast

from . import jsontext
from .errors import ConnectionLost, MillraceError, Undecodable, from_reply
from .url import Address

LEAST_FRAME = 64 * 1024  # what every daemon takes
LARGEST_FRAME = 16 * 1024 * 1024 - 1
REPLY_EXTRA = 1024  # a reply may be so much longer than a request
HEARTBEAT_S = 15.0  # after so much silence a ping asks whether the daemon is still there; after as much again it is not
LONGEST_MS = 2**31 - 1
CLOSE_S = 1.0  # for so long what was written may still be sent at the end
PROTOCOL = "protocol"  # the code of a ConnectionLost: what answers is no daemon, and will not be one the next time
_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,16})\s*,')

Reply = dict[str, Any]


def milliseconds(seconds: float, what: str = "timeout") -> int:
    """Rounded up. ValueError if that is no time."""
    if not seconds >= 0:
        raise ValueError(f"{what} is a number of seconds, at least 0, not {seconds!r}")
    return math.ceil(min(seconds * 1000, LONGEST_MS))


class Pending:
    """A request that was sent. `future` gets the reply, or the exception that it means."""

    __slots__ = ("future", "raw", "on_late")

    def __init__(self, future: asyncio.Future[Reply], raw: bool, on_late: Callable[[Reply], None] | None) -> None:
        self.future = future
        self.raw = raw  # `value` and `values` stay text
        self.on_late = on_late  # what becomes of a reply that nobody waits for any more


class Link(asyncio.Protocol):
    """Made by open(). All of it belongs to its event loop."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.features: frozenset[str] = frozenset()
        self.hello: Reply = {}
        self.max_frame = LEAST_FRAME
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, Pending] = {}
        self._last_id = 0
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._writable: asyncio.Future[None] | None = None  # while the transport wants no more
        self._heard = self._loop.time()
        self._pinged = False
        self._heartbeat: asyncio.TimerHandle | None = None
        self._notice = ""  # the daemon's last words

    @property
    def is_open(self) -> bool:
        return not self.ended.done()

    # -- Opening --

    @classmethod
    async def open(cls, address: Address, name: str, token: str | None, context: ssl.SSLContext | None) -> Link:
        """Connects, shakes hands and says hello. ConnectionLost, or Refused by the daemon."""
        loop = asyncio.get_running_loop()

        def make() -> Link:
            return cls(address)

        try:
            if address.scheme == "unix":
                _, protocol = await loop.create_unix_connection(make, address.path)
            else:
                tls = context if address.scheme == "tls" else None
                _, protocol = await loop.create_connection(
                    make, address.host, address.port, ssl=tls, server_hostname=address.host if tls else None
                )
        except (OSError, ssl.SSLError, UnicodeError) as error:  # the last one for a name that no host can have
            raise ConnectionLost(f"{address}: {error}", "unreachable") from error
        link = protocol
        try:
            members: dict[str, Any] = {"protocol": 1, "name": name}
            if token is not None:
                members["token"] = token
            link.hello = await link.send("hello", members)
            link.max_frame = min(max(int(link.hello.get("max_frame_bytes", LEAST_FRAME)), LEAST_FRAME), LARGEST_FRAME)
            link.features = frozenset(str(feature) for feature in link.hello.get("features", ()))
        except (TypeError, ValueError) as error:
            link.abort("the hello was not answered")
            raise ConnectionLost(f"{address} does not speak Millrace's protocol: {error}", "unreachable") from error
        except BaseException:
            link.abort("the hello was not answered")
            raise
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if sys.platform == "linux":
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        self._heartbeat = self._loop.call_later(HEARTBEAT_S, self._beat)

    # -- Requests --

    def send(
        self, op: str, members: dict[str, Any], raw: bool = False, on_late: Callable[[Reply], None] | None = None
    ) -> asyncio.Future[Reply]:
        """Sends a request. The future gets its reply (status ok or dropped) or exception; `number` on it is the request's id.
        What cannot be sent raises, and nothing was sent."""
        if not self.is_open:
            raise ConnectionLost(self.ended.result(), "connection_lost")
        number = self._last_id + 1
        body = jsontext.encode({"id": number, "op": op, **members}).encode()
        if len(body) > self.max_frame:
            raise ValueError(f"the request has {len(body)} bytes, and a frame of this daemon at most {self.max_frame}")
        self._last_id = number
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._pending[number] = Pending(future, raw, on_late)
        assert self._transport
        self._transport.write(struct.pack(">I", len(body)) + body)
        future.add_done_callback(lambda done: self._abandon(number) if done.cancelled() else None)
        return future

    def _abandon(self, number: int) -> None:
        """Whoever waited for it does not any more: it is withdrawn in the daemon too."""
        pending = self._pending.get(number)
        if pending and self.is_open and not self._loop.is_closed():
            self.post("cancel", {"request": number})

    def post(self, op: str, members: dict[str, Any]) -> None:
        """A request whose outcome nobody waits for."""
        try:
            future = self.send(op, members)
        except MillraceError:
            return
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def writable(self) -> None:
        """Waits while the transport has more to send than it likes: whoever sends a lot is held up here, and not in memory."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        waiting, self._writable = self._writable, None
        if waiting and not waiting.done():
            waiting.set_result(None)

    # -- Replies --

    def data_received(self, data: bytes) -> None:
        self._heard, self._pinged = self._loop.time(), False
        self._buffer += data
        at = 0
        while self.is_open and len(self._buffer) - at >= 4:
            length = int.from_bytes(self._buffer[at : at + 4], "big")
            if not 0 < length <= self.max_frame + REPLY_EXTRA:
                self._abort_stranger(f"a frame of {length} bytes")
                return
            if len(self._buffer) - at - 4 < length:
                break
            self._on_frame(bytes(self._buffer[at + 4 : at + 4 + length]))
            at += 4 + length
        del self._buffer[:at]

    def _on_frame(self, body: bytes) -> None:
        match = _ID.match(body)
        pending = self._pending.get(int(match[1])) if match else None
        try:
            text = body.decode()
            reply = self._decode(text, pending is not None and pending.raw)
        except (ValueError, UnicodeDecodeError) as error:
            self._on_undecodable(body, match, error)
            return
        number = reply.get("id")
        if number is None:
            self._notice = str(reply.get("message", ""))
        elif isinstance(number, int):
            self._settle(number, reply)

    @staticmethod
    def _decode(text: str, raw: bool) -> Reply:
        if not raw:
            whole: object = jsontext.decode(text)
            if not isinstance(whole, dict):
                raise ValueError("a reply is an object")
            return whole
        members = jsontext.split(text)
        value, values = members.pop("value", None), members.pop("values", None)
        reply = {key: jsontext.decode(member) for key, member in members.items()}
        if value is not None:
            reply["value"] = jsontext.Raw(value.encode())
        if values is not None:
            reply["values"] = [jsontext.Raw(item.encode()) for item in jsontext.split_array(values)]
        return reply

    def _settle(self, number: int, reply: Reply) -> None:
        pending = self._pending.pop(number, None)
        if pending is None:
            return
        if pending.future.done():
            if pending.on_late:
                pending.on_late(reply)
        elif reply.get("status") in ("ok", "dropped"):
            pending.future.set_result(reply)
        else:
            pending.future.set_exception(from_reply(reply))

    def _on_undecodable(self, body: bytes, match: re.Match[bytes] | None, error: Exception) -> None:
        """A value in it cannot be held: that request alone fails, and what was leased goes back."""
        try:
            members = jsontext.split(body.decode())
            pending = self._pending.pop(int(members["id"]))
        except (ValueError, KeyError, RecursionError):
            if match is None or int(match[1]) in self._pending:
                self._abort_stranger(str(error))
            return
        if "lease" in members:
            lease = jsontext.decode(members["lease"])
            self.post("nack", {"lease": lease, "counted": False} if "once" in self.features else {"lease": lease})
        if not pending.future.done():
            raw = members.get("value") or members.get("values") or ""
            pending.future.set_exception(Undecodable(f"a value that Python cannot hold: {error}", raw))

    # -- The end --

    def _beat(self) -> None:
        silence = self._loop.time() - self._heard
        if silence >= 2 * HEARTBEAT_S and self._pinged:
            self.abort(f"{self.address} has been silent for {silence:.0f} seconds")
            return
        if silence >= HEARTBEAT_S and not self._pinged:
            self._pinged = True
            self.post("ping", {})
        self._heartbeat = self._loop.call_later(HEARTBEAT_S, self._beat)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
        self._end(self._notice or (f"{self.address}: {exc}" if exc else f"{self.address} has ended the connection"))

    def abort(self, why: str, code: str = "connection_lost") -> None:
        self._end(why, code)
        if self._transport:
            self._transport.abort()

    def _abort_stranger(self, what: str) -> None:
        self.abort(f"{self.address} does not speak Millrace's protocol: {what}", PROTOCOL)

    async def close(self) -> None:
        """Sends what was written, and ends, in any case soon. Leases that are still held come back to their channels."""
        self._end("the client has disconnected")
        if self._transport:
            self._transport.close()
            try:
                await asyncio.wait({self._closed}, timeout=CLOSE_S)
            finally:
                if not self._closed.done():
                    self._transport.abort()

    def _end(self, why: str, code: str = "connection_lost") -> None:
        if not self.is_open:
            return
        self.ended.set_result(why)
        if self._heartbeat:
            self._heartbeat.cancel()
        self.resume_writing()
        pending, self._pending = self._pending, {}
        for request in pending.values():
            if not request.future.done():
                request.future.set_exception(ConnectionLost(why, code))
                request.future.exception()  # who does not look at it is not told of it again
