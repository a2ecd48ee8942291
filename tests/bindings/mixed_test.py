"""Workers in C, Python, PHP and Ruby on one shared panel see one breaker.

Usage: mixed_test.py WORKER-IN-C. Times are given to the workers, so nothing waits.
"""

import os
import signal
import subprocess
import sys
import unittest

import switchgear

HERE = os.path.dirname(os.path.abspath(__file__))
COMMANDS = {
    "c": [],
    "python": ["/usr/bin/python3", f"{HERE}/worker.py"],
    "php": ["/usr/bin/php", f"{HERE}/worker.php"],
    "ruby": ["/usr/bin/ruby", f"{HERE}/worker.rb"],
}
SECOND = 10**9
START = 1000 * SECOND


class Worker:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)

    def send(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"worker ended with {self.process.wait()}")
        return line.strip()

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class MixedTest(unittest.TestCase):
    def setUp(self):
        self.name = f"/swg-test-{os.getpid()}"
        self.addCleanup(self.unlink)
        self.workers = {kind: Worker(command) for kind, command in COMMANDS.items()}
        self.addCleanup(lambda: [worker.end() for worker in self.workers.values()])
        for worker in self.workers.values():  # all at once: one makes the panel, the others join
            worker.send("open", self.name)
        for kind, worker in self.workers.items():
            self.assertEqual(worker.answer(), "same", kind)

    def unlink(self):
        try:
            switchgear.unlink(self.name)
        except FileNotFoundError:
            pass

    def call(self, kind, outcome, now):
        self.assertEqual(self.workers[kind].ask("acquire", now), "permitted 0", kind)
        self.assertEqual(self.workers[kind].ask("release", outcome, now), "ok", kind)

    def ask_all(self, *words):
        return {kind: worker.ask(*words) for kind, worker in self.workers.items()}

    def expect_all(self, answer, *words):
        self.assertEqual(self.ask_all(*words), {kind: answer for kind in self.workers})

    def probes(self, now):
        """All ask at the same time; whom the probes went to."""
        answers = self.ask_all("acquire", now)
        permitted = [kind for kind, answer in answers.items() if answer == "permitted 0"]
        refused = {a.split()[0] for k, a in answers.items() if k not in permitted}
        self.assertEqual((len(permitted), refused), (3, {"probing"}))
        return permitted

    def test_one_opens_it_for_all_and_the_probes_are_shared(self):
        now = START
        for kind in self.workers:
            for _ in range(5):
                self.expect_all("closed 0 0", "read", now)
                self.call(kind, "failure", now)
            self.expect_all("open 0 0", "read", now)
            self.expect_all("open 5000", "acquire", now)
            self.expect_all("open 1", "acquire", now + 5 * SECOND - 10**6)
            now += 5 * SECOND
            self.expect_all("half_open 0 0", "read", now)
            permitted = self.probes(now)
            self.expect_all("half_open 3 3", "read", now)
            for probe in permitted:
                self.assertEqual(self.workers[probe].ask("release", "success", now), "ok")
            self.expect_all("closed 0 0", "read", now)
            now += SECOND

    def test_their_failures_add_up(self):
        for kind in [*self.workers, "c"]:
            self.call(kind, "timeout" if kind == "php" else "failure", START)
        self.expect_all("open 5000", "acquire", START)

    def test_one_failed_probe_in_another_language_opens_it_again(self):
        for _ in range(5):
            self.call("ruby", "failure", START)
        now = START + 5 * SECOND
        for probe in self.probes(now):
            self.workers[probe].ask("release", "failure", now)
        self.expect_all("open 10000", "acquire", now)

    def test_what_the_killed_held_is_given_back_by_another(self):
        kinds = list(self.workers)
        for kind, other in zip(kinds, kinds[1:]):
            self.assertEqual(self.workers[kind].ask("acquire", START), "permitted 0")
            self.assertEqual(self.workers[other].ask("read", START), "closed 1 0")
            self.workers[kind].kill()
            self.assertEqual(self.workers[other].ask("reap", START), "1")
            self.assertEqual(self.workers[other].ask("read", START), "closed 0 0")

    def test_the_journal_names_who_did_it(self):
        for _ in range(5):
            self.call("php", "failure", START)
        with switchgear.Panel(self.name) as panel:
            events, _ = panel.events()
        (event,) = events
        self.assertEqual(event.name, "payments")
        self.assertEqual((event.before.name, event.after.name), ("CLOSED", "OPEN"))
        self.assertEqual((event.failures, event.at_ns), (5, START))
        self.assertEqual(event.pid, self.workers["php"].process.pid)


if __name__ == "__main__":
    COMMANDS["c"] = [sys.argv.pop(1)]
    signal.alarm(50)  # a worker that does not answer ends the test
    unittest.main()
