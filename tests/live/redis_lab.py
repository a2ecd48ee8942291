"""redis-servers of a test's own: on 127.0.0.1 and a socket in a folder that goes away with them. They
die with the test, however it ends."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import lab

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    """A server with the settings given: Redis(maxmemory="100mb"). `port` 0: TLS only."""

    def __init__(self, tls=None, port=None, **settings):
        self.folder = tempfile.mkdtemp(prefix="swg-redis-")
        self.socket = f"{self.folder}/sock"
        self.process = None
        for _ in range(5):
            self.port = free_port() if port is None else port
            self.tls_port = free_port() if tls else 0
            if self.start(tls, settings):
                return
        with open(f"{self.folder}/log", encoding="utf-8") as log:
            raise AssertionError(log.read())

    def start(self, tls, settings):
        words = {"port": self.port, "bind": "127.0.0.1", "unixsocket": self.socket, "save": "",
                 "dir": self.folder, "logfile": f"{self.folder}/log",
                 **{name.replace("_", "-"): value for name, value in settings.items()}}
        if tls:
            words.update({"tls-port": self.tls_port, "tls-cert-file": f"{tls}/cert.pem",
                          "tls-key-file": f"{tls}/key.pem", "tls-ca-cert-file": f"{tls}/ca.pem",
                          "tls-auth-clients": "no"})
        command = ["redis-server"]
        for name, value in words.items():
            command += [f"--{name}", *([value] if value == "" else str(value).split())]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        lab.wait_for(lambda: self.process.poll() is not None or self.answers(), "redis-server")
        return self.process.poll() is None

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(self.socket)
                s.settimeout(5)
                s.sendall(b"PING\r\n")
                return s.recv(8) != b""
            except OSError:
                return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True,
                              encoding="utf-8", errors="backslashreplace", check=True,
                              timeout=lab.DEADLINE_S)
        return done.stdout.strip()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    """Stands between a client and a server; `alter` is given what the server says and returns what the
    client hears, None to hang up."""

    def __init__(self, port, alter):
        self.port, self.alter = port, alter
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            back = threading.Thread(target=self.carry, args=(server, client, self.alter), daemon=True)
            back.start()
            self.carry(client, server, lambda said: said)
            back.join()

    @staticmethod
    def carry(source, target, alter):
        try:
            while (said := source.recv(65536)) and (heard := alter(said)) is not None:
                target.sendall(heard)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def make_certificates(folder):
    """A certificate for localhost by an authority of the test's own, and an authority nobody asked."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True,
                       timeout=lab.DEADLINE_S)
    with open(os.path.join(folder, "san"), "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:localhost")
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key.pem", "-out",
            "request.pem")
    openssl("x509", "-req", "-days", "1", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-extfile", "san", "-out", "cert.pem")
