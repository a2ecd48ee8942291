"""switchgear lab storm: retries without a budget outlast their cause; a budget and a breaker end it."""
import json
import subprocess
import unittest

import lab


def play(*more):
    done = subprocess.run([lab.PROGRAM, "lab", "storm", "--once", "--json", "--ports",
                           str(lab.free_base()), *more],
                          capture_output=True, text=True, timeout=120)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


class Storm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.done, cls.lines = play("--brownout", "3s", "--after", "15s")
        cls.results = {line["world"]: line for line in cls.lines if line["type"] == "result"}

    def test_it_ends_well_and_says_nothing_else(self):
        self.assertEqual((self.done.returncode, self.done.stderr), (0, ""))
        self.assertEqual(sum(line["type"] == "second" for line in self.lines), 3 + 3 + 15)

    def test_plain_retries_stay_down_when_the_cause_is_gone(self):
        plain = self.results["plain retries"]
        self.assertEqual(plain["recovered_ms"], -1)
        self.assertLess(plain["answered_per_s_last"], 10)
        self.assertGreater(plain["service_per_call_after"], 2)

    def test_a_budget_ends_it(self):
        budget = self.results["on a budget"]
        self.assertGreaterEqual(budget["recovered_ms"], 0)
        self.assertGreater(budget["answered_per_s_last"], 90)
        self.assertLess(budget["service_per_call_after"], 1.3)

    def test_a_breaker_ends_it_sooner(self):
        breaker, budget = self.results["and a breaker"], self.results["on a budget"]
        self.assertGreaterEqual(breaker["recovered_ms"], 0)
        self.assertLess(breaker["recovered_ms"], budget["recovered_ms"])
        self.assertGreater(breaker["answered_per_s_last"], 90)


if __name__ == "__main__":
    unittest.main()
