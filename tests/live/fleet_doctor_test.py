"""switchgear fleet doctor against real servers with everything wrong that can be: each finding by its
name, its severity, and the exit code. Where the doctor says what to do, the test does it, and looks
again."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time

import lab
import redis_lab

FINE, FAILED, USAGE, PROBLEM, NOBODY = 0, 1, 2, 3, 4
SECRET = "hunter2secret"
ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
CHECKS = ["reach", "tls", "auth", "version", "role", "cluster", "rights", "scripts", "exchange",
          "eviction", "memory", "replicas", "persistence", "clock", "script-limit", "idle", "slowlog",
          "shards"]


class DoctorTest(lab.LiveTest):
    def redis(self, **settings):
        server = redis_lab.Redis(**settings)
        self.addCleanup(server.close)
        return server

    def doctor(self, url, *words, code=None, password=None):
        """What it found: {check: finding}."""
        environment = {k: v for k, v in os.environ.items() if k != "SWITCHGEAR_REDIS_PASSWORD"}
        if password:
            environment["SWITCHGEAR_REDIS_PASSWORD"] = password
        done = self.run_program("fleet", "doctor", url, "--json", *words, env=environment)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["schema"], "switchgear.fleet.doctor/1")
        self.assertEqual(report["fit"], done.returncode == FINE)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout)
        for severity, count in report["counts"].items():
            found = [f for f in report["findings"] if f["severity"] == severity]
            self.assertEqual(len(found), count)
            for finding in found:
                self.assertTrue(severity != "problem" or finding.get("fix"), finding)
        return {finding["check"]: finding for finding in report["findings"]}

    def expect(self, findings, check, severity, *words):
        self.assertIn(check, findings)
        self.assertEqual(findings[check]["severity"], severity, findings[check])
        for word in words:
            self.assertIn(word, findings[check]["seen"] + " | " + findings[check].get("fix", ""))

    def expect_only(self, findings, *problems):
        self.assertEqual([c for c, f in findings.items() if f["severity"] == "problem"],
                         list(problems))


class Fit(DoctorTest):
    def test_a_good_server_is_fit_and_left_as_it_was(self):
        server = self.redis()
        findings = self.doctor(server.url, code=FINE)
        self.assertEqual(list(findings), CHECKS)
        self.expect_only(findings)
        self.expect(findings, "eviction", "fine", "noeviction")
        self.assertNotIn("-0.0", findings["clock"]["seen"])
        self.assertRegex(findings["exchange"]["seen"], r"^\d+\.\d\d ms, p99 \d+\.\d\d ms .* of 50$")
        self.assertEqual(server.cli("DBSIZE"), "0")

    def test_unix_socket(self):
        server = self.redis()
        self.expect(self.doctor(f"unix://{server.socket}", code=FINE), "reach", "fine", server.socket)

    def test_another_database(self):
        server = self.redis()
        self.doctor(server.url + "/5", code=FINE)
        self.assertEqual(server.cli("INFO", "keyspace"), "# Keyspace")
        self.expect(self.doctor(server.url + "/99", code=PROBLEM), "reach", "problem", "DB index")


class Reach(DoctorTest):
    def test_nothing_listens(self):
        for url, words in ((f"redis://127.0.0.1:{redis_lab.free_port()}", "Connection refused"),
                           ("unix:///nowhere/sock", "No such file"),
                           ("redis://no-such-host.invalid", "no-such-host.invalid")):
            findings = self.doctor(url, code=NOBODY)
            self.assertEqual(list(findings), ["reach"])
            self.expect(findings, "reach", "problem", words)

    def listen(self, answer):
        """A listener that answers whatever it hears with this, and hangs up."""
        server = socket.create_server(("127.0.0.1", 0))
        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(4096)
                    peer.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        return f"redis://127.0.0.1:{server.getsockname()[1]}"

    def test_what_is_no_redis(self):
        answers = ((b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "no Redis"),
                   (b"", "hung up"), (b"*2147483647\r\n", ""), (b"$99999999999\r\n", ""))
        for answer, words in answers:
            with self.subTest(answer=answer):
                url = self.listen(answer)
                self.expect(self.doctor(url, code=NOBODY), "reach", "problem", words)

    def test_a_frozen_server_costs_the_deadline_and_no_more(self):
        server = self.redis()
        server.freeze()
        start = time.monotonic()
        findings = self.doctor(server.url, "--timeout", "700ms", code=FAILED)
        self.assertLess(time.monotonic() - start, 10)
        self.expect(findings, "reach", "problem", "no answer in time")

    def hog(self, server):
        """The one client a server lets in."""
        def connect():
            hog = socket.socket(socket.AF_UNIX)
            hog.connect(server.socket)
            hog.sendall(b"PING\r\n")
            if hog.recv(16).startswith(b"+PONG"):
                return hog
            hog.close()
            return None
        return lab.wait_for(connect, "a connection")

    def test_refusals_that_pass(self):
        server = self.redis(maxclients=1)
        with self.hog(server):
            self.expect(self.doctor(server.url, code=PROBLEM), "reach", "problem",
                        "max number of clients", "maxclients")

    def test_a_script_that_never_ends(self):
        server = self.redis(lua_time_limit=10)
        with socket.socket(socket.AF_UNIX) as looper:
            looper.connect(server.socket)
            looper.sendall(b'EVAL "while true do end" 0\r\n')
            findings = lab.wait_for(
                lambda: (f := self.doctor(server.url)) and f["reach"]["severity"] == "problem" and f,
                "BUSY")
            self.expect(findings, "reach", "problem", "BUSY", "SCRIPT KILL")
        server.cli("SCRIPT", "KILL")


class Tls(DoctorTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="swg-tls-")
        redis_lab.make_certificates(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_certificates(self):
        server = self.redis(tls=self.folder.name)
        ours, others = (f"{self.folder.name}/{name}.pem" for name in ("ca", "other"))
        url = f"rediss://localhost:{server.tls_port}"
        self.expect(self.doctor(url, "--ca", ours, code=FINE), "tls", "fine", "TLSv1.3", "localhost")
        for words in (["--ca", others], []):
            findings = self.doctor(url, *words, code=PROBLEM)
            self.assertEqual(list(findings), ["tls"])
            self.expect(findings, "tls", "problem", "certificate refused", "--ca")
        self.expect(self.doctor(f"rediss://127.0.0.1:{server.tls_port}", "--ca", ours, code=PROBLEM),
                    "tls", "problem", "mismatch")
        self.expect(self.doctor(url, "--ca", "/nowhere.pem", code=PROBLEM), "tls", "problem",
                    "/nowhere.pem: No such file", "PEM")
        self.expect(self.doctor(url, "--ca", "/etc/passwd", code=PROBLEM), "tls", "problem",
                    "holds no certificate")
        plain = f"rediss://localhost:{server.port}"  # waits for a line that never ends
        self.expect(self.doctor(plain, "--ca", ours, "--timeout", "700ms", code=FAILED), "reach",
                    "problem", "does not speak TLS")
        self.expect(self.doctor(f"redis://localhost:{server.tls_port}", code=NOBODY), "reach",
                    "problem", "rediss://")


class Auth(DoctorTest):
    def test_password(self):
        server = self.redis(requirepass=SECRET)
        plain = server.url
        self.expect(self.doctor(plain, code=PROBLEM), "auth", "problem", "NOAUTH", "give a password")
        with_it = plain.replace("//", f"//:{SECRET}@")
        wrong = plain.replace("//", "//:wrong@")
        self.expect(self.doctor(wrong, code=PROBLEM), "auth", "problem", "WRONGPASS")
        self.expect(self.doctor(with_it, code=FINE), "auth", "fine", "default")
        self.expect(self.doctor(plain, password=SECRET, code=FINE), "auth", "fine")
        self.expect(self.doctor(plain.replace("//", "//default:@"), password=SECRET, code=FINE),
                    "auth", "fine")
        self.expect(self.doctor(wrong, password=SECRET, code=PROBLEM), "auth", "problem")

    def test_a_password_nobody_wants(self):
        url = self.redis().url.replace("//", "//:x@")
        self.expect(self.doctor(url, code=FINE), "auth", "warning", "none is wanted")


class Rights(DoctorTest):
    def user(self, *rules):
        server = self.redis()
        server.cli("ACL", "SETUSER", "channel-key", "on", f">{SECRET}", *rules)
        return server, server.url.replace("//", f"//channel-key:{SECRET}@")

    def cure(self, server, findings):
        """Does what the finding says, word for word."""
        server.cli(*shlex.split(findings["rights"]["fix"]))

    def test_what_is_missing_is_named_and_enough(self):
        rows = ((["~*", "&*", "+@all", "-@scripting"], "+evalsha", "+script|load"),
                (["~*", "&*", "+@all", "-@dangerous"], "+info"),
                (["~*", "&*", "+@all", "-@pubsub"], "+publish", "+subscribe"),
                (["~*", "&*", "+@all", "-unlink"], "+unlink"),
                (["~cache:*", "&*", "+@all"], "~swg1:*"),
                (["~*", "resetchannels", "+@all"], "&swg1:*"),
                (["+ping"], "+evalsha"))
        for rules, *words in rows:
            with self.subTest(rules=rules):
                server, url = self.user(*rules)
                findings = self.doctor(url, code=PROBLEM)
                self.expect(findings, "rights", "problem", *words)
                for _ in range(3):  # keys are looked at after commands
                    if findings["rights"]["severity"] == "problem":
                        self.cure(server, findings)
                        findings = self.doctor(url)
                self.assertIn(findings["rights"]["severity"], ("fine", "note"))
                self.expect(findings, "scripts", "fine")
                self.expect(findings, "exchange", "fine")
                self.assertEqual(server.cli("DBSIZE"), "0")

    def least(self, findings, check):
        """The least rights that the doctor tells with a check, as ACL SETUSER takes them."""
        return findings[check]["fix"].split(">PASSWORD ")[1].split()

    def documented(self, user):
        path = os.path.join(ROOT, "docs", "design", "fleet.md")
        with open(path, encoding="utf-8") as f:
            rules = re.search(rf"ACL SETUSER {user} on >\.\.\. ((?:.+\n)+)", f.read())[1]
        return sorted(rules.replace("SPACE", "default").split())

    def test_the_least_rights_are_those_of_the_documents_and_enough(self):
        server = self.redis()
        hosts = self.least(self.doctor(server.url), "auth")
        self.assertEqual(sorted(hosts), self.documented("fleet"))
        server.cli("ACL", "SETUSER", "web", "on", f">{SECRET}", *hosts)
        findings = self.doctor(server.url.replace("//", f"//web:{SECRET}@") + "/1", code=FINE)
        self.expect(findings, "rights", "note", "not what operators do", "+hkeys", "for operators: ")
        operators = self.least(findings, "rights")
        self.assertEqual(sorted(operators), self.documented("fleet-operator"))
        server.cli("ACL", "SETUSER", "ops", "on", f">{SECRET}", *operators)
        findings = self.doctor(server.url.replace("//", f"//ops:{SECRET}@"), code=PROBLEM)
        self.expect(findings, "rights", "problem", "; what operators do it may", "+subscribe")
        server.cli("ACL", "SETUSER", "both", "on", f">{SECRET}", *hosts, *operators)
        findings = self.doctor(server.url.replace("//", f"//both:{SECRET}@"), code=FINE)
        self.expect(findings, "rights", "fine", "hosts and operators")

    def test_what_each_command_of_an_operator_needs(self):
        """The table of fleet-doctor.md: without one of a command's rights it is refused, with them done."""
        server = self.redis()
        url = server.url.replace("//", f"//ops:{SECRET}@") + "/1"
        self.run_program("fleet", "force-open", server.url + "/1", "pay", "--create", "--reason", "x")
        commands = {"status": (["status"], ["status", "pay"]), "audit": (["audit"],),
                    "orders": (["force-open", "pay", "--reason", "x"],
                               ["disable", "pay", "--reason", "x"],
                               ["release", "pay", "--reason", "x"])}
        operators = [r for r in self.documented("fleet-operator") if r.startswith("+")]
        path = os.path.join(ROOT, "docs", "design", "fleet-doctor.md")
        with open(path, encoding="utf-8") as f:
            table = dict(re.findall(r"(?m)^\| (status|audit|orders) \| ([+a-z| \\]+) \|$", f.read()))
        def done(command):
            server.cli("SCRIPT", "FLUSH")
            return {self.run_program("fleet", words[0], url, *words[1:]).returncode
                    for words in commands[command]} == {FINE}
        everything = set()
        for command in commands:
            needs = table[command].replace("\\", "").split()
            everything |= set(needs)
            server.cli("ACL", "SETUSER", "ops", "reset", "on", f">{SECRET}", "~swg1:{default:*", *needs)
            self.assertTrue(done(command), command)
            for right in needs:
                server.cli("ACL", "SETUSER", "ops", right.replace("+", "-"))
                self.assertFalse(done(command), f"{command} without {right}")
                server.cli("ACL", "SETUSER", "ops", right)
        self.assertEqual(set(operators) - everything, {"+publish"})  # a hint, and no more

    def test_a_user_of_the_namespace_alone_is_enough(self):
        rules = ["~swg1:{shop:*", "resetchannels", "&swg1:{shop:*", "+@all"]
        _, url = self.user(*rules)
        self.doctor(url, "--space", "shop", code=FINE)
        self.expect(self.doctor(url, code=PROBLEM), "rights", "problem", "keys")

    def test_settings_that_may_not_be_read(self):
        _, url = self.user("~*", "&*", "+@all", "-config", "-slowlog")
        findings = self.doctor(url, code=FINE)
        for check in ("script-limit", "idle", "slowlog"):
            self.expect(findings, check, "note", "refused")
        self.expect(findings, "eviction", "fine", "noeviction")

    def test_commands_renamed_away(self):
        server = self.redis(rename_command="EVALSHA nothing")
        self.expect(self.doctor(server.url, code=PROBLEM), "rights", "problem", "+evalsha",
                    "rename-command")

    def test_every_command_of_the_scripts_is_tried(self):
        folder = os.path.join(ROOT, "src", "fleet")
        used = set()
        for name in ("prelude", "sync", "admin"):
            with open(f"{folder}/lua/{name}.lua", encoding="utf-8") as f:
                used |= set(re.findall(r"call\('([A-Z]+)'", f.read()))
        with open(f"{folder}/doctor_rights.c", encoding="utf-8") as f:
            tried = set(re.findall(r'\{"([a-z]+)", "', f.read()))
        self.assertGreater(len(used), 15)
        self.assertEqual({word.lower() for word in used} - tried, set())


class Settings(DoctorTest):
    def test_eviction(self):
        for policy, words in (("allkeys-lru", "open circuits"), ("volatile-ttl", "leases")):
            server = self.redis(maxmemory="100mb", maxmemory_policy=policy)
            findings = self.doctor(server.url, code=PROBLEM)
            self.expect_only(findings, "eviction")
            self.expect(findings, "eviction", "problem", policy, words, "100 MB",
                        "maxmemory-policy noeviction")
            server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
            self.expect(self.doctor(server.url, code=FINE), "eviction", "fine")
        server = self.redis(maxmemory_policy="allkeys-lru")
        self.expect(self.doctor(server.url, code=FINE), "eviction", "note", "no maxmemory")

    def test_memory(self):
        server = self.redis()
        server.cli("CONFIG", "SET", "maxmemory", "100kb")
        findings = self.doctor(server.url, code=PROBLEM)
        self.expect_only(findings, "exchange", "memory")
        self.expect(findings, "memory", "problem", "OOM")
        self.expect(findings, "exchange", "problem", "OOM")

    def test_snapshots_that_fail(self):
        server = self.redis()
        server.cli("CONFIG", "SET", "save", "900 1")
        self.doctor(server.url, code=FINE)
        os.mkdir(f"{server.folder}/dump.rdb")  # where the snapshot would go
        server.cli("SET", "x", "1")
        server.cli("BGSAVE")
        lab.wait_for(lambda: "rdb_last_bgsave_status:err" in server.cli("INFO", "persistence"),
                     "a snapshot that failed")
        self.expect(self.doctor(server.url, code=PROBLEM), "persistence", "problem", "MISCONF")
        server.cli("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        self.expect(self.doctor(server.url, code=FINE), "persistence", "fine", "snapshots")

    def test_limits_and_timeouts(self):
        server = self.redis(lua_time_limit=5, timeout=1)
        findings = self.doctor(server.url, code=FINE)
        self.expect(findings, "script-limit", "warning", " 5 ms")
        self.expect(findings, "idle", "warning", "timeout 1")
        server.cli("CONFIG", "SET", "timeout", "0")
        server.cli("CONFIG", "SET", "tcp-keepalive", "0")
        self.expect(self.doctor(server.url, code=FINE), "idle", "note", "tcp-keepalive 0")

    def test_slow_exchanges(self):
        server = self.redis(slowlog_log_slower_than=0)
        self.doctor(server.url, code=FINE)
        findings = self.doctor(server.url, code=FINE)
        self.assertRegex(findings["slowlog"]["seen"], r"^\d+ of 128 entries are exchanges")

    def test_one_node_of_a_cluster(self):
        server = self.redis(cluster_enabled="yes")
        findings = self.doctor(server.url, code=PROBLEM)
        self.expect(findings, "cluster", "problem", "redis+cluster://")


class Between(DoctorTest):
    """What a network or a proxy makes of a good server."""

    def through(self, alter):
        proxy = redis_lab.Proxy(self.redis().port, alter)
        self.addCleanup(proxy.close)
        return proxy.url

    def test_far_away(self):
        def late(said):
            time.sleep(0.11)
            return said
        findings = self.doctor(self.through(late), "--timeout", "12s", code=FINE)
        self.expect(findings, "exchange", "warning", "p99 1")
        self.assertNotIn("of 50", findings["exchange"]["seen"])

    def test_another_script_under_the_name(self):
        known = self.doctor(self.redis().url)["scripts"]["seen"].split()[1].encode()
        url = self.through(lambda said: said.replace(known, b"0" * len(known)))
        self.expect(self.doctor(url, code=PROBLEM), "scripts", "problem", "0" * 12)

    def test_hung_up_in_the_middle(self):
        url = self.through(lambda said: None if b"redis_version" in said else said)
        findings = self.doctor(url, code=FAILED)
        self.expect(findings, "reach", "problem", "the rest could not be looked at")

    def test_a_clock_that_is_off_and_one_that_steps(self):
        def ahead(seconds):
            return lambda said: re.sub(rb"\*2\r\n\$10\r\n(\d{10})",
                                       lambda m: b"*2\r\n$10\r\n%d" % (int(m[1]) + seconds()), said)
        self.expect(self.doctor(self.through(ahead(lambda: 90)), code=FINE), "clock", "note",
                    "90.0 s ahead")
        steps = iter(range(0, 1000, 10))
        self.expect(self.doctor(self.through(ahead(lambda: next(steps))), code=FINE), "clock",
                    "warning", "stepped by")


class Replicas(DoctorTest):
    def test_master_and_replica(self):
        master = self.redis(repl_diskless_sync_delay=0, min_replicas_max_lag=2)
        self.expect(self.doctor(master.url, code=FINE), "replicas", "note", "none")
        replica = self.redis(replicaof=f"127.0.0.1 {master.port}")
        lab.wait_for(lambda: "master_link_status:up" in replica.cli("INFO", "replication"),
                     "a replica that follows")
        findings = self.doctor(replica.url, code=PROBLEM)
        self.expect_only(findings, "role")
        self.expect(findings, "role", "problem", f"redis://127.0.0.1:{master.port}")
        self.expect(findings, "exchange", "note", "replica")
        self.expect(self.doctor(master.url, code=FINE), "replicas", "warning",
                    "min-replicas-to-write 1")
        master.cli("CONFIG", "SET", "min-replicas-to-write", "1")
        findings = lab.wait_for(  # a replica on a busy machine may lag for a moment
            lambda: (f := self.doctor(master.url)) and f["replicas"]["severity"] == "fine" and f,
            "a replica in time")
        self.expect(findings, "replicas", "fine", "after 2 s")
        replica.close()
        findings = lab.wait_for(
            lambda: (f := self.doctor(master.url)) and f["exchange"]["severity"] == "problem" and f,
            "NOREPLICAS")
        self.expect_only(findings, "exchange", "replicas")
        self.expect(findings, "exchange", "problem", "NOREPLICAS")
        self.expect(findings, "replicas", "problem", "0 of the 1")


class Several(DoctorTest):
    """More than one server: findings are told of each."""

    def several(self, url, code, *words):
        """[(check, node, severity, seen)]"""
        done = self.run_program("fleet", "doctor", url, "--json", *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return [(f["check"], f.get("node", ""), f["severity"], f["seen"])
                for f in json.loads(done.stdout)["findings"]]

    def of(self, findings, check):
        return [(severity, seen) for name, _, severity, seen in findings if name == check]

    def problems(self, findings):
        return {name for name, _, severity, _ in findings if severity == "problem"}

    def test_sentinels(self):
        master = self.redis()
        watch = redis_lab.Sentinels(master)
        self.addCleanup(watch.close)
        findings = self.several(watch.url(), FINE)
        self.assertEqual([f[:3] for f in findings[:4]],
                         [*(("sentinel", f"127.0.0.1:{port}", "fine") for port in watch.ports),
                          ("reach", f"127.0.0.1:{master.port}", "fine")])
        self.assertEqual([name for name, *_ in findings[3:]], CHECKS)
        self.assertIn("3 sentinels", findings[0][3])
        one = watch.url().split(",")[0] + "/shop"
        self.assertEqual(self.of(self.several(one, FINE), "sentinel")[0][0], "note")
        findings = self.several(watch.url("cache"), PROBLEM)
        self.assertEqual({name for name, *_ in findings}, {"sentinel"})
        self.assertTrue(findings[0][3].startswith("it knows no master of that name"), findings[0])
        findings = self.several(f"redis+sentinel://127.0.0.1:{master.port}/shop", PROBLEM)
        self.assertEqual(self.problems(findings), {"sentinel"})
        findings = self.several(f"redis://127.0.0.1:{watch.ports[0]}", PROBLEM)
        self.assertEqual(self.problems(findings), {"role"})
        self.assertIn("a sentinel, not a server", str(findings))
        self.assertNotIn("shards", {name for name, *_ in findings})

        watch.kill(0)
        findings = self.several(watch.url(), FINE)
        self.assertEqual([severity for severity, _ in self.of(findings, "sentinel")],
                         ["warning", "fine", "fine"])
        watch.processes[1].send_signal(signal.SIGSTOP)
        self.addCleanup(watch.processes[1].send_signal, signal.SIGCONT)
        findings = self.several(watch.url(), FINE, "--timeout", "3s")
        self.assertEqual([severity for severity, _ in self.of(findings, "sentinel")],
                         ["warning", "warning", "fine"])
        watch.kill(1)
        watch.kill(2)
        findings = self.several(watch.url(), NOBODY)
        self.assertIn(("sentinel", "", "problem", "none of them says where the master is"), findings)

    def test_sentinels_that_could_not_choose(self):
        master = self.redis()
        watch = redis_lab.Sentinels(master)
        self.addCleanup(watch.close)
        for number, port in enumerate(watch.ports):
            subprocess.run(["redis-cli", "-p", str(port), "SENTINEL", "SET", "shop", "quorum", "4"],
                           check=True, capture_output=True, timeout=lab.DEADLINE_S)
        findings = self.several(watch.url(), PROBLEM)
        self.assertEqual(self.problems(findings), {"sentinel"})
        self.assertIn("NOQUORUM", findings[0][3])

    def test_sentinels_that_disagree(self):
        master = self.redis()
        watch = redis_lab.Sentinels(master)
        self.addCleanup(watch.close)
        port = f"$5\r\n{master.port:05}\r\n".encode()
        liar = redis_lab.Proxy(watch.ports[0], lambda said: said.replace(port, b"$5\r\n00001\r\n"))
        self.addCleanup(liar.close)
        url = f"{watch.url().split(',')[0]},{liar.url.split('//')[1]}/shop"
        findings = self.several(url, PROBLEM)
        self.assertEqual(self.problems(findings), {"sentinel"})
        self.assertIn("another said", findings[1][3])

    def test_cluster(self):
        cluster = redis_lab.Cluster()
        self.addCleanup(cluster.close)
        for url in (cluster.url(), cluster.url(1)):
            findings = self.several(url, FINE)
            self.assertEqual(len(self.of(findings, "reach")), 3)
            self.assertEqual([s for s, _ in self.of(findings, "cluster")], ["fine"] * 3)
            self.assertEqual([s for s, _ in self.of(findings, "exchange")], ["fine"] * 3)
            self.assertEqual({node for name, node, *_ in findings if name == "exchange"},
                             {f"127.0.0.1:{node.port}" for node in cluster.nodes})
            self.assertEqual(self.of(findings, "shards")[0][0], "note")
        self.assertEqual([node.cli("DBSIZE") for node in cluster.nodes], ["0"] * 3)
        self.assertEqual(self.problems(self.several(cluster.nodes[0].url, PROBLEM)) & {"cluster"},
                         {"cluster"})
        cluster.nodes[2].cli("CONFIG", "SET", "maxmemory", "100mb")
        cluster.nodes[2].cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        findings = self.several(cluster.url(), PROBLEM)
        self.assertEqual([(name, node) for name, node, severity, _ in findings
                          if severity == "problem"],
                         [("eviction", f"127.0.0.1:{cluster.nodes[2].port}")])
        cluster.nodes[2].close()
        lab.wait_for(lambda: "cluster_state:fail" in cluster.nodes[0].cli("CLUSTER", "INFO"),
                     "a cluster that noticed")
        findings = self.several(cluster.url(0, 1), NOBODY)
        self.assertIn("cluster", self.problems(findings))
        self.assertIn("reach", self.problems(findings))
        self.assertEqual(len([s for s, _ in self.of(findings, "reach") if s == "fine"]), 2)

    def test_rights_that_only_some_need(self):
        cluster = redis_lab.Cluster()
        self.addCleanup(cluster.close)
        rules = ["on", ">pw", "~*", "&*", "+@all"]
        def as_app(url):
            return url.replace("//", "//app:pw@")
        for node in cluster.nodes:
            node.cli("ACL", "SETUSER", "app", *rules, "-asking")
        findings = self.several(as_app(cluster.url()), PROBLEM)
        self.assertEqual(self.problems(findings), {"rights"})
        self.assertIn("+asking", self.of(findings, "rights")[0][1])
        for node in cluster.nodes:
            node.cli("ACL", "SETUSER", "app", "-cluster")
        done = self.run_program("fleet", "doctor", as_app(cluster.url()))
        self.assertIn("ACL SETUSER app +cluster|slots", done.stdout)
        master = self.redis()
        watch = redis_lab.Sentinels(master)
        self.addCleanup(watch.close)
        master.cli("ACL", "SETUSER", "app", *rules, "-role")
        findings = self.several(as_app(watch.url()), PROBLEM)
        self.assertIn("+role", self.of(findings, "rights")[0][1])
        self.several(as_app(master.url), FINE)

    def test_what_is_no_cluster(self):
        server = self.redis()
        findings = self.several(server.url.replace("redis:", "redis+cluster:"), PROBLEM)
        self.assertEqual(self.problems(findings), {"cluster"})
        nobody = f"redis+cluster://127.0.0.1:{redis_lab.free_port()}"
        self.assertEqual(self.problems(self.several(nobody, NOBODY)), {"reach"})


class Data(DoctorTest):
    def test_a_newer_schema(self):
        server = self.redis()
        server.cli("HSET", "swg1:{shop:3}:m", "v", "2")
        self.doctor(server.url, code=FINE)
        findings = self.doctor(server.url, "--space", "shop", code=PROBLEM)
        self.expect_only(findings, "schema")
        self.expect(findings, "schema", "problem", "schema 2", "shard 3")

    def test_values_of_others(self):
        for words in (["SET", "swg1:{default:1}:st", "x"],
                      ["HSET", "swg1:{default:1}:st", "payments", "open"],
                      ["HSET", "swg1:{default:1}:st", "pay\nments", "4096|0|0|0|0|0|0|0|0|0|0|0"],
                      ["LPUSH", "swg1:{default:1}:a", "1|4096|x|0|3|1|w\x1b[2J|r"],
                      ["HSET", "swg1:{default:1}:m", "clock", "test"]):
            server = self.redis()
            server.cli("HSET", "swg1:{default:1}:m", "v", "1")
            server.cli(*words)
            findings = self.doctor(server.url, code=PROBLEM)
            self.expect_only(findings, "data")
            self.expect(findings, "data", "problem", words[1].rsplit(":", 1)[0])

    def test_clients_that_count_shards_otherwise(self):
        server = self.redis()
        for shard in range(4):
            key = f"swg1:{{default:{shard}}}"
            server.cli("HSET", f"{key}:m", "v", "1")
            for host in "ab" if shard < 2 else "a":
                server.cli("ZADD", f"{key}:r", "99999999999999999", host)
        findings = self.doctor(server.url, code=FINE)
        self.expect(findings, "shards", "warning", "4", "1 to 2")
        self.expect(self.doctor(server.url, "--shards", "2", code=PROBLEM), "shards", "problem",
                    "4 are used, not 2")


class Form(DoctorTest):
    def test_table(self):
        server = self.redis(timeout=1)
        text = self.on_a_terminal("fleet", "doctor", server.url, LC_ALL="C.UTF-8", NO_COLOR="1")
        self.assertNotIn("\033", text)
        self.assertRegex(text, r"(?m)^● fine     version       (Redis|Valkey) \d")
        self.assertRegex(text, r"(?m)^◆ warning  idle          timeout 1 s.*\n {25}→ CONFIG SET timeout")
        self.assertRegex(text, r"fit for a fleet; 0 problems, 1 warning, 3 notes\n$")

    def test_ascii_and_color(self):
        server = self.redis(timeout=1)
        text = self.on_a_terminal("fleet", "doctor", server.url, LC_ALL="C")
        self.assertTrue(text.isascii())
        self.assertIn("! warning", text)
        self.assertIn("\033[33m", text)

    def test_values(self):
        done = self.run_program("fleet", "doctor", self.redis().url)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual([row[1] for row in rows], CHECKS)
        self.assertEqual({len(row) for row in rows}, {5})
        self.assertIn("fit for a fleet", done.stderr)


class Mistakes(DoctorTest):
    def test_usage(self):
        rows = ((["doctor"], "wants URL"), (["doctor", "http://x"], "begins with n"),
                (["docter", "redis://x"], "Did you mean 'doctor'?"),
                (["doctor", "redis://x", "--spcae", "x"], "Did you mean '--space'?"),
                (["doctor", "redis://x", "--shards", "257"], "1 to 256"),
                (["doctor", "redis://x", "--space", "a b"], "space"))
        for words, text in rows:
            done = self.run_program("fleet", *words)
            self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
            self.assertIn(text, done.stderr)

    def test_completion(self):
        rows = ((["fl"], {"fleet"}), (["fleet", "fo"], {"force-open"}),
                (["fleet", "force-open", "--rea"], {"--reason"}),
                (["fleet", "doctor", "--sp"], {"--space"}))
        for typed, expected in rows:
            words = " ".join(f"'{w}'" for w in ("switchgear", *typed))
            script = (f'eval "$({lab.PROGRAM} completion bash)"; COMP_WORDS=({words}); '
                      f'COMP_CWORD={len(typed)}; _switchgear; echo "${{COMPREPLY[@]}}"')
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                                  timeout=lab.DEADLINE_S)
            self.assertEqual(set(done.stdout.split()), expected)

    def test_help(self):
        codes = {"doctor": "01234", "status": "012456", "force-open": "012456",
                 "disable": "012456", "release": "0123456", "audit": "01246", None: "0123456"}
        for command, expected in codes.items():
            done = self.run_program("fleet", *([command] if command else []), "--help")
            self.assertEqual(done.returncode, FINE)
            self.assertIn("Example:", done.stdout)
            self.assertLessEqual(max(map(len, done.stdout.splitlines()[:-1])), 80)
            told = re.findall(r"(?m)^  (\d) +\S", done.stdout.split("Exit codes:\n")[1])
            self.assertEqual("".join(told), expected, command)


if __name__ == "__main__":
    lab.main()
