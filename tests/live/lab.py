"""What the live tests share: running the switchgear program, reading its JSON lines with a deadline,
and looking at processes through /proc. Nothing here sleeps to see whether something happened; it
waits for a condition, and fails when the deadline passes."""

import glob
import json
import os
import pty
import random
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

PROGRAM = os.environ["SWITCHGEAR"]
DEADLINE_S = 60


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """The condition's first true value."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {deadline_s} s: {what}")


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_base():
    """A base of ports for a whole lab, below those the kernel gives to outgoing connections."""
    for _ in range(200):
        base = random.randrange(15000, 32000, 50)
        if all(is_free(base + i) for i in range(45)):
            return base
    raise AssertionError("no free ports")


def stat_of(pid):
    """(state, parent, start time) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), fields[19]


def children_of(pid):
    """{pid: start time} of the processes a process started."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = stat_of(name)
        if stat and stat[1] == pid:
            children[int(name)] = stat[2]
    return children


def descendants_of(pid):
    """{pid: start time} of those and theirs."""
    all_of_them = {}
    for child, start in children_of(pid).items():
        all_of_them[child] = start
        all_of_them.update(descendants_of(child))
    return all_of_them


def folders_of(pid):
    """Where the Redis of a lab keeps its sockets."""
    return glob.glob(f"/tmp/switchgear-lab-{pid}-*")


def words_of(pid):
    """The words of a process's command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def is_alive(pid, start):
    stat = stat_of(pid)
    return bool(stat) and stat[2] == start and stat[0] != "Z"


def wait_gone(children, deadline_s=10):
    wait_for(lambda: not any(is_alive(p, s) for p, s in children.items()),
             f"the end of all of {sorted(children)}", deadline_s)


class Running:
    """A switchgear process whose stdout is read as JSON lines."""

    def __init__(self, *words, **popen):
        self.process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **popen)
        self.lines = []
        self.rest = b""
        os.set_blocking(self.process.stdout.fileno(), False)

    @property
    def pid(self):
        return self.process.pid

    def read(self, deadline_s):
        """The next line's object; None at the end of the stream."""
        end = time.monotonic() + deadline_s
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"silent for {deadline_s} s after {self.lines[-3:]}")
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return None
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        self.lines.append(json.loads(line))
        return self.lines[-1]

    def until(self, wanted, deadline_s=DEADLINE_S):
        """The first line from here on for which wanted(line) holds."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            line = self.read(max(0.01, end - time.monotonic()))
            if line is None:
                error = self.process.stderr.read().decode()
                raise AssertionError(f"ended early after {self.lines[-3:]}: {error}")
            if wanted(line):
                return line
        raise AssertionError(f"the line did not come within {deadline_s} s")

    def until_type(self, name, deadline_s=DEADLINE_S):
        return self.until(lambda line: line["type"] == name, deadline_s)

    def finish(self, deadline_s=DEADLINE_S):
        """Reads to the end; the exit code (negative: the signal)."""
        while self.read(deadline_s) is not None:
            pass
        return self.process.wait(deadline_s)

    def of_type(self, name):
        return [line for line in self.lines if line["type"] == name]

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()


class LiveTest(unittest.TestCase):
    def start(self, *words, **popen):
        running = Running(*words, **popen)
        self.addCleanup(running.close)
        return running

    def start_lab(self, *words, **popen):
        self.base = free_base()
        return self.start("lab", "independent", "--json", "--ports", str(self.base), *words,
                          **popen)

    def run_program(self, *words, **popen):
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=DEADLINE_S,
                              stdin=subprocess.DEVNULL, **popen)

    def on_a_terminal(self, *words, code=0, **environment):
        """What it shows there, stderr among it."""
        leader, follower = pty.openpty()
        process = subprocess.Popen([PROGRAM, *words], stdout=follower, stderr=subprocess.STDOUT,
                                   env=dict(os.environ, TERM="xterm", **environment))
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(leader, 65536):
                text += chunk
        except OSError:  # its end
            pass
        os.close(leader)
        self.assertEqual(process.wait(DEADLINE_S), code, text)
        return text.decode().replace("\r\n", "\n")


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]], verbosity=2)
