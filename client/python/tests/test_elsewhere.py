"""Who answers is another than was thought: a daemon that names the next one, one that never answers, or none at all."""
import asyncio
import socket
import threading
import unittest

from common import DEADLINE_S, Daemon, StandIn, frame, millrace, url_of


class Cluster(unittest.TestCase):
    def test_who_is_said_to_own_the_group_is_asked(self):
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        other = StandIn(self, lambda request: {"status": "error", "error": "moved", "address": url_of(daemon)})
        with millrace.connect(other.url) as m:
            m.create("{orders}.jobs", "bounded", 9)
            m.put("{orders}.jobs", 1)
            self.assertEqual(m.take("{orders}.jobs"), 1)
        self.assertEqual(other.asked, ["create"])  # and it is remembered

    def test_daemons_that_send_us_round_in_circles_are_not_asked_without_a_pause(self):
        other = StandIn(self, lambda request: {"status": "error", "error": "moved", "address": other.url})
        with millrace.connect(other.url) as m:
            with self.assertRaises(millrace.Timeout):
                m.take("jobs", timeout=0.25)
            with self.assertRaises(millrace.Refused):
                m.take("jobs", timeout=0)
        self.assertLess(len(other.asked), 14)

    def test_an_address_that_is_none_is_a_refusal(self):
        for address in ("", "nonsense", "tcp://", 7, None):
            other = StandIn(self, lambda request: {"status": "error", "error": "moved", "address": address})
            with millrace.connect(other.url) as m, self.assertRaises(millrace.Refused):
                m.take("jobs")

    def test_nobody_waits_longer_for_an_owner_than_he_said(self):
        other = StandIn(self, lambda request: {"status": "error", "error": "unavailable", "retry_ms": 50})
        with millrace.connect(other.url) as m:
            for timeout in (0, 0.07):
                with self.assertRaises(millrace.Refused) as refused:
                    m.take("jobs", timeout=timeout)
                self.assertEqual(refused.exception.code, "unavailable")


class Strangers(unittest.TestCase):
    def test_an_address_that_never_answers_leaves_time_for_the_next(self):
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            with millrace.connect(f"{url},{url_of(daemon)}", connect_timeout=0.4) as m:
                m.ping()
            with self.assertRaisesRegex(millrace.ConnectionLost, "nowhere.*(No such file|no answer in time)"):
                millrace.connect(f"unix:///nowhere/m.sock,{url}", connect_timeout=0.1).open()

    def test_a_name_that_no_host_can_have_does_not_hide_the_next(self):
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        with millrace.connect(f"tcp://a..b,{url_of(daemon)}") as m:
            m.ping()

    def test_what_was_written_is_sent_before_the_end(self):
        reads_on = threading.Event()
        other = StandIn(self, lambda request: reads_on.wait(DEADLINE_S) and None)

        async def write_much():
            async with millrace.connect(other.url) as m:
                link = next(iter(m._links.values()))
                puts = []
                while link._writable is None:
                    puts.append(asyncio.ensure_future(m.put("jobs", "x" * 60_000)))
                    await asyncio.sleep(0)
                link.post("ack", {"lease": "x"})
                reads_on.set()
            await asyncio.gather(*puts, return_exceptions=True)

        asyncio.run(write_much())
        other.ended.wait(DEADLINE_S)
        self.assertEqual(other.asked[-1], "ack")

    def test_what_is_no_reply_ends_the_call_and_is_not_asked_for_again(self):
        deep = b"[" * 20_000 + b"]" * 20_000
        for body in (b"[1]", b"1", b"{", b'"\xff"', b'{"id":2,"status":"ok","value":%b}' % deep, b'{"id":2,"status":"ok","value":"\xff"}', b""):
            other = StandIn(self, lambda request: frame(body))
            with millrace.connect(other.url) as m, self.assertRaisesRegex(millrace.ConnectionLost, "protocol"):
                m.take("jobs")
            self.assertEqual(other.asked, ["take"])

    def test_replies_that_nobody_asked_for_are_passed_over(self):
        strange = b"".join(map(frame, (b'{"id":99,"status":"ok","value":1}', b'{"id":"2"}', b'{"id":null}', b'{}', b'{"id":[]}', b'{"id":1.5}')))
        other = StandIn(self, lambda request: strange + 2 * frame(b'{"id":%d,"status":"ok","value":7}' % request["id"]))
        with millrace.connect(other.url) as m:
            self.assertEqual([m.take("jobs"), m.take("jobs")], [7, 7])

    def test_a_daemon_that_falls_at_each_request_is_not_asked_without_a_pause(self):
        other = StandIn(self, lambda request: b"")
        with millrace.connect(other.url) as m:
            with self.assertRaises(millrace.Timeout):
                m.take("jobs", timeout=0.25)
            with self.assertRaises(millrace.ConnectionLost):
                m.take("jobs", timeout=0)
        self.assertLess(len(other.asked), 14)

    def test_a_hello_that_is_none_is_no_daemons(self):
        for wrong in ({"max_frame_bytes": "x"}, {"max_frame_bytes": None}, {"features": 5}):
            other = StandIn(self, lambda request: {}, hello={"status": "ok", **wrong})
            with self.assertRaisesRegex(millrace.ConnectionLost, "protocol"):
                millrace.connect(other.url, connect_timeout=0.1).open()


class Times(unittest.TestCase):
    def test_for_ever_may_be_infinite(self):
        other = StandIn(self, lambda request: {"status": "ok", "value": request.get("timeout_ms"), "lease": "x"})
        with millrace.connect(other.url) as m:
            self.assertEqual(m.take("jobs", timeout=float("inf")), 2**31 - 1)
            self.assertEqual(m.take("jobs", timeout=1e300), 2**31 - 1)
            for wrong in (-1, float("nan"), float("-inf")):
                with self.assertRaises(ValueError):
                    m.take("jobs", timeout=wrong)


if __name__ == "__main__":
    unittest.main()
