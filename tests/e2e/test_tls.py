#!/usr/bin/env python3
"""TLS as a peer sees it: handshakes good, bad, slow and half; certificates of both sides; half-closes, large values and what was not sent; reloads."""
import os
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from millraced import BUILD, DEADLINE_S, IS_SANITIZED, Connection, Daemon, run  # noqa: E402
from secure import Authority, TlsConnection, client_context, make_token  # noqa: E402

SLOW = 100 if IS_SANITIZED else 1000
CHANNELS = "channels: {c: {kind: bounded, capacity: 1000}, meet: {kind: unbuffered}}\n"


def set_up(test, extra=""):
    test.directory = tempfile.mkdtemp(prefix="millrace-tls.")
    test.authority = Authority(test.directory)
    test.cert, test.key = test.authority.issue("daemon", "/CN=localhost", "DNS:localhost")
    test.context = client_context(test.authority.cert)
    test.config = os.path.join(test.directory, "c.yaml")
    write_config(test, extra)


def write_config(test, extra="", tls=""):
    with open(test.config, "w", encoding="utf-8") as file:
        file.write(f"tls: {{cert: {test.cert}, key: {test.key}{tls}}}\n{CHANNELS}{extra}")
    os.chmod(test.config, 0o600)


def start(test, *arguments):
    return Daemon("-c", test.config, *arguments, listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"])


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        set_up(cls)
        cls.daemon = start(cls)

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        shutil.rmtree(cls.directory)
        assert status == 0, cls.daemon.log()

    def connect(self, **options):
        return TlsConnection(self.daemon.tls_port, self.context, **options)

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.daemon.tls_port), timeout=DEADLINE_S)

    def others_are_served(self):
        with self.connect() as connection, Connection(self.daemon) as plain:
            for each in (connection, plain):
                self.assertEqual(each.ask(id=1, op="ping")["status"], "ok")

    def test_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context(self.authority.cert)
            context.minimum_version = context.maximum_version = version
            with TlsConnection(self.daemon.tls_port, context) as connection:
                self.assertEqual(connection.ask(id=1, op="hello", protocol=1)["status"], "ok")
        context = client_context(self.authority.cert)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        sys.modules["warnings"].simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(OSError):
            TlsConnection(self.daemon.tls_port, context)

    def test_openssls_own_client(self):
        frame = Connection.frame('{"id":1,"op":"ping"}') + b"and that is no frame: so it ends"
        done = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{self.daemon.tls_port}", "-CAfile", self.authority.cert,
                               "-verify_return_error", "-verify_hostname", "localhost"],
                              input=frame, capture_output=True, timeout=DEADLINE_S, check=False)
        self.assertIn(b'{"id":1,"status":"ok"}', done.stdout, done.stderr)

    def test_large_values_and_pipelines(self):
        value = "".join(chr(97 + i % 26) for i in range(1000000))
        with self.connect() as connection:
            for size in (1, 100, 16383, 16384, 16385, 65536, 300000, 1000000):
                connection.send(id=1, op="put", channel="c", value=value[:size])
                connection.send(id=2, op="take", channel="c")
                self.assertEqual([connection.receive()["status"], connection.receive()["value"] == value[:size]], ["ok", True])
            for start in range(0, 40000, 4000):  # more than one record, and less than the sockets' buffers hold
                connection.socket.sendall(b"".join(Connection.frame({"id": i, "op": "ping"}) for i in range(start, start + 4000)))
                self.assertEqual([connection.receive()["id"] for _ in range(4000)], list(range(start, start + 4000)))

    def test_requests_that_have_had_their_turn_go_on_by_themselves(self):
        """More replies than one turn may write, to requests of one flight, after which the client says nothing more."""
        with self.connect() as connection:
            self.assertEqual(connection.ask(id=0, op="put", channel="c", value="x" * 200000)["status"], "ok")
            frames = b"".join(Connection.frame({"id": i, "op": "peek", "channel": "c"}) for i in range(1, 41))
            connection.socket.sendall(frames + Connection.frame({"id": 41, "op": "take", "channel": "c"}))
            for i in range(1, 41):
                reply = connection.receive()
                self.assertEqual((reply["id"], len(reply["values"][0])), (i, 200000))
            self.assertEqual(connection.receive()["id"], 41)

    def test_byte_by_byte(self):
        with self.connect() as connection:
            for byte in Connection.frame({"id": 5, "op": "ping"}):
                connection.socket.sendall(bytes([byte]))
            self.assertEqual(connection.receive()["id"], 5)

    def test_everything_in_the_first_flight(self):
        """The client's last flight, a hundred frames and its end, before the daemon has seen any of them."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.raw() as raw:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            for i in range(100):
                client.write(Connection.frame({"id": i, "op": "ping"}))
            raw.sendall(outgoing.read())
            raw.shutdown(socket.SHUT_WR)
            while data := raw.recv(65536):
                incoming.write(data)
            replies = b""
            while data := client.read(65536):
                replies += data
            self.assertEqual(replies.count(b'"status":"ok"'), 100)

    def test_a_half_close_still_gets_its_replies(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.raw() as raw, self.connect() as other:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            client.write(Connection.frame({"id": 1, "op": "put", "channel": "c", "value": "x" * 900000}))
            client.write(Connection.frame({"id": 2, "op": "take", "channel": "c"}))
            with self.assertRaises(ssl.SSLWantReadError):
                client.unwrap()  # says that no more comes, and waits for the same
            raw.sendall(outgoing.read())
            received = b""
            while data := raw.recv(65536):
                incoming.write(data)
            try:
                while data := client.read(65536):
                    received += data
            except ssl.SSLZeroReturnError:
                pass  # that is what its end has said, in so many words
            self.assertIn(b'{"id":1,"status":"ok"}', received)
            self.assertEqual(received.count(b"x"), 900000)
            self.assertEqual(other.ask(id=1, op="ping")["status"], "ok")

    def test_what_was_not_sent_goes_back(self):
        with self.connect(receive_bytes=4096) as deaf, self.connect() as other:
            for i in range(30):
                self.assertEqual(other.ask(id=1, op="put", channel="c", value=[i, "x" * 500000])["status"], "ok")
            before = other.ask(id=1, op="stat", channel="c")
            deaf.socket.sendall(b"".join(Connection.frame({"id": i, "op": "take", "channel": "c"}) for i in range(30)))
            taken, quiet_turns = 0, 0
            while taken == 0 or quiet_turns < 50:  # until the sockets' buffers are full
                now = other.ask(id=1, op="stat", channel="c")["taken"] - before["taken"]
                quiet_turns = quiet_turns + 1 if now == taken else 0
                taken = now
            self.assertLess(taken, 30)
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            deaf.close()
            while (now := other.ask(id=1, op="stat", channel="c"))["returned"] == before["returned"]:
                pass
            self.assertEqual(now["accepted"] + now["returned"], now["taken"] + now["buffered"] + now["evicted"] + now["discarded"] + now["leased"] + now["dead_lettered"])
            left = [other.ask(id=2, op="take", channel="c")["value"][0] for _ in range(now["buffered"])]
            self.assertEqual(left, list(range(30 - len(left), 30)))

    def test_who_reads_nothing_is_not_read(self):
        with self.connect(receive_bytes=4096) as deaf:
            deaf.socket.settimeout(0.3)
            frame = Connection.frame({"id": 1, "op": "put", "channel": "nowhere", "value": "x" * 10})
            with self.assertRaises((TimeoutError, ssl.SSLWantWriteError)):
                for _ in range(100000):
                    deaf.socket.sendall(frame * 100)
            self.others_are_served()

    def test_plain_text_where_tls_is_spoken(self):
        with Connection(self.daemon.tls_port) as plain:
            reply = plain.ask(id=1, op="hello", protocol=1)
            self.assertIn("tls://", reply["message"])
            self.assertIsNone(plain.receive())
        for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HELP\r\n", b"\x80" * 100, b"G", b"\r", b"?"):
            with self.raw() as raw:
                raw.sendall(text)
                answer = self.read_to_end(raw)
                self.assertIn(b"this address speaks TLS", answer, text)
                self.assertEqual(answer.startswith(b"HTTP/1.1 400 "), text[:1] in b"GH\r", text)
        self.others_are_served()

    def test_tls_where_plain_text_is_spoken(self):
        with self.assertRaises(OSError):
            TlsConnection(self.daemon.port, self.context)
        for text, said in ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"), (b"\x16", "TLS"), (b"G", "HTTP"), (b"\n", "by hand"), (b"?", "no frame")):
            with Connection(self.daemon) as raw:
                raw.socket.sendall(text)
                reply = raw.receive()
                self.assertEqual(reply["error"], "frame_too_large")
                self.assertIn(said, reply["message"])
                self.assertIsNone(raw.receive())
        self.others_are_served()

    @staticmethod
    def read_to_end(raw):
        """All that came."""
        answer = b""
        try:
            while part := raw.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer

    def hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    def test_garbage(self):
        seed = int(os.environ.get("MILLRACE_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        for i in range(200):
            hello = bytearray(self.hello())
            if i % 2:
                for _ in range(chance.randrange(1, 8)):
                    hello[chance.randrange(len(hello))] = chance.randrange(256)
            else:
                hello = bytes([0x16]) + chance.randbytes(chance.randrange(600))
            with self.raw() as raw:
                raw.sendall(hello[:chance.randrange(len(hello) + 1)] if chance.random() < 0.2 else hello)
                raw.shutdown(socket.SHUT_WR)
                self.read_to_end(raw)
        self.others_are_served()

    def test_garbage_after_the_handshake(self):
        for i in range(20):
            with self.connect() as connection:
                self.assertEqual(connection.ask(id=1, op="ping")["status"], "ok")
                raw = socket.socket(fileno=os.dup(connection.socket.fileno()))
                with raw:
                    raw.settimeout(DEADLINE_S)
                    raw.sendall(random.randbytes(1 + i * 50) + b"\x17\x03\x03\x00\x20" + b"x" * 32)
                    raw.shutdown(socket.SHUT_WR)
                    self.read_to_end(raw)
        self.others_are_served()


class Slow(unittest.TestCase):
    """Handshakes that take their time, in a daemon that gives them little."""

    def setUp(self):
        set_up(self)
        self.addCleanup(shutil.rmtree, self.directory)

    def test_half_handshakes_end_in_time(self):
        with start(self, "--set", "limits.max_login_ms=300ms") as daemon, TlsConnection(daemon.tls_port, self.context) as good:
            half = [socket.create_connection(("127.0.0.1", daemon.tls_port), timeout=DEADLINE_S) for _ in range(20)]
            for i, raw in enumerate(half):
                raw.sendall(b"\x16\x03\x01\x02\x00\x01"[:i % 7])
            for raw in half:
                self.assertEqual(raw.recv(1), b"")
                raw.close()
            self.assertEqual(good.ask(id=1, op="ping")["status"], "ok")  # without users nobody has to say who it is
            with Connection(daemon) as plain:
                self.assertEqual(plain.ask(id=1, op="ping")["status"], "ok")

    def test_many_slow_handshakes_hold_nobody_up(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        hello = outgoing.read()
        with start(self) as daemon, TlsConnection(daemon.tls_port, self.context) as a, Connection(daemon) as b:
            slow = [socket.create_connection(("127.0.0.1", daemon.tls_port), timeout=DEADLINE_S) for _ in range(SLOW)]
            for raw in slow:
                raw.sendall(hello[:-1])
            for i in range(50):
                self.assertEqual([a.ask(id=i, op="ping")["id"], b.ask(id=i, op="ping")["id"]], [i, i])
            for raw in slow:  # all at once: the daemon signs as many times
                raw.sendall(hello[-1:])
            served_meanwhile = 0
            answered = 0
            for raw in slow:
                raw.setblocking(False)
            while answered < len(slow):
                self.assertEqual([a.ask(id=1, op="ping")["status"], b.ask(id=1, op="ping")["status"]], ["ok", "ok"])
                served_meanwhile += 1
                still = []
                for raw in slow:
                    try:
                        raw.recv(1, socket.MSG_PEEK)
                        answered += 1
                    except BlockingIOError:
                        still.append(raw)
                slow, done = still, [raw for raw in slow if raw not in still]
                for raw in done:
                    raw.close()
                answered = 0 if slow else answered
            self.assertGreater(served_meanwhile, 1)
            self.assertEqual(a.ask(id=1, op="ping")["status"], "ok")


class Certificates(unittest.TestCase):
    def setUp(self):
        set_up(self)
        self.addCleanup(shutil.rmtree, self.directory)

    def reload(self, daemon):
        before = daemon.log().count("reloaded")
        daemon.kill(signal.SIGHUP)
        with daemon.changed:
            self.assertTrue(daemon.changed.wait_for(lambda: "".join(daemon.lines).count("reloaded") > before, DEADLINE_S))

    def test_a_reload_is_for_new_connections(self):
        with start(self) as daemon, TlsConnection(daemon.tls_port, self.context) as old:
            first = old.socket.getpeercert(True)
            old.send(id=1, op="take", channel="meet")
            self.authority.issue("daemon", "/CN=localhost", "DNS:localhost,DNS:renewed")
            self.reload(daemon)
            with TlsConnection(daemon.tls_port, self.context, host="renewed") as fresh:
                self.assertNotEqual(fresh.socket.getpeercert(True), first)
                self.assertEqual(fresh.ask(id=1, op="put", channel="meet", value="kept")["status"], "ok")
            self.assertEqual(old.receive()["value"], "kept")
            with open(self.key, "w", encoding="utf-8") as file:
                file.write("no key\n")
            self.reload(daemon)
            daemon.wait_log("keeps the certificate that it has")
            with TlsConnection(daemon.tls_port, self.context, host="renewed") as fresh:
                self.assertEqual(fresh.ask(id=1, op="ping")["status"], "ok")
            self.assertEqual(old.ask(id=2, op="ping")["status"], "ok")

    def test_clients_are_known_by_certificates(self):
        worker = self.authority.issue("worker", "/O=Example/CN=worker", "DNS:worker.example,email:w@example")
        named = self.authority.issue("named", "/CN=whatever", "DNS:named.example,URI:spiffe://example/named")
        unknown = self.authority.issue("unknown", "/CN=unknown")
        foreign = Authority(self.directory, "foreign")
        stranger = foreign.issue("stranger", "/O=Example/CN=worker")
        token, hash_ = make_token()
        users = ("users:\n  w: {certificate: \"CN=worker,O=Example\", put: c}\n"
                 f"  n: {{certificate: [\"DNS:other.example\", \"URI:spiffe://example/named\"], take: c}}\n  t: {{token: \"{hash_}\"}}\n")
        for policy in ("optional", "required"):
            write_config(self, users, f", ca: {self.authority.cert}, client_certificates: {policy}")
            with start(self) as daemon:
                def hello(pair, **members):
                    with TlsConnection(daemon.tls_port, client_context(self.authority.cert, *(pair or ()))) as connection:
                        reply = connection.ask(id=1, op="hello", protocol=1, **members)
                        return reply.get("user", reply.get("error"))

                self.assertEqual([hello(worker), hello(named), hello(unknown)], ["w", "n", "unauthenticated"])
                self.assertEqual([hello(worker, token=token), hello(worker, token="x")], ["t", "unauthenticated"])
                for pair in (stranger, None):
                    if pair or policy == "required":
                        with self.assertRaises((OSError, struct.error, TypeError)):
                            hello(pair).upper()
                if policy == "optional":
                    self.assertEqual([hello(None), hello(None, token=token)], ["unauthenticated", "t"])
                with Connection(daemon) as plain:
                    self.assertEqual(plain.ask(id=1, op="hello", protocol=1)["error"], "unauthenticated")

    def test_what_cannot_be_started_with(self):
        def refuse(text, listen="tls://127.0.0.1:0"):
            done = run("-c", self.config, "--listen", listen, "--http", "none")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(text, done.stderr)
            checked = run("--check", "-c", self.config, "--listen", listen, "--http", "none")
            self.assertEqual(checked.returncode, 1, checked.stderr)
            self.assertIn(text, checked.stderr)

        os.chmod(self.key, 0o604)
        refuse("everybody can read it")
        os.chmod(self.key, 0o600)
        key, self.key = self.key, self.authority.key
        os.chmod(self.key, 0o600)
        write_config(self)
        refuse("TLS: the key")
        self.key, cert, self.cert = key, self.cert, "/nonexistent.pem"
        write_config(self)
        refuse("No such file")
        self.cert = cert
        write_config(self)
        refuse("without login", "tls://0.0.0.0:0")
        write_config(self, "users: {u: {uid: 1}}\n")
        refuse("without TLS", "tcp://0.0.0.0:0")
        with Daemon("-c", self.config, listen=["tls://0.0.0.0:0"]) as daemon:
            self.assertIn("to users, by token", daemon.log())
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("http: none\n")
        refuse("a certificate and its key")


if __name__ == "__main__":
    unittest.main()
