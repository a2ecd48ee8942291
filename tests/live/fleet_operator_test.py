"""switchgear fleet force-open, disable, release, status, audit: orders arrive, are signed, can be
undone, and a typing mistake orders nothing."""

import getpass
import json
import re
import shlex
import time
from datetime import datetime, timezone

import lab
import redis_lab

FINE, FAILED, USAGE, FALSE, NOBODY, NO_CIRCUIT, FORBIDDEN = range(7)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class OperatorTest(lab.LiveTest):
    def setUp(self):
        self.redis = redis_lab.Redis()
        self.addCleanup(self.redis.close)

    def fleet(self, command, *words, code=FINE, url=None):
        done = self.run_program("fleet", command, url or self.redis.url, *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def json(self, command, *words, **more):
        return json.loads(self.fleet(command, *words, "--json", **more).stdout)

    def make(self, *names):
        for name in names:
            self.fleet("force-open", name, "--create", "--for", "5m", "--reason", "a drill")

    def keys(self):
        return sorted(self.redis.cli("KEYS", "*").split())


class Orders(OperatorTest):
    def test_a_typing_mistake_orders_nothing(self):
        self.make("payments")
        before = self.redis.cli("HGETALL", "swg1:{default:11}:st"), self.keys()
        for words in (["force-open", "paymens", "--reason", "x"], ["disable", "pay", "--reason", "x"],
                      ["release", "paymetns", "--reason", "x"], ["status", "paymnets"]):
            done = self.fleet(*words, code=NO_CIRCUIT)
            self.assertIn("Did you mean 'payments'?", done.stderr)
            self.assertEqual(done.stdout, "")
        done = self.fleet("force-open", "search", "--reason", "x", code=NO_CIRCUIT)
        self.assertIn("--create", done.stderr)
        self.assertNotIn("Did you mean", done.stderr)
        self.assertEqual((self.redis.cli("HGETALL", "swg1:{default:11}:st"), self.keys()), before)

    def test_force_open_and_its_undo(self):
        self.make("geo-ip")
        self.fleet("release", "geo-ip", "--reason", "begin")
        order = self.json("force-open", "geo-ip", "--for", "2m", "--reason", "bank's night")
        self.assertEqual((order["schema"], order["from"], order["to"]),
                         ("switchgear.fleet.order/1", "closed", "forced_open"))
        self.assertTrue(order["who"].startswith(getpass.getuser() + "@"))
        until = datetime.strptime(order["until"], "%Y-%m-%dT%H:%M:%S.%f%z")
        left = (until - datetime.now(timezone.utc)).total_seconds()
        self.assertTrue(60 < left <= 121, left)
        status = self.json("status", "geo-ip")["circuits"][0]
        self.assertEqual((status["state"], status["epoch"]), ("forced_open", order["epoch"]))
        self.assertLess(abs((datetime.strptime(status["until"], "%Y-%m-%dT%H:%M:%S.%f%z") -
                             until).total_seconds()), 5)
        undo = shlex.split(order["undo"].replace("TEXT", "over"))
        self.assertEqual(undo[0], "switchgear")
        self.assertEqual(self.run_program(*undo[1:]).returncode, FINE)
        status = self.json("status", "geo-ip")["circuits"][0]
        self.assertEqual((status["state"], status["until"]), ("closed", None))
        self.assertGreater(status["epoch"], order["epoch"])
        self.fleet("release", "geo-ip", "--reason", "again", code=FALSE)

    def test_disable(self):
        self.make("mailer")
        order = self.json("disable", "mailer", "--reason", "load test")
        self.assertEqual((order["from"], order["to"]), ("forced_open", "disabled"))
        self.assertIn("release", order["undo"])
        order = self.json("release", "mailer", "--reason", "done")
        self.assertIn(" disable ", order["undo"])

    def test_values(self):
        done = self.fleet("force-open", "mailer", "--create", "--for", "5m", "--reason", "x")
        self.assertRegex(done.stdout, rf"^mailer\tforced_open\t{TIME}\t\d+\n$")
        self.assertRegex(done.stderr, r"^undo: switchgear fleet release .* mailer --reason TEXT\n$")
        rows = self.fleet("status").stdout.splitlines()
        self.assertEqual(len(rows), 1)
        self.assertEqual(len(rows[0].split("\t")), 20)
        self.assertRegex(rows[0], rf"^mailer\tforced_open\t{TIME}\t{TIME}\t0\t0\t")

    def test_usage(self):
        rows = ((["payments"], "--reason"), (["payments", "--reason", ""], "--reason"),
                (["payments", "--reason", "ä"], "printable"), (["pay ments", "--reason", "x"], "name"),
                (["payments", "--reason", "x" * 121], "1 to 120"),
                (["payments", "--reason", "x", "--for", "1ms"], "--for"),
                (["payments", "--reason", "x", "--for", "721h"], "--for"), ([], "wants URL NAME"))
        for words, text in rows:
            done = self.fleet("force-open", *words, code=USAGE)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.keys(), [])

    def test_refused(self):
        self.make("payments")
        self.redis.cli("ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+@read", "+time",
                       "+auth", "+ping", "+scan")
        reader = self.redis.url.replace("//", "//reader:pw@")
        self.assertEqual(self.json("status", url=reader)["circuits"][0]["circuit"], "payments")
        self.assertEqual(len(self.json("audit", url=reader)["actions"]), 1)
        done = self.fleet("release", "payments", "--reason", "x", code=FORBIDDEN, url=reader)
        self.assertIn("evalsha", done.stderr)
        self.fleet("release", "payments", "--reason", "x", code=FORBIDDEN,
                   url=self.redis.url.replace("//", "//reader:wrong@"))
        self.redis.cli("ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-info")
        self.fleet("release", "payments", "--reason", "x", code=FORBIDDEN,
                   url=self.redis.url.replace("//", "//blind:pw@"))
        nobody = f"redis://127.0.0.1:{redis_lab.free_port()}"
        for command in (["status"], ["audit"], ["release", "payments", "--reason", "x"]):
            self.fleet(*command, url=nobody, code=NOBODY)

    def test_frozen(self):
        self.redis.freeze()
        start = time.monotonic()
        for command in (["status"], ["audit"], ["release", "payments", "--reason", "x"]):
            self.fleet(*command, "--timeout", "300ms", code=FAILED)
        self.assertLess(time.monotonic() - start, 20)

    def test_passwords_are_not_shown(self):
        self.redis.cli("CONFIG", "SET", "requirepass", "hunter2")
        url = self.redis.url.replace("//", "//:hunter2@")
        done = self.fleet("force-open", "x", "--create", "--reason", "x", url=url)
        for command in (["status"], ["audit"], ["status", "--json"], ["doctor"],
                        ["release", "y", "--reason", "x"], ["release", "x", "--reason", "x"]):
            more = self.run_program("fleet", command[0], url, *command[1:])
            self.assertNotIn("hunter2", more.stdout + more.stderr)
        self.assertNotIn("hunter2", done.stdout + done.stderr)
        for wrong in ("redis://hunter2@h", "redis://:a@hunter2@h", "redis://:hunter2/x@h",
                      "http://u:hunter2@h", ":hunter2@h"):
            self.assertNotIn("hunter2", self.fleet("status", url=wrong, code=USAGE).stderr)
        self.assertIn(self.redis.url.replace("//", "//:@"), done.stderr)


class Status(OperatorTest):
    def test_nothing_there(self):
        self.assertEqual(self.json("status")["circuits"], [])
        self.assertEqual(self.fleet("status").stdout, "")
        self.fleet("audit")
        self.assertEqual(self.keys(), [])

    def test_every_shard_by_name(self):
        names = sorted(f"c{i}" for i in range(12))
        self.make(*names)
        self.assertEqual([c["circuit"] for c in self.json("status")["circuits"]], names)
        rows = [line.split("\t")[0] for line in self.fleet("status", "c7", "c3").stdout.splitlines()]
        self.assertEqual(rows, ["c7", "c3"])

    def test_another_namespace(self):
        self.fleet("force-open", "x", "--create", "--reason", "x", "--space", "shop", "--shards", "4")
        self.assertEqual(self.json("status")["circuits"], [])
        self.assertEqual([c["circuit"] for c in self.json("status", "--space", "shop")["circuits"]],
                         ["x"])

    def test_looking_changes_nothing(self):
        self.make("a", "b")
        before = self.snapshot()
        self.fleet("status")
        self.fleet("status", "a")
        self.fleet("audit")
        self.assertEqual(self.snapshot(), before)

    def snapshot(self):
        return {key: self.redis.cli("DUMP", key) for key in self.keys()}

    def test_a_circuit_known_by_its_evidence_alone(self):
        tag, later, earlier = "swg1:{default:11}", 9 * 10**15, 10**15
        self.redis.cli("HSET", f"{tag}:b:payments", "t", "99|0|0|0|0|0|0|0|0|0|0", "r:a", f"1|10|5|2|1|1|1|0|{later}",
                       "r:b", f"1|4|0|0|0|0|0|1|{later}", "r:c", f"1|0|0|0|0|0|0|0|{later}",
                       "r:gone", f"1|70|70|0|0|1|1|1|{earlier}")
        for key in (f"{tag}:x:payments", "swg1:{default:99}:x:a", "swg1:{default2:1}:x:b",
                    "swg1:{default:doctor-1}:x:c", "swg1:{default:1}:x:" + "d" * 64):
            self.redis.cli("ZADD", key, str(later), "a")
        circuits = self.json("status", "--shards", "16")["circuits"]
        self.assertEqual([c["circuit"] for c in circuits], ["payments"])
        self.assertEqual(circuits[0]["window"], {"calls": 14, "failures": 5, "slow": 2,
                                                 "local_failures": 1})
        self.assertEqual(circuits[0]["reporters"], {"reporting": 2, "bad": 1, "open": 1})
        self.assertEqual((circuits[0]["since"], circuits[0]["epoch"]), (None, 0))
        self.assertEqual(self.json("status", "payments")["circuits"][0]["window"]["calls"], 14)

    def test_values_of_others(self):
        self.redis.cli("HSET", "swg1:{default:0}:m", "v", "1")
        self.redis.cli("HSET", "swg1:{default:0}:st", "x", "open")
        done = self.fleet("status", code=FAILED)
        self.assertIn("not the fleet's", done.stderr)


class Several(OperatorTest):
    def test_cluster(self):
        cluster = redis_lab.Cluster()
        self.addCleanup(cluster.close)
        url, names = cluster.url(1), sorted(f"c{i}" for i in range(12))
        for name in names:
            self.fleet("force-open", name, "--create", "--reason", name, url=url)
        circuits = self.json("status", url=url)["circuits"]
        self.assertEqual([c["circuit"] for c in circuits], names)
        self.assertEqual({c["state"] for c in circuits}, {"forced_open"})
        self.assertEqual([a["reason"] for a in self.json("audit", url=url)["actions"]],
                         names)
        self.assertTrue(all(int(node.cli("DBSIZE")) > 0 for node in cluster.nodes))
        self.fleet("release", "c5", "--reason", "x", url=url)
        self.assertEqual(self.json("status", "c5", url=url)["circuits"][0]["state"], "closed")
        for shard in range(16):  # known by their evidence alone, on every node
            for words in (["ZADD", "x", str(9 * 10**15), "a"],
                          ["HSET", "b", "r:a", f"1|1|0|0|0|0|0|0|{9 * 10**15}"]):
                words[1] = f"swg1:{{default:{shard}}}:{words[1]}:e{shard}"
                cluster.tell(*words)
        found = {c["circuit"] for c in self.json("status", url=url)["circuits"]}
        self.assertEqual(found, {*names, *(f"e{shard}" for shard in range(16))})
        done = self.fleet("status", "c55", url=url, code=NO_CIRCUIT)
        self.assertIn("Did you mean", done.stderr)

    def test_sentinels(self):
        watch = redis_lab.Sentinels(self.redis)
        self.addCleanup(watch.close)
        watch.kill(0)
        order = self.json("force-open", "x", "--create", "--reason", "x", url=watch.url())
        self.assertEqual(self.json("status")["circuits"][0]["epoch"], order["epoch"])
        self.fleet("release", "x", "--reason", "x", url=watch.url())
        self.fleet("status", url=watch.url("cache"), code=FAILED)
        watch.kill(1)
        watch.kill(2)
        self.fleet("status", url=watch.url(), code=NOBODY)


class Audit(OperatorTest):
    def test_all_shards_in_order(self):
        for name in ("a", "b", "c", "d"):
            self.make(name)
        self.fleet("release", "b", "--reason", "1 | 2")
        actions = self.json("audit")["actions"]
        self.assertEqual([a["circuit"] for a in actions], ["a", "b", "c", "d", "b"])
        self.assertEqual(sorted(actions, key=lambda a: a["time"]), actions)
        self.assertGreater(len({a["shard"] for a in actions}), 1)
        self.assertEqual([(a["from"], a["to"], a["ttl_ms"], a["reason"]) for a in actions[-2:]],
                         [("closed", "forced_open", 300000, "a drill"),
                          ("forced_open", "closed", 0, "1 / 2")])
        for line in self.fleet("audit").stdout.splitlines():
            self.assertTrue(re.match(TIME, line))
            self.assertEqual(len(line.split("\t")), 8)


if __name__ == "__main__":
    lab.main()
