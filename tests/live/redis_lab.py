"""redis-servers of a test's own: on 127.0.0.1 and a socket in a folder that goes away with them. They
die with the test, however it ends."""

import ctypes
import os
import random
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


def scratch(kind):
    """A folder named after its owner: what a killed test leaves is swept by later ones
    (tests/scratch)."""
    return tempfile.mkdtemp(prefix=f"swg-{kind}-{os.getpid()}-", dir="/tmp")


def free_port():
    """Below those the kernel gives to outgoing connections; and its number + 10000 is free too: that is
    where nodes of a cluster talk."""
    for _ in range(200):
        port = random.randrange(15000, 32000)
        if lab.is_free(port) and lab.is_free(port + 10000):
            return port
    raise AssertionError("no free ports")


class Redis:
    """A server with the settings given: Redis(maxmemory="100mb")."""

    def __init__(self, tls=None, **settings):
        self.folder = scratch("redis")
        self.socket = f"{self.folder}/sock"
        self.process = None
        for _ in range(5):
            self.port = free_port()
            self.tls_port = free_port() if tls else 0
            if self.start(tls, settings):
                return
        said = "it did not come as far as its log"
        if os.path.exists(f"{self.folder}/log"):
            with open(f"{self.folder}/log", encoding="utf-8") as log:
                said = log.read()
        self.close()
        raise AssertionError(said)

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


class Sentinels:
    """Three that watch over a master, which they call "shop"."""

    def __init__(self, master):
        self.folder = scratch("sentinel")
        self.ports = [free_port() for _ in range(3)]
        self.processes = []
        for port in self.ports:
            config = f"{self.folder}/{port}.conf"
            with open(config, "w", encoding="ascii") as f:
                f.write(f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
                        f"sentinel monitor shop 127.0.0.1 {master.port} 2\n"
                        "sentinel down-after-milliseconds shop 60000\n")
            self.processes.append(subprocess.Popen(
                ["redis-server", config, "--sentinel"], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, preexec_fn=die_with_parent))
        lab.wait_for(lambda: all("OK 3 usable" in self.ask(port) for port in self.ports),
                     "sentinels that know each other")

    @staticmethod
    def ask(port):
        return subprocess.run(["redis-cli", "-p", str(port), "SENTINEL", "CKQUORUM", "shop"],
                              capture_output=True, text=True, timeout=lab.DEADLINE_S,
                              check=False).stdout

    def url(self, name="shop"):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/{name}"

    def kill(self, number):
        self.processes[number].kill()
        self.processes[number].wait()

    def close(self):
        for number in range(len(self.processes)):
            self.kill(number)
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """Three masters."""

    def __init__(self):
        self.nodes = [Redis(cluster_enabled="yes", cluster_node_timeout=1000)
                      for _ in range(3)]
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        subprocess.run(["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"],
                       check=True, capture_output=True, timeout=lab.DEADLINE_S)
        lab.wait_for(lambda: all("cluster_state:ok" in node.cli("CLUSTER", "INFO")
                                 for node in self.nodes), "a cluster")

    def url(self, *numbers):
        hosts = ",".join(f"127.0.0.1:{self.nodes[n].port}" for n in numbers or range(3))
        return f"redis+cluster://{hosts}"

    def tell(self, *words):
        """A command to the node whose key it is."""
        subprocess.run(["redis-cli", "-c", "-p", str(self.nodes[0].port), *words], check=True,
                       capture_output=True, timeout=lab.DEADLINE_S)

    def close(self):
        for node in self.nodes:
            node.close()


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
