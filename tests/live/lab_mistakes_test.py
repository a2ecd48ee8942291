"""Things that go wrong: each gets a clear word, and the rest goes on."""

import os
import signal
import socket

import lab


class Mistakes(lab.LiveTest):
    def test_busy_port_names_its_holder(self):
        base = lab.free_base()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", base + 2))
            holder.listen()
            done = self.run_program("lab", "independent", "--once", "--ports", str(base))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertIn(f"port {base + 2} is taken by ", done.stderr)
        self.assertIn(f"(pid {os.getpid()})", done.stderr)
        self.assertIn("--ports", done.stderr)

    def test_busy_port_of_a_part(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            for part in ("service", "instance"):
                done = self.run_program("lab", part, "--port", str(port))
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"port {port} is taken by ", done.stderr)
                self.assertIn(f"(pid {os.getpid()})", done.stderr)

    def kill_part(self, running, part, port):
        victim = next(pid for pid in lab.children_of(running.pid)
                      if part in lab.words_of(pid) and f"--port={port}" in lab.words_of(pid))
        os.kill(victim, signal.SIGKILL)

    def check_death(self, part, port, label):
        running = self.start_lab("--once", "--fault=errors", "--rate=100%", "--healthy=300ms",
                                 "--outage=2s", "--set=recovery=300ms")
        running.until_type("broken")
        children = lab.children_of(running.pid)
        self.kill_part(running, part, self.base + port)
        died = running.until_type("died")
        self.assertEqual(died["part"], label)
        self.assertEqual(died["port"], self.base + port)
        self.assertIn("signal 9", died["fate"])
        self.assertEqual(running.finish(), 1)
        self.assertEqual(len(running.of_type("healed")), 1)
        summary = running.of_type("summary")[0]
        lab.wait_gone(children)
        return {w["world"]: w for w in summary["worlds"]}

    def test_service_dies(self):
        worlds = self.check_death("service", 0, "service")
        self.assertEqual(worlds["with breakers"]["closed_after_ms"], -1)
        self.assertGreater(worlds["with breakers"]["rejected"], 0)
        self.assertGreater(worlds["without breakers"]["failed"], 0)

    def test_instance_dies(self):
        worlds = self.check_death("instance", 2, "Instance-B")
        self.assertGreater(worlds["with breakers"]["lost"], 0)
        self.assertGreaterEqual(worlds["with breakers"]["closed_after_ms"], 0)

    def test_nothing_to_talk_to(self):
        base = lab.free_base()
        for words in (["break", "hang"], ["heal"]):
            done = self.run_program("lab", *words, "--ports", str(base))
            self.assertEqual(done.returncode, 4)
            self.assertIn(f"no lab service answers on port {base}", done.stderr)

    def test_wrong_words(self):
        cases = [
            (["labb"], "Did you mean 'lab'?"),
            (["lab", "simpel"], "Did you mean 'simple'?"),
            (["lab", "simple", "--onec"], "Did you mean '--once'?"),
            (["lab", "break", "hagn"], "Did you mean 'hang'?"),
            (["lab", "break", "hang", "--rate", "0%"], "--rate is 1% to 100%"),
            (["lab", "break", "hang", "--rate", "much"], "a percentage"),
            (["lab", "break"], "errors|slow|hang|reset|flap"),
            (["lab", "simple", "--seed"], "--seed wants a value"),
            (["lab", "simple", "--once=1"], "--once takes no value"),
            (["lab", "simple", "left over"], "'left over'"),
            (["lab", "--timeout", "5"], "with its unit"),
            (["lab", "--ports", "70000"], "--ports is 1024 to 65000"),
            (["lab", "simple", "--set", "recovery"], "KEY=VALUE"),
            (["lab", "simple", "--set", "colour=1"], "colour"),
            (["lab", "simple", "--set", "recovery=soon"], "recovery cannot be 'soon'"),
            (["lab", "simple", "--profile", "clasic"], "Did you mean 'classic'?"),
            (["lab", "load", "--targets", "80,x"], "--targets wants ports"),
            (["--colour", "never", "version"], "Did you mean '--color'?"),
            (["completion", "powershell"], "bash, zsh, fish"),
        ]
        for words, expected in cases:
            with self.subTest(words=words):
                done = self.run_program(*words)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(expected, done.stderr)
                self.assertIn("--help", done.stderr)
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    lab.main()
