"""Certificates and tokens, made up for a test, and connections by TLS. Nothing here is a secret of anybody's."""
import hashlib
import os
import secrets
import socket
import ssl
import subprocess

from millraced import DEADLINE_S, Connection


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Authority:
    """Signs certificates, which lie in a directory: NAME.pem and NAME.key."""

    def __init__(self, directory, name="ca"):
        self.directory, self.name = directory, name
        self.cert, self.key = self.path(name + ".pem"), self.path(name + ".key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.cert)

    def path(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name, subject, names="", days=2):
        """`names`: other names, such as DNS:localhost,IP:127.0.0.1."""
        cert, key, request = self.path(name + ".pem"), self.path(name + ".key"), self.path(name + ".csr")
        extensions = ["-addext", f"subjectAltName={names}"] if names else []
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, *extensions,
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-copy_extensions", "copy", "-days", str(days),
                "-out", cert)
        os.chmod(key, 0o600)
        return cert, key


def client_context(ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(cert, key)
    return context


class TlsConnection(Connection):
    def __init__(self, port, context, host="localhost", receive_bytes=None):
        plain = socket.socket()
        try:
            plain.settimeout(DEADLINE_S)
            if receive_bytes:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            plain.connect(("127.0.0.1", port))
            self.socket = context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self.stream = self.socket.makefile("rb")


def make_token():
    """A token, and what the configuration has of it, as PROTOCOL.md says."""
    salt = secrets.token_hex(16)
    token = f"mrt_{salt}_{secrets.token_hex(32)}"
    return token, f"sha256:{salt}:{hashlib.sha256(token.encode()).hexdigest()}"
