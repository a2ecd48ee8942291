"""However the lab ends, none of its processes stays behind."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import lab


class Endings(lab.LiveTest):
    def start_whole(self):
        """A lab with all of its children: two services, six instances, two load generators."""
        running = self.start_lab("--once", "--healthy=60s")
        running.until_type("healthy")
        children = lab.wait_for(lambda: (lambda c: c if len(c) == 10 else None)(
            lab.children_of(running.pid)), "ten children")
        return running, children

    def end_by(self, number):
        running, children = self.start_whole()
        os.kill(running.pid, number)
        self.assertEqual(running.finish(20), -number)
        lab.wait_gone(children)
        # a process counts as gone when its first thread is; the others may still hold its sockets
        for port in (0, 1, 2, 3, 10, 11, 12, 13):
            lab.wait_for(lambda: lab.is_free(self.base + port), f"port {port} to be free")

    def test_ctrl_c(self):
        self.end_by(signal.SIGINT)

    def test_terminated(self):
        self.end_by(signal.SIGTERM)

    def test_hung_up(self):
        self.end_by(signal.SIGHUP)

    def test_killed(self):
        """SIGKILL cannot be caught: the kernel and the pipes end the children."""
        self.end_by(signal.SIGKILL)

    def test_crashed(self):
        self.end_by(signal.SIGABRT)

    def test_interrupted_while_starting(self):
        running = self.start_lab("--once")
        running.until_type("begin")
        children = lab.children_of(running.pid)
        os.kill(running.pid, signal.SIGINT)
        self.assertEqual(running.finish(20), -signal.SIGINT)
        lab.wait_gone(children)

    def test_nobody_reads(self):
        running, children = self.start_whole()
        running.process.stdout.close()
        # what it says next meets a closed pipe; the service may be gone before it can answer this
        self.run_program("lab", "break", "errors", "--ports", str(self.base))
        self.assertEqual(running.process.wait(20), 1)
        lab.wait_gone(children)
        running.process.stdout = open(os.devnull, "rb")


class Terminal(lab.LiveTest):
    def setUp(self):
        self.master, self.slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, self.slave)
        self.seen = ""

    def start_on_terminal(self, *words):
        self.base = lab.free_base()
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8")
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen([lab.PROGRAM, "lab", "--ports", str(self.base), *words],
                                   stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                   env=environment, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def see(self, text, deadline_s=30):
        end = time.monotonic() + deadline_s
        while text not in self.seen:
            self.assertGreater(end, time.monotonic(), f"{text!r} not in {self.seen[-2000:]!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
        self.seen = self.seen.split(text, 1)[1]

    def test_keys(self):
        before = termios.tcgetattr(self.slave)
        process = self.start_on_terminal("--healthy=60s")
        self.see("all is well")
        self.see("? keys  q quit")
        os.write(self.master, b"1")
        self.see("b will break it so")
        os.write(self.master, b"b")
        self.see("broke it: 90 % of answers are now errors")
        self.see("■ Instance-")
        os.write(self.master, b"h")
        self.see("healed it")
        self.see("every circuit is closed again")
        self.see("in numbers")
        self.see("the controls are yours")
        children = lab.children_of(process.pid)
        os.write(self.master, b"q")
        self.assertEqual(process.wait(20), 0)
        lab.wait_gone(children)
        self.assertEqual(termios.tcgetattr(self.slave), before)

    def test_narrow(self):
        """The bottom line fits: of two rows only the last could be taken away again."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        process = self.start_on_terminal("--healthy=60s")
        for _ in range(5):
            self.see("\x1b[?7l")
            self.see("q quit")
        shown = self.shown_status()
        self.assertLessEqual(len(shown), 40, shown)
        self.assertRegex(shown, "A ●  B ●  C ●")
        os.write(self.master, b"q")
        self.assertEqual(process.wait(20), 0)

    def shown_status(self):
        self.see("\x1b[?7l")
        while "\x1b[?7h" not in self.seen:
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        return re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", self.seen.split("\x1b[?7h", 1)[0])

    def test_keys_for_redis(self):
        process = self.start_on_terminal("fleet", "--healthy=60s")
        self.see("? keys  q quit")
        os.write(self.master, b"?")
        self.see("cut off instance A")
        os.write(self.master, b"k")
        self.see("killed Redis")
        self.see("without Redis from here on")
        os.write(self.master, b"r")
        self.see("restarted Redis, empty")
        self.see("is together again")
        os.write(self.master, b"c")
        self.see("cut the way to Redis of Instance-A")
        self.see("a fleet A: without Redis from here on")
        os.write(self.master, b"m")
        self.see("is together again")
        everyone = lab.descendants_of(process.pid)
        os.write(self.master, b"q")
        self.assertEqual(process.wait(20), 0)
        lab.wait_gone(everyone)
        self.assertEqual(lab.folders_of(process.pid), [])

    def test_keys_work_again_after_ctrl_z(self):
        cooked = termios.tcgetattr(self.slave)
        process = self.start_on_terminal("--healthy=60s")
        self.see("? keys  q quit")
        process.send_signal(signal.SIGSTOP)
        lab.wait_for(lambda: lab.stat_of(process.pid)[0] == "T", "the stop")
        termios.tcsetattr(self.slave, termios.TCSANOW, cooked)  # as a shell does
        process.send_signal(signal.SIGCONT)
        lab.wait_for(lambda: not termios.tcgetattr(self.slave)[3] & termios.ICANON, "single keys")
        os.write(self.master, b"q")
        self.assertEqual(process.wait(20), 0)
        self.assertEqual(termios.tcgetattr(self.slave), cooked)


if __name__ == "__main__":
    lab.main()
