"""What can go wrong, as exceptions: one class for each kind of ending, and `code` for programs that want to know more."""

from __future__ import annotations

from typing import Any, Mapping


class MillraceError(Exception):
    """The base of all of them.

    code:  the protocol's error code, or the status ("timeout", "closed" ...) where there is none.
    reply: the daemon's whole reply, empty where no reply came.
    """

    def __init__(self, message: str, code: str, reply: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reply: Mapping[str, Any] = reply or {}

    @property
    def accepted(self) -> int:
        """Of a batch of puts that ended early: how many values are in."""
        return int(self.reply.get("accepted", 0))


class Timeout(MillraceError, TimeoutError):
    """The time ran out before anything happened."""


class Closed(MillraceError):
    """The channel is closed and has nothing more to give; a put: it takes nothing any more."""


class Cancelled(MillraceError):
    """The request was withdrawn in the daemon, and not by the caller's own cancelling."""


class Refused(MillraceError):
    """The daemon refused the request, and nothing has happened; `code` says why (see PROTOCOL.md)."""


class ConnectionLost(MillraceError, ConnectionError):
    """No daemon can be reached, or the connection broke and it is not known whether the request happened."""


class LeaseLost(MillraceError):
    """The lease has ended: the value came back to its channel, and somebody else may have it by now."""


class Undecodable(MillraceError):
    """A value that Python cannot hold (a number with an exponent of twenty digits, say). `raw` has its JSON text.

    Of a take: the value is still in its channel. Take it with raw=True.
    """

    def __init__(self, message: str, raw: str) -> None:
        super().__init__(message, "undecodable")
        self.raw = raw


class ForkError(MillraceError, RuntimeError):
    """This client belongs to the process that made it: a child process has to connect anew."""


_BY_STATUS = {"timeout": Timeout, "closed": Closed, "cancelled": Cancelled}


def from_reply(reply: Mapping[str, Any]) -> MillraceError:
    """The exception for a reply whose status is neither ok nor dropped."""
    status = str(reply.get("status"))
    code = str(reply.get("error", status))
    message = str(reply.get("message") or f"the daemon answered {status}")
    if code == "no_such_lease":
        return LeaseLost(message, code, reply)
    return _BY_STATUS.get(status, Refused)(message, code, reply)
