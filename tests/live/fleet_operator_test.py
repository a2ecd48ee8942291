"""switchgear fleet force-open, disable, release, status, audit: orders arrive, are signed, can be
undone, and a typing mistake orders nothing."""

import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timezone

import lab
import redis_lab

FINE, FAILED, USAGE, FALSE, NOBODY, NO_CIRCUIT, FORBIDDEN = range(7)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

NO_TRIP = "|0" * 8  # nor a cause


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

    def paste(self, line, folder="/", **environment):
        """A line as it was printed, into a shell."""
        program = f"switchgear() {{ {shlex.quote(lab.PROGRAM)} \"$@\"; }}\n"
        done = subprocess.run(["sh", "-c", program + line], cwd=folder, capture_output=True,
                              text=True, timeout=lab.DEADLINE_S, check=False,
                              env=dict(os.environ, **environment))
        self.assertEqual(done.returncode, FINE, line + done.stdout + done.stderr)
        return done

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
        self.paste(order["undo"])
        self.assertEqual(self.json("audit")["actions"][-1]["reason"], "undo: bank's night")
        status = self.json("status", "geo-ip")["circuits"][0]
        self.assertEqual((status["state"], status["until"]), ("closed", None))
        self.assertGreater(status["epoch"], order["epoch"])
        self.fleet("release", "geo-ip", "--reason", "again", code=FALSE)

    def test_undo_is_what_was_before(self):
        self.make("mailer")  # held open for 5 minutes
        order = self.json("disable", "mailer", "--for", "2h", "--reason", "load test")
        self.assertEqual((order["from"], order["to"]), ("forced_open", "disabled"))
        self.paste(order["undo"])
        circuit = self.json("status", "mailer")["circuits"][0]
        self.assertEqual(circuit["state"], "forced_open")
        self.assertTrue(230 < self.left(circuit) <= 301, circuit)
        self.fleet("disable", "mailer", "--for", "2h", "--reason", "load test")
        order = self.json("release", "mailer", "--reason", "done")
        self.paste(order["undo"])
        circuit = self.json("status", "mailer")["circuits"][0]
        self.assertEqual(circuit["state"], "disabled")
        self.assertTrue(7100 < self.left(circuit) <= 7201, circuit)

    @staticmethod
    def left(circuit):
        until = datetime.strptime(circuit["until"], "%Y-%m-%dT%H:%M:%S.%f%z")
        return (until - datetime.now(timezone.utc)).total_seconds()

    def test_undo_has_all_that_was_given(self):
        with tempfile.TemporaryDirectory(prefix="swg-tls-") as plain:
            redis_lab.make_certificates(plain)
            folder = shutil.copytree(plain, f"{plain}/$HOME's folder")
            server = redis_lab.Redis(tls=plain, requirepass="hunter2")
            self.addCleanup(server.close)
            url = f"rediss://:hunter2@localhost:{server.tls_port}"
            name = "-it's|$HOME`x`\\;\"&"
            done = subprocess.run(
                [lab.PROGRAM, "fleet", "force-open", url, "--create", "--reason", "a \\ 'b'",
                 "--ca", "ca.pem", "--cert", "cert.pem", "--key", "key.pem", "--space", "shop",
                 "--shards", "4", "--timeout", "7s", "--", name], cwd=folder, check=False,
                capture_output=True, text=True, timeout=lab.DEADLINE_S)
            self.assertEqual(done.returncode, FINE, done.stderr)
            self.assertNotIn("hunter2", done.stdout + done.stderr)
            undo = re.search("(?m)^undo: (.*)\n  .*SWITCHGEAR_REDIS_PASSWORD", done.stderr).group(1)
            self.paste(undo, SWITCHGEAR_REDIS_PASSWORD="hunter2")
            actions = json.loads(self.run_program(
                "fleet", "audit", url, "--space", "shop", "--ca", f"{folder}/ca.pem",
                "--json").stdout)["actions"]
            self.assertEqual([(a["circuit"], a["to"], a["reason"]) for a in actions],
                             [(name.replace("|", "/"), "forced_open", "a \\ 'b'"),
                              (name.replace("|", "/"), "closed", "undo: a \\ 'b'")])

    def test_values(self):
        done = self.fleet("force-open", "mailer", "--create", "--for", "5m", "--reason", "x")
        self.assertRegex(done.stdout, rf"^mailer\tforced_open\t{TIME}\t\d+\n$")
        self.assertRegex(done.stderr,
                         r"(?m)^undo: switchgear fleet release .* mailer --reason 'undo: x'\n$")
        rows = self.fleet("status").stdout.splitlines()
        self.assertEqual(len(rows), 1)
        self.assertEqual(len(rows[0].split("\t")), 30)
        self.assertRegex(rows[0], rf"^mailer\tforced_open\t{TIME}\t{TIME}\t0\t0\t")

    def test_on_a_terminal(self):
        environment = {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
        text = self.on_a_terminal("fleet", "force-open", self.redis.url, "mailer", "--create",
                                  "--for", "90s", "--reason", "x", **environment)
        self.assertRegex(text, r"(?m)^◆ mailer: CLOSED → FORCED until .*\n  undo: switchgear fleet "
                               r"release \S+ mailer --reason 'undo: x'$")
        self.fleet("disable", "mailer", "--for", "2h", "--reason", "y")
        self.assertRegex(self.on_a_terminal("fleet", "status", self.redis.url, **environment),
                         r"(?m)^ +(2h|1h59m\d*s?) left$")
        self.assertRegex(self.on_a_terminal("fleet", "audit", self.redis.url, **environment),
                         r"CLOSED → FORCED for 1m30s  .*: x\n.*FORCED → DISABLED for 2h  .*: y\n$")

    def test_a_replica_names_its_master(self):
        self.make("payments")
        replica = redis_lab.Redis(replicaof=f"127.0.0.1 {self.redis.port}")
        self.addCleanup(replica.close)
        lab.wait_for(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), "a link")
        self.assertEqual(len(self.json("status", url=replica.url)["circuits"]), 1)
        for command in ("release", "disable", "force-open"):
            done = self.fleet(command, "payments", "--reason", "x", url=replica.url, code=FAILED)
            self.assertIn(f"READONLY: this is a replica; give orders to its master: "
                          f"127.0.0.1:{self.redis.port}\n", done.stderr)
        self.assertEqual(len(self.json("audit")["actions"]), 1)

    def test_what_fails_names_the_way_out(self):
        self.make("payments")
        nobody = f"redis://127.0.0.1:{redis_lab.free_port()}"
        done = self.fleet("status", "--space", "a", "--timeout", "3s", url=nobody, code=NOBODY)
        self.assertRegex(done.stderr, rf"switchgear fleet doctor {nobody} --space a --timeout 3s\n$")
        done = self.fleet("status", "mailer", "--timeout", "7s", code=NO_CIRCUIT)
        self.assertIn(f"switchgear fleet status {self.redis.url} --timeout 7s\n", done.stderr)
        self.redis.cli("SET", "swg1:{default:11}:c", "x")
        self.assertIn("swg1:{default:11}:c: WRONGTYPE", self.fleet("status", code=FAILED).stderr)

    def test_an_order_without_an_answer_is_in_doubt(self):
        self.make("payments")
        deaf = redis_lab.Proxy(self.redis.port,
                               lambda said: None if re.match(rb"\*2\r\n\$15\r\n", said) else said)
        self.addCleanup(deaf.close)
        done = self.fleet("release", "payments", "--reason", "x", url=deaf.url, code=FAILED)
        self.assertRegex(done.stderr, r"may have been carried out .*: switchgear fleet status "
                                      rf"{deaf.url} payments\n$")
        self.assertEqual(self.json("status", "payments")["circuits"][0]["state"], "closed")

    def test_one_timeout_for_all_of_it(self):
        self.make("payments")
        slow = redis_lab.Proxy(self.redis.port, lambda said: time.sleep(0.5) or said)
        self.addCleanup(slow.close)
        # looking takes 2.5 s, ordering 1.5 s: each is in time, both are not
        self.fleet("disable", "payments", "--reason", "x", "--timeout", "3500ms", url=slow.url,
                   code=FAILED)

    def test_a_closed_stdout_is_no_connection(self):
        self.make("payments")
        for command in ("doctor", "status"):
            done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", lab.PROGRAM, "fleet", command,
                                   self.redis.url], capture_output=True, text=True, check=False,
                                  timeout=lab.DEADLINE_S)
            self.assertEqual(done.returncode, FAILED)
            self.assertIn("stdout: Bad file descriptor", done.stderr)
            if command == "doctor":
                self.assertIn("fit for a fleet; 0 problems", done.stderr)

    def test_usage(self):
        rows = ((["payments"], "--reason"), (["payments", "--reason", ""], "--reason"),
                (["payments", "--reason", "ä"], "printable"), (["pay ments", "--reason", "x"], "name"),
                (["payments", "--reason", "x" * 121], "1 to 120"),
                (["payments", "--reason", "x", "--for", "1ms"], "--for"),
                (["payments", "--reason", "x", "--for", "721h"], "--for"), ([], "wants URL NAME"),
                (["payments", "--reason", "x", "--for", "1d"], "such as 250ms, 5s or 1h"),
                (["payments", "--reason", "x", "--space", ""], "--space is empty"),
                (["payments", "--reason", "x", "--ca", "x"], "rediss"),
                (["payments", "--reason", "x", "--sentinel-user", "x"], "redis+sentinel://"))
        for words, text in rows:
            done = self.fleet("force-open", *words, code=USAGE)
            self.assertIn(text, done.stderr)
        for name in ("", "x" * 64, "a b", "a\nb", b"\xff"):
            self.assertIn("cannot be a circuit's name",
                          self.run_program("fleet", "status", self.redis.url, name,
                                           errors="replace").stderr)
        for url, words, text in (("rediss://h", ["--key", "x"], "--cert"),
                                 ("redis+sentinel://h/m", ["--sentinel-user", "x"],
                                  "SWITCHGEAR_SENTINEL_PASSWORD"),
                                 ("redis://ops@h", [], "USER:@HOST"),
                                 ("redis://" + "h" * 9000, [], "longer")):
            self.assertIn(text, self.fleet("status", *words, url=url, code=USAGE).stderr)
        self.fleet("force-close", "payments", "--reason", "x", code=USAGE)
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

    def server_us(self):
        seconds, us = self.redis.cli("TIME").split()
        return int(seconds) * 1000000 + int(us)

    def store(self, circuit, state, until_us=0):
        """A circuit of shard 11 whose lease is a minute, its ramp ten."""
        self.redis.cli("HSET", "swg1:{default:11}:m", "v", "1")
        self.redis.cli("HSET", "swg1:{default:11}:st", circuit, f"4096|{state}|{until_us}|0" + NO_TRIP)
        self.redis.cli("HSET", "swg1:{default:11}:c", circuit,
                       "1|10000000|20|50|0|2|1000|3|3|2|12|60000000|60000000|60000000|600000000|0")

    def until(self, circuit, field):
        """That field of it as server's us, or None; and what a terminal shows."""
        told = self.json("status", circuit)["circuits"][0][field]
        row = self.fleet("status", circuit).stdout.rstrip("\n").split("\t")
        self.assertEqual(row[{"holdoff_until": 20, "ramp_until": 21}[field]], told or "-")
        shown = self.on_a_terminal("fleet", "status", self.redis.url, circuit, LC_ALL="C.UTF-8",
                                   NO_COLOR="1")
        at = told and datetime.strptime(told, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
        return at and round(at * 1000), shown

    def test_hold_off(self):
        since = self.server_us() // 1000
        for state, until_us in ((2, 0), (1, since * 1000 - 1)):
            self.store("payments", state, until_us)
            self.redis.cli("HSET", "swg1:{default:11}:m", "since", str(since * 1000))
            until, shown = self.until("payments", "holdoff_until")
            self.assertEqual(until, since + 60000)
            self.assertIn("hold-off until 20", shown)
        self.store("payments", 1, (since + 70000) * 1000)  # open beyond the hold-off
        self.assertNotIn("hold-off", self.until("payments", "holdoff_until")[1])
        for state, begun in ((0, since), (3, since), (2, since - 61000), (2, 0)):
            self.store("payments", state)
            self.redis.cli("HSET", "swg1:{default:11}:m", "since", str(begun * 1000))
            until, shown = self.until("payments", "holdoff_until")
            self.assertEqual((until, "hold-off" in shown), (None, False))

    def test_ramp(self):
        closed = self.server_us() // 1000
        self.store("payments", 0, closed * 1000)
        until, shown = self.until("payments", "ramp_until")
        self.assertEqual(until, closed + 600000)
        self.assertRegex(shown, r"ramp: a growing share of the calls, all of them in (10m|9m\d+s)\n")
        for state, at in ((0, closed - 601000), (0, 0), (2, closed)):
            self.store("payments", state, at * 1000)
            until, shown = self.until("payments", "ramp_until")
            self.assertEqual((until, "ramp" in shown), (None, False))

    def test_values_of_others(self):
        self.redis.cli("HSET", "swg1:{default:0}:m", "v", "1")
        self.redis.cli("HSET", "swg1:{default:0}:st", "x", "open")
        done = self.fleet("status", code=FAILED)
        self.assertIn("not the fleet's", done.stderr)
        self.redis.cli("DEL", "swg1:{default:0}:st")
        self.redis.cli("HSET", "swg1:{default:0}:st", "a\nb", "4096|0|0|0" + NO_TRIP, "ok", "4096|0|0|0" + NO_TRIP)
        self.assertEqual([c["circuit"] for c in self.json("status")["circuits"]], ["ok"])
        self.redis.cli("LPUSH", "swg1:{default:0}:a", "1|4096|x|0|3|1|w\x1b[2J|r")
        done = self.fleet("audit", code=FAILED)
        self.assertIn("swg1:{default:0}:a: row 0 is not the fleet's", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_bytes_that_are_no_text(self):
        done = subprocess.run([lab.PROGRAM, "fleet", "doctor", b"unix:///nowhere/\xff", "--json"],
                              capture_output=True, timeout=lab.DEADLINE_S, check=False)
        self.assertEqual(done.returncode, NOBODY)
        self.assertEqual(json.loads(done.stdout)["url"], "unix:///nowhere/?")


class Doubt(OperatorTest):
    """What works may have looked in the wrong place: said on stderr, with the way out."""

    def hosts(self, shards):
        for shard in range(shards):
            self.redis.cli("HSET", f"swg1:{{default:{shard}}}:m", "v", "1")
            self.redis.cli("ZADD", f"swg1:{{default:{shard}}}:r", "99999999999999999", "a")

    def said(self, *words, shown):
        done = self.fleet(*words)
        names = [line.split("\t")[0] for line in done.stdout.splitlines()]
        if words[0] == "status":
            self.assertEqual(names, shown)
        self.assertLessEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def test_other_shards_than_hosts_use(self):
        self.make("payments")
        self.hosts(16)
        for words in (["status"], ["status", "payments"], ["audit"], ["status", "--shards", "16"]):
            self.assertEqual(self.said(*words, shown=["payments"]), "")
        for words in (["status"], ["audit"]):
            self.assertIn("hosts use 16 shards, not 8:",
                          self.said(*words, "--shards", "8", shown=[]))
        self.assertIn("say 16", self.said("status", "--shards", "32", shown=["payments"]))
        for command in (["status"], ["force-open", "--reason", "x"]):
            done = self.fleet(command[0], "payments", *command[1:], "--shards", "8", code=NO_CIRCUIT)
            self.assertIn("hosts use 16 shards, not 8:", done.stderr)

    def test_other_shards_than_are_stored(self):
        self.make("payments")
        said = self.said("status", "--shards", "8", shown=[])
        self.assertIn("in shards up to number 11, and only 8 shards are looked at", said)

    def test_a_namespace_with_nothing_in_it(self):
        self.assertIn("nothing is stored in namespace default: no host has been there\n",
                      self.said("status", shown=[]))
        self.make("payments")
        for words in (["status"], ["audit"]):
            self.assertIn("namespace defualt: no host has been there; there is (.space, --space) "
                          "default\n", self.said(*words, "--space", "defualt", shown=[]))

    def test_a_circuit_in_two_shards(self):
        self.make("payments")
        self.hosts(16)
        self.redis.cli("HSET", "swg1:{default:3}:st", "payments", "4096|1|0|0" + NO_TRIP)
        for words, shown in (([], ["payments"] * 2), (["payments"], ["payments"])):
            self.assertIn("payments is in shard 3, where hosts that use 16 shards do not look: "
                          "theirs is 11", self.said("status", *words, shown=shown))
        self.redis.cli("DEL", "swg1:{default:3}:st")
        self.redis.cli("ZADD", "swg1:{default:5}:x:payments", "1", "a")
        self.assertIn("payments is in shard 5", self.said("status", "payments", shown=["payments"]))


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
