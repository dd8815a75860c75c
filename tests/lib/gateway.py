"""A daemon with a channel of each kind and its HTTP gateway, for tests that ask it."""
import unittest

from millraced import Connection, Daemon
from web import Web

CHANNELS = (
    "channels={b: {kind: bounded, capacity: 2}, d: {kind: dropping, capacity: 1}, s: {kind: sliding, capacity: 1}, u: {kind: unbuffered}, p: {kind: promise}}"
)


class Gateway(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.daemon = Daemon("--set", CHANNELS, *self.arguments, http="127.0.0.1:0")
        self.addCleanup(lambda: self.daemon.__exit__(None))
        self.web = self.connect()
        self.frames = Connection(self.daemon)
        self.addCleanup(self.frames.close)

    def connect(self, **options):
        web = Web(self.daemon, **options)
        self.addCleanup(web.close)
        return web

    def is_answer(self, answer, code, status, **members):
        self.assertEqual((answer.code, answer.status), (code, status), answer)
        if code == 204:
            self.assertEqual(members, {})
            return None
        body = answer.json()
        self.assertEqual(body["status"], status)
        for name, value in members.items():
            self.assertEqual(body[name], value)
        return body

    def is_error(self, answer, code, error, text=""):
        body = self.is_answer(answer, code, "error", error=error)
        self.assertIn(text, body["message"])
        self.assertEqual("retry-after" in answer.headers, code in (429, 503))

    def stat(self, channel):
        return self.frames.ask(id=1, op="stat", channel=channel)

    def wait_until(self, channel, **members):
        """Asks until the channel's numbers are so."""
        while True:
            row = self.stat(channel)
            if all(row[name] == value for name, value in members.items()):
                return row
