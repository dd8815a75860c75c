"""The real daemon for the tests of the Python client. Everything waits for events."""
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "client", "python", "src"), os.path.join(ROOT, "tests", "lib")]

import millrace  # noqa: E402
from millraced import DEADLINE_S, Connection, Daemon  # noqa: E402,F401

CHANNELS = (("jobs", "bounded", 8), ("meet", "unbuffered", None), ("lossy", "dropping", 1), ("latest", "sliding", 1), ("leader", "promise", None))


def url_of(daemon):
    return f"tcp://127.0.0.1:{daemon.port}"


def books_balance(row):
    came = row["accepted"] + row["returned"] + row.get("recovered", 0)
    return came == row["taken"] + row["buffered"] + row["leased"] + row["evicted"] + row["dead_lettered"] + row["discarded"]


def wait_until(connection, channel, **wanted):
    """Asks the daemon until the channel's row is so; each asking is an answer to wait for."""
    while True:
        row = connection.ask(id=1, op="stat", channel=channel)
        if all(row.get(key) == value for key, value in wanted.items()):
            return row
