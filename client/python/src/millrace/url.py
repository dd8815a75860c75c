"""Addresses of daemons: tcp://host:port, tls://host:port, unix:///path, and several of them, of which each will do."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

DEFAULT = "tcp://127.0.0.1:7223"
_PORTS = {"tcp": 7223, "tls": 7225}


@dataclass(frozen=True)
class Address:
    scheme: str  # tcp, tls, unix
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _host_and_port(scheme: str, text: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?/?", text)
    if not match or (match[3] and not 0 < int(match[3]) < 65536):
        raise ValueError(f"{scheme}://{text} is no address: tcp://host:port (IPv6 in brackets), tls://host:port or unix:///path")
    return match[1] or match[2], int(match[3] or _PORTS[scheme])


def parse(url: str | None) -> list[Address]:
    """One or several, with commas or white space between them ("tcp://a,b,c" is three). None: $MILLRACE_URL, or the daemon on
    this machine. ValueError says what is wrong."""
    text = url if url is not None else os.environ.get("MILLRACE_URL") or DEFAULT
    addresses: list[Address] = []
    scheme = ""
    for part in re.split(r"[,\s]+", text.strip()):
        head, mark, rest = part.partition("://")
        if mark:
            scheme = head
        else:
            rest = part
        if scheme == "unix" and mark:
            if not rest.startswith("/"):
                raise ValueError(f"{part}: the path of a Unix socket is absolute: unix:///run/millrace/millrace.sock")
            addresses.append(Address("unix", path=rest))
        elif scheme in _PORTS:
            host, port = _host_and_port(scheme, rest)
            addresses.append(Address(scheme, host, port))
        else:
            raise ValueError(f"{part!r} is no daemon's address: tcp://host:port, tls://host:port or unix:///path")
    return addresses
