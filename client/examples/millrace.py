"""A Millrace client in Python's standard library, written from proto/PROTOCOL.md alone. Copy this file, and `import millrace`.

    with millrace.Client() as m:                  # a URL; or $MILLRACE_URL; or the daemon on this machine
        m.put("jobs", {"url": "http://x/y"})      # waits while there is no room
        job = m.take("jobs", timeout_ms=1000)     # or raises millrace.Timeout

Threads may share a client: each call blocks its own thread alone, and their requests are in flight together. What begin() asks can be waited
for later, and cancelled by any thread. A timeout_ms of None is for ever, of 0 at once or not at all. What cannot be sent raises ValueError or
TypeError; the end of the connection ConnectionError, in all who wait: whether an unanswered put happened is not known then.
"""
import contextlib, itertools, json, os, queue, socket, struct, threading

GRACE_S = 1  # a request with a time-out gives a silent network this much longer
class Timeout(TimeoutError): "The time ran out before anything happened."
class Closed(Exception): "The channel is closed (and, for a take, empty), or was deleted."
class Cancelled(Exception): "The request was cancelled."
class Refused(Exception): "The daemon refused the request: `code` says why to programs, the text to people."
EXCEPTIONS = {"timeout": Timeout, "closed": Closed, "cancelled": Cancelled}
def is_last(reply):  # only a take with `count` gets more than one
    return reply.get("status") != "ok" or reply.get("left", 0) == 0

class Request:
    """One that was sent. reply() waits for its reply, a dict whose status is ok or dropped, or raises; and gives the last one again."""

    def __init__(self, client, number, timeout_ms):
        self.client, self.number, self.replies, self.last = client, number, queue.SimpleQueue(), None
        self.patience_s = None if timeout_ms is None else timeout_ms / 1000 + GRACE_S

    def reply(self):
        try:
            reply = self.last or self.replies.get(timeout=self.patience_s)
        except queue.Empty:
            self.client.end("no answer came in time: the network or the daemon is silent")
            reply = self.replies.get()
        self.last = reply if is_last(reply) else None
        if "broken" in reply:
            raise ConnectionError(reply["broken"])
        if reply["status"] in ("ok", "dropped"):
            return reply
        error = EXCEPTIONS.get(reply["status"], Refused)(reply.get("message", reply["status"]))
        error.code, error.reply = reply.get("error", reply["status"]), reply
        raise error

    def cancel(self):
        """True: it is withdrawn, and reply() raises Cancelled. False: it had ended by itself."""
        try:
            return self.client.ask("cancel", request=self.number)["status"] == "ok"
        except Refused:
            return False

class Client:
    def __init__(self, url=None, name="python", token=None, connect_timeout_ms=5000):
        scheme, _, where = (url or os.environ.get("MILLRACE_URL") or "tcp://127.0.0.1:7223").partition("://")
        if scheme not in ("tcp", "unix"):
            raise ValueError("a daemon's URL is tcp://host:port or unix:///path")
        host, _, port = where.rpartition(":") if where[-1:].isdigit() and ":" in where else (where, "", 7223)
        self.numbers, self.pending, self.broken, self.notice, self.max_frame = itertools.count(1), {}, None, None, 65536
        self.lock, self.writing = threading.Lock(), threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX) if scheme == "unix" else socket.create_connection(
            (host.strip("[]"), int(port)), connect_timeout_ms / 1000)
        try:
            self.socket.settimeout(None)
            if scheme == "unix":
                self.socket.connect(where)
            threading.Thread(target=self.read, daemon=True).start()
            self.hello = self.begin("hello", connect_timeout_ms, protocol=1, name=name, token=token).reply()
            self.max_frame = self.hello["max_frame_bytes"]
        except BaseException:
            self.disconnect()
            raise

    def begin(self, op, patience_ms=None, **members):
        """Sends any op of the protocol with its members, but for those that are None, and returns the Request."""
        request = Request(self, next(self.numbers), members.get("timeout_ms", patience_ms))
        members = {key: value for key, value in members.items() if value is not None or key == "value"}
        body = json.dumps({"id": request.number, "op": op, **members}, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > self.max_frame:
            raise ValueError(f"the request has {len(body)} bytes, and a frame of this daemon at most {self.max_frame}")
        with self.lock:
            if self.broken:
                raise ConnectionError(self.broken)
            self.pending[request.number] = request
        try:
            with self.writing:
                self.socket.sendall(struct.pack(">I", len(body)) + body)
        except BaseException as error:  # half of it may have gone: no more can follow
            self.end(f"the connection broke: {error!r}")
            if not isinstance(error, OSError):
                raise
        return request

    def ask(self, op, **members):
        return self.begin(op, **members).reply()

    def put(self, channel, value, timeout_ms=None):
        """True: it is in, or has met a take. False: the channel shed it (dropping, promise)."""
        return self.ask("put", channel=channel, value=value, timeout_ms=timeout_ms)["status"] == "ok"

    def put_many(self, channel, values, timeout_ms=None):
        """Puts them in order, in one step; how many were accepted. What this raises says it, too, in `reply`."""
        return self.ask("put", channel=channel, values=list(values), timeout_ms=timeout_ms)["accepted"]

    def take(self, channel, timeout_ms=None, max=None):
        """A value; with max a list of 1 to max values, whatever is there. Waits only while there is none."""
        reply = self.ask("take", channel=channel, timeout_ms=timeout_ms, max=max)
        return reply["value" if max is None else "values"]

    def alts(self, *arms, priority=False, timeout_ms=None):
        """One arm happens: "channel" takes, ("channel", value) puts. Returns its index, and the value taken. If it is Closed: in `reply`."""
        arms = [{"take": arm} if isinstance(arm, str) else {"put": arm[0], "value": arm[1]} for arm in arms]
        reply = self.ask("alts", arms=arms, priority=priority, timeout_ms=timeout_ms)
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
                    reply = json.loads(stream.read(*struct.unpack(">I", header)))
                    with self.lock:
                        request = (self.pending.pop if is_last(reply) else self.pending.get)(reply["id"], None)
                    if request:
                        request.replies.put(reply)
                    elif reply["id"] is None:  # if the connection ends now, these were the daemon's last words
                        self.notice = reply.get("message")
            self.end(self.notice or "the daemon has ended the connection")
        except Exception as error:  # whatever it is, nobody may wait in vain
            self.end(f"the connection broke: {error!r}")

    def end(self, why):
        with self.lock:
            self.broken, requests, self.pending = self.broken or why, self.pending.values(), {}
        for request in requests:
            request.replies.put({"broken": self.broken})
        with contextlib.suppress(OSError):  # it may have ended already
            self.socket.shutdown(socket.SHUT_RDWR)  # which wakes the thread that reads

    def disconnect(self, *error):
        """What is parked is cancelled by the daemon, what is ephemeral deleted."""
        self.end("the client has disconnected")
        self.socket.close()

    __enter__, __exit__ = lambda self: self, disconnect
