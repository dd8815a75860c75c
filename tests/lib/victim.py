#!/usr/bin/env python3
"""Clients that are killed. Each line on standard input is one, in JSON: it connects to `port`, sends the hexadecimal `send`, waits until `read` bytes have come (0: none),
and is ended by SIGKILL, while its connection is open. When the kernel has buried it, its line is answered by "dead". `wait`: until that many bytes could be read,
which stay unread."""
import json
import os
import signal
import socket
import sys


def live_and_die(life):
    with socket.create_connection(("127.0.0.1", life["port"])) as connection:
        connection.sendall(bytes.fromhex(life["send"]))
        if life.get("wait"):
            connection.recv(life["wait"], socket.MSG_PEEK | socket.MSG_WAITALL)
        if life.get("read"):
            connection.recv(life["read"], socket.MSG_WAITALL)
        os.kill(os.getpid(), signal.SIGKILL)


def main():
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live_and_die(json.loads(line))
            os._exit(1)
        _, status = os.waitpid(child, 0)
        print("dead" if os.WIFSIGNALED(status) else "alive", flush=True)


if __name__ == "__main__":
    main()
