"""HTTP to the daemon, for tests: raw sockets, so that nothing is repaired on the way. Every answer is held against proto/openapi.json."""
import json
import os
import re
import socket

from millraced import DEADLINE_S

OPENAPI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "openapi.json")
with open(OPENAPI, encoding="utf-8") as file:
    API = json.load(file)

JSON = {"Content-Type": "application/json"}


def described(path):
    """The description's path that this one is, or None."""
    for template in API["paths"]:
        if re.fullmatch(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(template)), path):
            return template
    return None


def port_of(daemon):
    return int(re.search(r"http: http://[^ ]*:(\d+)", daemon.wait_log("http: http"))[1])


class Answer:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def status(self):
        return self.headers.get("millrace-status")

    def __repr__(self):
        return f"{self.code} {self.headers} {self.body[:300]}"


class Web:
    """One connection."""

    def __init__(self, where, receive_buffer=None):
        self.port = where if isinstance(where, int) else port_of(where)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(("127.0.0.1", self.port))
        self.stream = self.socket.makefile("rb")

    def send_raw(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def send(self, method, path, body=None, headers=JSON, version="HTTP/1.1"):
        self.last = (method, path)
        lines = [f"{method} {path} {version}"]
        headers = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if body is not None:
            body = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
            headers["Content-Length"] = len(body)
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        self.send_raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def receive_head(self):
        line = self.stream.readline()
        if not line:
            return None
        match = re.fullmatch(rb"HTTP/1\.1 (\d+) [ -~]+\r\n", line)
        assert match, line
        headers = {}
        for line in iter(self.stream.readline, b"\r\n"):
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            assert name.lower() not in headers, name
            headers[name.lower()] = value
        assert not [name for name in headers if name.startswith("access-control-")], headers
        return Answer(int(match[1]), headers, b"")

    def receive_chunk(self):
        line = self.stream.readline()
        if not line:
            return None
        data = self.stream.read(int(line, 16))
        assert self.stream.read(2) == b"\r\n"
        return data

    def receive(self, is_head=False):
        """The next answer; None at the end of the connection."""
        answer = self.receive_head()
        if answer is None or is_head or answer.code == 204:
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            for chunk in iter(self.receive_chunk, b""):
                assert chunk is not None, "the answer breaks off"
                answer.body += chunk
        elif "content-length" in answer.headers:
            answer.body = self.stream.read(int(answer.headers["content-length"]))
        else:
            answer.body = self.stream.read()
        return answer

    def ask(self, method, path, body=None, headers=JSON, **options):
        self.send(method, path, body, headers, **options)
        answer = self.receive(method == "HEAD")
        self.check(answer)
        return answer

    def check(self, answer):
        """Whether the description knows such an answer."""
        method, path = self.last
        template = described(path.partition("?")[0])
        operations = API["paths"].get(template, {})
        operation = operations.get("get" if method == "HEAD" else method.lower())
        if not operation:
            assert answer.code in (404, 405, 403), (self.last, answer)
            return
        assert str(answer.code) in operation["responses"], (self.last, answer)
        response = operation["responses"][str(answer.code)]
        for name, header in response.get("headers", {}).items():
            assert name.lower() in answer.headers, (name, self.last, answer)
        if "content" in response:
            assert answer.headers["content-type"].partition(";")[0] in response["content"], (self.last, answer)
        else:
            assert "content-type" not in answer.headers, (self.last, answer)
        self.check_members(response, answer)

    def check_members(self, response, answer):
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if not schema or not answer.body:
            return
        if "$ref" in schema:
            schema = API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        unknown = set(answer.json()) - set(schema["properties"])
        assert not unknown, (unknown, self.last)

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
