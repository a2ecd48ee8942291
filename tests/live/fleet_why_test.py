"""switchgear fleet status tells why: exchanges of hosts with a real Redis on one side, what an operator
reads on the other."""

import os
import pathlib
import time

import lab
from fleet_operator_test import OperatorTest

LUA = os.path.join(os.path.dirname(__file__), "..", "..", "src", "fleet", "lua")
SCREEN = {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
ALL = ("--shards", "16")  # the hosts here have but one


def script(name):
    return "".join(pathlib.Path(LUA, f"{part}.lua").read_text("utf-8") for part in ("prelude", name))


class Why(OperatorTest):
    """One circuit, reported on as hosts do, with the shortest waits there are."""

    def setUp(self):
        super().setUp()
        self.seq, self.sync, self.tag = 0, script("sync"), "swg1:{default:11}"
        self.limits = dict(window=10000000, calls_min=20, failure_pct=50, slow_pct=80, quorum=2,
                           cap=1000, probes=1, need=1, fail_limit=1, expiry_limit=1, open=10000,
                           open_max=86400000000, lease=10000, ramp=0, quarantine=0)

    def say(self, who, epoch, state=0, n=0, f=0, s=0, local_open=0, want=0, results=()):
        self.seq += 1
        keys = [f"{self.tag}:{k}" for k in ("m", "st", "chg", "c", "r")]
        keys += [f"{self.tag}:{k}:payments" for k in "bxlq"]
        limits = "|".join(str(v) for v in self.limits.values())
        entry = ["payments", self.seq, epoch, state, 0, n, f, s, 0, local_open, want, 1, limits]
        words = [0, "", 1, who, 0, 1, *entry, len(results), *(x for r in results for x in r)]
        told = self.redis.cli("EVAL", self.sync, str(len(keys)), *keys, *(str(w) for w in words))
        self.assertNotIn("SWG", told)

    def circuit(self):
        return self.json("status", *ALL, "payments")["circuits"][0]

    def screen(self):
        return self.on_a_terminal("fleet", "status", self.redis.url, *ALL, **SCREEN)

    def until_probing(self):
        deadline = time.monotonic() + lab.DEADLINE_S
        while (now := self.circuit())["probes"]["out"] == 0:
            self.assertLess(time.monotonic(), deadline, now)
            self.say("a", now["epoch"], want=1)
        return now

    def test_failures(self):
        self.say("a", 0, n=100, f=5)
        self.say("b", 0, n=50, f=50)
        self.say("c", 0, n=60, f=60)
        now = self.circuit()
        self.assertEqual((now["state"], now["cause"]), ("open", "failure_rate"))
        self.assertEqual(now["trip"], {"cause": "failure_rate", "calls": 210, "failures": 115,
                                       "slow": 0, "bad": 2, "open": 0, "reporting": 3})
        self.assertIsNone(now["order"])
        self.assertRegex(self.screen(),
                         r"(?m)^ +why: failures 54 % of 210 calls, 2 of 3 hosts bad$")
        row = self.fleet("status", *ALL).stdout.rstrip("\n").split("\t")
        self.assertEqual(row[-8:], ["failure_rate", "failure_rate", "210", "115", "0", "2", "0", "3"])

    def test_slow_calls(self):
        self.say("a", 0, n=50, f=1, s=45)
        self.say("b", 0, n=50, s=50)
        self.assertEqual(self.circuit()["cause"], "slow_rate")
        self.assertIn("why: slow calls 95 % of 100 calls, 2 of 2 hosts bad\n", self.screen())

    def test_votes(self):
        self.say("a", 0, n=9)
        self.say("b", 0, n=5, f=5, local_open=1)
        self.say("c", 0, local_open=1)
        self.assertEqual(self.circuit()["cause"], "votes")
        self.assertIn("why: own breakers of 2 of 3 hosts open\n", self.screen())

    def test_the_whole_outage(self):
        """Its beginning is told to its end."""
        self.limits["lease"] = self.limits["open"] = self.limits["open_max"] = 2000000
        self.say("a", 0, n=50, f=50)
        self.say("b", 0, n=50, f=50)
        began = self.circuit()["trip"]
        self.assertEqual(began["calls"], 100)
        now = self.until_probing()
        self.assertEqual((now["state"], now["cause"], now["trip"]), ("half_open", "wait_over", began))
        self.say("a", now["epoch"], results=[(now["epoch"], self.seq, 0, 0)])
        now = self.circuit()
        self.assertEqual((now["state"], now["cause"], now["trip"]), ("open", "probes_failed", began))
        self.assertIn("why: probes failed; opened by: failures 100 % of 100 calls, 2 of 2 hosts bad\n",
                      self.screen())
        now = self.until_probing()
        self.say("a", now["epoch"], results=[(now["epoch"], self.seq, 0, 1)])
        now = self.circuit()
        self.assertEqual((now["state"], now["cause"], now["trip"]), ("closed", "probes_passed", began))
        self.assertNotIn("why:", self.screen())

    def test_lost_probes(self):
        self.limits["lease"] = self.limits["open"] = 50000
        self.say("a", 0, n=50, f=50)
        self.say("b", 0, n=50, f=50)
        epoch = self.until_probing()["epoch"]
        deadline = time.monotonic() + lab.DEADLINE_S
        while (now := self.circuit())["epoch"] == epoch:
            self.assertLess(time.monotonic(), deadline)
            self.say("b", epoch)
        self.assertEqual((now["state"], now["cause"]), ("open", "probes_lost"))
        self.assertIn("why: probes were lost: no answer in time; opened by: failures", self.screen())

    def test_orders(self):
        self.make("payments")
        now = self.circuit()
        self.assertEqual((now["cause"], now["trip"]), ("override", None))
        self.assertEqual(now["order"]["reason"], "a drill")
        self.assertRegex(self.screen(), r"(?m)^ +why: ordered by \S+@\S+: a drill$")
        self.redis.cli("DEL", f"{self.tag}:a")
        self.assertIsNone(self.circuit()["order"])
        self.assertRegex(self.screen(), r"(?m)^ +why: ordered$")

    def test_an_order_that_ended(self):
        self.fleet("force-open", "payments", "--create", "--for", "1s", "--reason", "a drill")
        epoch = self.circuit()["epoch"]
        deadline = time.monotonic() + lab.DEADLINE_S
        while (now := self.circuit())["epoch"] == epoch:
            self.assertLess(time.monotonic(), deadline)
            self.say("a", epoch)
        self.assertEqual((now["state"], now["cause"], now["order"]["reason"]),
                         ("open", "override_ended", "a drill"))
        self.assertRegex(self.screen(), r"why: an order has ended, probes decide; ordered by \S+: a drill")

    def test_a_claim(self):
        self.say("a", 0, n=50, f=50)
        self.say("b", 0, n=50, f=50)
        epoch = self.circuit()["epoch"]
        self.redis.cli("FLUSHALL")
        self.say("a", epoch, state=1)
        now = self.circuit()
        self.assertEqual((now["state"], now["cause"], now["trip"]), ("open", "claim", None))
        self.assertIn("why: hosts say so; this Redis had lost or never had it\n", self.screen())

    def test_what_a_newer_version_may_say(self):
        self.redis.cli("HSET", f"{self.tag}:m", "v", "1")
        self.redis.cli("HSET", f"{self.tag}:st", "payments", "4096|1|0|0|77|77|1|1|1|1|1|1")
        now = self.json("status", *ALL, "payments")["circuits"][0]
        self.assertEqual((now["cause"], now["trip"]["cause"]), ("unknown", "unknown"))
        for bad in ("4096|1|0|0", "4096|1|0|0|1|1|1|1|1|1|1|1|1", "4096|1|0|0|1|1|1|1|1|1|1|x",
                    "4096|1|0|0|1|1|1|1|1|1|1|", "4096|1|0|0|100|1|1|1|1|1|1|1", "4096|1|0|0|1||1|1|1|1|1|1",
                    "4096|1|0|0|1|1|" + "9" * 17 + "|1|1|1|1|1"):
            self.redis.cli("HSET", f"{self.tag}:st", "payments", bad)
            done = self.fleet("status", *ALL, "payments", code=1)
            self.assertIn("its state is not the fleet's", done.stderr)


if __name__ == "__main__":
    lab.main()
