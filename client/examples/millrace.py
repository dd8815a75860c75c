"""A Millrace client in Python's standard library, written from proto/PROTOCOL.md alone. Copy this file, and `import millrace`.

    with millrace.Client() as m:                  # a URL; or $MILLRACE_URL; or the daemon on this machine
        m.put("jobs", {"url": "http://x/y"})      # waits while there is no room
        job = m.take("jobs", timeout_ms=1000)     # or raises millrace.Timeout

Threads may share a client: each call blocks its own thread alone, and their requests are in flight together. What begin() asks can be waited
for later, and cancelled by any thread. A timeout_ms of None is for ever, of 0 at once or not at all. A call that is interrupted (Ctrl-C, a
signal's exception) is withdrawn in the daemon; a take's value is leased while it is on its way, so that it goes back then. What cannot be sent
raises ValueError or TypeError; the end of the connection ConnectionError, in all who wait: whether an unanswered put happened is not known then.
client/python is the whole client: it connects again, speaks to several daemons, and knows asyncio.
"""
import contextlib, decimal, itertools, json, math, os, queue, re, socket, ssl, struct, threading

GRACE_S = 1  # a request with a time-out gives a silent network this much longer
HANDOVER_MS = 60_000  # the lease of a take while its value is on its way
LARGEST_FRAME = 16 * 2**20  # more than any daemon sends
class Timeout(TimeoutError): "The time ran out before anything happened."
class Closed(Exception): "The channel is closed (and, for a take, empty), or was deleted."
class Cancelled(Exception): "The request was cancelled."
class Refused(Exception): "The daemon refused the request: `code` says why to programs, the text to people."
EXCEPTIONS = {"timeout": Timeout, "closed": Closed, "cancelled": Cancelled}
def is_last(reply):  # only a take with `count` gets more than one
    return reply.get("status") != "ok" or reply.get("left", 0) == 0
def int_of(digits):  # int() refuses more than 4,300 digits: by halves
    half = len(digits) // 2
    return int(digits) if len(digits) <= 4000 else int_of(digits[:-half]) * 10**half + int_of(digits[-half:]) * (-1) ** (digits[0] == "-")
def float_of(text):  # inf stands for no number of JSON's
    number = float(text)
    return number if math.isfinite(number) else decimal.Decimal(text)
def decode(text):  # a value that Python cannot hold is refused alone, and what was leased goes back
    try:
        return json.loads(text, parse_int=int_of, parse_float=float_of)
    except (ValueError, ArithmeticError):
        reply = json.loads(text, parse_float=str, parse_int=int_of)
        return {**reply, "status": "error", "error": "undecodable", "message": "a number that Python cannot hold", "value": None}

class Request:
    """One that was sent. reply() waits for its reply, a dict whose status is ok or dropped, or raises; and gives the last one again."""

    def __init__(self, client, number, timeout_ms):
        self.client, self.number, self.replies, self.last = client, number, queue.SimpleQueue(), None
        self.is_abandoned, self.patience_s = False, None if timeout_ms is None else timeout_ms / 1000 + GRACE_S

    def reply(self):
        reply = self.last
        try:
            reply = reply or self.replies.get(timeout=self.patience_s)
            self.last = reply if is_last(reply) else None
        except queue.Empty:
            self.client.end("no answer came in time: the network or the daemon is silent")
            self.last = reply = self.replies.get()
        except BaseException:  # whoever waits is interrupted
            self.abandon(reply)
            raise
        if "broken" in reply:
            raise ConnectionError(reply["broken"])
        if reply["status"] in ("ok", "dropped"):
            return reply
        error = EXCEPTIONS.get(reply["status"], Refused)(reply.get("message", reply["status"]))
        error.code, error.reply = reply.get("error", reply["status"]), reply
        raise error

    def abandon(self, reply=None):
        """Nobody wants its reply any more: it is withdrawn, and what comes all the same, or has come, goes back. Nothing if it has ended."""
        if self.is_abandoned or self.last:
            return
        self.is_abandoned = True
        self.client.give_back(reply or {})
        with contextlib.suppress(ConnectionError):
            self.client.begin("cancel", request=self.number)
        with contextlib.suppress(queue.Empty):
            while True:  # what came before that
                self.client.give_back(self.replies.get_nowait())

    def cancel(self):
        """True: it is withdrawn, and reply() raises Cancelled. False: it had ended by itself."""
        try:
            return self.client.ask("cancel", request=self.number)["status"] == "ok"
        except Refused:
            return False

class Client:
    def __init__(self, url=None, name="python", token=None, connect_timeout_ms=5000, tls=None):
        """token: None is $MILLRACE_TOKEN. tls: an ssl.SSLContext for tls:// URLs; None: the system's authorities."""
        match = re.fullmatch(r"(tcp|tls)://(?:\[([^]]+)\]|([^:/\[\]]+))(?::(\d+))?/?|unix://(/.+)",
                             url or os.environ.get("MILLRACE_URL") or "tcp://127.0.0.1:7223")
        if not match or not 0 < int(match[4] or 1) < 65536:
            raise ValueError("a daemon's URL is tcp://host:port, tls://host:port or unix:///path")
        scheme, host, path = match[1], match[2] or match[3], match[5]
        self.numbers, self.pending, self.broken, self.notice, self.max_frame = itertools.count(1), {}, None, None, 65536
        self.lock, self.outbox, self.process = threading.Lock(), queue.SimpleQueue(), os.getpid()
        self.threads, self.promises = [], set()  # channels of which nothing can be leased
        self.socket = socket.socket(socket.AF_UNIX) if path else socket.create_connection(
            (host, int(match[4] or (7225 if scheme == "tls" else 7223))), connect_timeout_ms / 1000)
        try:
            if path:
                self.socket.connect(path)
            else:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if scheme == "tls":
                self.socket = (tls or ssl.create_default_context()).wrap_socket(self.socket, server_hostname=host)
            self.socket.settimeout(None)
            self.threads = [threading.Thread(target=work, daemon=True) for work in (self.read, self.write)]
            for thread in self.threads:
                thread.start()
            token = os.environ.get("MILLRACE_TOKEN") if token is None else token
            self.hello = self.begin("hello", connect_timeout_ms, protocol=1, name=name, token=token).reply()
            self.max_frame = self.hello["max_frame_bytes"]
        except BaseException:
            self.disconnect()
            raise

    def begin(self, op, patience_ms=None, **members):
        """Sends any op of the protocol with its members, but for those that are None, and returns the Request."""
        return self.send(Request(self, next(self.numbers), members.get("timeout_ms", patience_ms)), op, members)

    def send(self, request, op, members):
        if os.getpid() != self.process:
            raise ConnectionError("this client was made before a fork: connect anew in this process")
        members = {key: value for key, value in members.items() if value is not None or key == "value"}
        body = json.dumps({"id": request.number, "op": op, **members}, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > self.max_frame:
            raise ValueError(f"the request has {len(body)} bytes, and a frame of this daemon at most {self.max_frame}")
        with self.lock:
            if self.broken:
                raise ConnectionError(self.broken)
            self.pending[request.number] = request
            self.outbox.put(struct.pack(">I", len(body)) + body)
        return request

    def ask(self, op, **members):
        request = Request(self, next(self.numbers), members.get("timeout_ms"))
        try:
            return self.send(request, op, members).reply()
        except BaseException:  # it may be interrupted before it waits, too
            request.abandon()
            raise

    def put(self, channel, value, timeout_ms=None):
        """True: it is in, or has met a take. False: the channel shed it (dropping, promise)."""
        return self.ask("put", channel=channel, value=value, timeout_ms=timeout_ms)["status"] == "ok"

    def put_many(self, channel, values, timeout_ms=None):
        """Puts them in order, in one step; how many were accepted. What this raises says it, too, in `reply`."""
        return self.ask("put", channel=channel, values=list(values), timeout_ms=timeout_ms)["accepted"]

    def take(self, channel, timeout_ms=None, max=None):
        """A value; with max a list of 1 to max values, whatever is there. Waits only while there is none."""
        reply = self.hand_over("take", [channel], channel=channel, timeout_ms=timeout_ms, max=max)
        return reply["value" if max is None else "values"]

    def hand_over(self, op, channels, **members):
        """A take or alts whose value is leased until it is here; a promise alone leases nothing, and is never used up."""
        reply = {}
        if self.promises.isdisjoint(channels):
            try:
                reply = self.ask(op, lease_ms=HANDOVER_MS, **members)
                if "lease" in reply:
                    self.begin("ack", lease=reply["lease"])
                return reply
            except Refused as error:
                if error.code != "bad_request":
                    raise
            except BaseException:
                self.give_back(reply)
                raise
        reply = self.ask(op, **members)
        self.promises.add(channels[0])
        return reply

    def give_back(self, reply):
        if "lease" in reply:
            with contextlib.suppress(ConnectionError):
                self.begin("nack", lease=reply["lease"], **({"counted": False} if "once" in self.hello["features"] else {}))

    def alts(self, *arms, priority=False, timeout_ms=None):
        """One arm happens: "channel" takes, ("channel", value) puts. Returns its index, and the value taken. If it is Closed: in `reply`."""
        takes = [arm for arm in arms if isinstance(arm, str)]
        arms = [{"take": arm} if isinstance(arm, str) else {"put": arm[0], "value": arm[1]} for arm in arms]
        ask = self.hand_over if takes else lambda op, _, **members: self.ask(op, **members)
        reply = ask("alts", takes, arms=arms, priority=priority, timeout_ms=timeout_ms)
        return reply["arm"], reply.get("value")

    def create(self, kind, channel=None, **definition):
        """Returns the channel's name, which the daemon makes up if there is none. definition: capacity, ephemeral …"""
        return self.ask("create", channel=channel, kind=kind, **definition)["channel"]

    def close(self, channel):
        self.ask("close", channel=channel)

    def read(self):  # in a thread of its own: gives each reply to its request
        try:
            with self.socket.makefile("rb") as stream:
                while len(header := stream.read(4)) == 4:
                    length = struct.unpack(">I", header)[0]
                    if length > LARGEST_FRAME:
                        raise ValueError("this is no Millrace daemon")
                    reply = decode(stream.read(length))
                    with self.lock:
                        request = (self.pending.pop if is_last(reply) else self.pending.get)(reply["id"], None)
                    if request and (request.is_abandoned or reply.get("error") == "undecodable"):
                        self.give_back(reply)
                    if request:
                        request.replies.put(reply)
                    elif reply["id"] is None:  # if the connection ends now, these were the daemon's last words
                        self.notice = reply.get("message")
            self.end(self.notice or "the daemon has ended the connection")
        except Exception as error:  # whatever it is, nobody may wait in vain
            self.end(f"the connection broke: {error!r}")

    def write(self):  # in a thread of its own: no interrupted call leaves half a frame
        try:
            while frame := self.outbox.get():
                self.socket.sendall(frame)
        except OSError as error:
            self.end(f"the connection broke: {error!r}")

    def end(self, why):
        with self.lock:
            self.broken, requests, self.pending = self.broken or why, self.pending.values(), {}
        for request in requests:
            request.replies.put({"broken": self.broken})
        self.outbox.put(None)
        with contextlib.suppress(OSError):  # it may have ended already
            self.socket.shutdown(socket.SHUT_RDWR)  # which wakes the thread that reads

    def disconnect(self, *error):
        """What is parked is cancelled by the daemon, what is ephemeral deleted. In a forked child: nothing."""
        if os.getpid() == self.process:
            self.outbox.put(None)  # what was written before is sent
            for thread in self.threads[1:]:
                thread.join(GRACE_S)
            self.end("the client has disconnected")
            self.socket.close()

    __enter__, __exit__ = lambda self: self, disconnect
