#!/usr/bin/env python3
"""A server that does what servers do on bad days. Prints its ports, then serves until its input
ends. Each connection is closed after one answer, unless the path says otherwise.

    /ok /slow?MS /status?N /after?SECONDS /date?SECONDS /hang /reset /short /trickle /half
    /turns?A,B,C  answers these in turn: a status, "reset" or "slow"      /count  requests so far
"""
import asyncio
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate

turns = {}
counts = {}
BODY = b"an answer, whole and in one piece"


def head(status, length, more=""):
    return (f"HTTP/1.1 {status} Reason\r\nContent-Length: {length}\r\n{more}"
            f"Connection: keep-alive\r\n\r\n").encode()


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def answer(path, argument, writer):
    """True: the connection may serve another request."""
    if path == "/turns":
        kind = argument.split(",")
        turn = turns.get(argument, 0)
        turns[argument] = turn + 1
        path = "/" + kind[min(turn, len(kind) - 1)]
        if path[1:].isdigit():
            path, argument = "/status", path[1:]
        elif path == "/slow":
            argument = "1500"
    if path == "/count":
        body = str(counts.get("/" + argument, 0)).encode()
        writer.write(head(200, len(body)) + body)
    elif path == "/slow":
        await asyncio.sleep(int(argument) / 1000)
        writer.write(head(200, len(BODY)) + BODY)
    elif path == "/status":
        writer.write(head(int(argument), len(BODY)) + BODY)
    elif path == "/after":
        writer.write(head(503, 0, f"Retry-After: {argument}\r\n"))
    elif path == "/date":
        when = formatdate(time.time() + int(argument), usegmt=True)
        writer.write(head(503, 0, f"Retry-After: {when}\r\n"))
    elif path == "/hang":
        await asyncio.sleep(3600)
    elif path == "/reset":
        reset(writer)
        return False
    elif path == "/half":  # an answer begun, then a reset
        writer.write(head(200, len(BODY)) + BODY[:5])
        await writer.drain()
        await asyncio.sleep(0.05)
        reset(writer)
        return False
    elif path == "/short":  # lies about its length
        writer.write(head(200, 1000) + BODY)
        await writer.drain()
        return False
    elif path == "/trickle":
        writer.write(head(200, 100))
        for _ in range(100):
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.1)
    else:
        writer.write(head(200, len(BODY)) + BODY)
    await writer.drain()
    return True


async def serve(reader, writer):
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            text = request.decode()
            target = text.split(" ", 2)[1]
            for line in text.split("\r\n"):
                if line.lower().startswith("content-length:"):
                    await reader.readexactly(int(line.split(":")[1]))
            path, _, argument = target.partition("?")
            counts[path] = counts.get(path, 0) + 1
            if not await answer(path, argument, writer):
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def self_signed():
    with tempfile.TemporaryDirectory() as folder:
        key, cert = folder + "/key", folder + "/cert"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "1", "-subj", "/CN=somebody.else"],
                       check=True, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    plain = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
    secure_port = 0
    if port == 0:
        secure = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self_signed())
        secure_port = secure.sockets[0].getsockname()[1]
    print(plain.sockets[0].getsockname()[1], secure_port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
