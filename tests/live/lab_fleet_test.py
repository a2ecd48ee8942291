"""switchgear lab fleet: one circuit through a real redis-server for instances with panels of their
own; Redis is killed, frozen, cut off, and no call minds."""

import collections
import json
import os
import signal

import lab

FLEET, EACH = "a fleet", "a breaker each"
INSTANCES = {"Instance-A", "Instance-B", "Instance-C"}


def world_of(line, name):
    return next(w for w in line["worlds"] if w["world"] == name)


class Fleet(lab.LiveTest):
    def start_fleet(self, *words, **popen):
        self.base = lab.free_base()
        return self.start("lab", "fleet", "--json", "--once", "--ports", str(self.base), *words,
                          **popen)


class Script(Fleet):
    """The whole script once, looked at from all sides."""

    def test_the_whole_story(self):
        self.running = self.start_fleet("--healthy=1s", "--outage=5s")
        self.assertEqual(self.running.finish(100), 0)
        self.assertEqual(self.running.process.stderr.read(), b"")
        self.check_probes()
        self.check_views()
        self.check_calls_without_redis()
        self.check_modes()
        self.check_protection_without_redis()
        self.check_all_accounted()
        self.assertEqual(lab.folders_of(self.running.pid), [])

    def check_probes(self):
        """One probe for all in every half-open period, by the count of the sick service."""
        summary = self.running.of_type("summary")[0]
        fleet, each = world_of(summary, FLEET), world_of(summary, EACH)
        self.assertGreaterEqual(fleet["tries"], 2)
        self.assertEqual((fleet["probes_fewest"], fleet["probes_most"]), (1, 1), fleet)
        self.assertEqual(fleet["probes_arrived"], fleet["tries"])
        self.assertEqual((each["probes_fewest"], each["probes_most"]), (1, 1), each)
        self.assertGreaterEqual(each["tries"], 2 * fleet["tries"] - 2)
        self.assertLess(fleet["disagreed_ms"], each["disagreed_ms"])
        for world in (fleet, each):
            self.assertGreaterEqual(world["closed_after_ms"], 0)

    def fleet_events(self, scope):
        return [e for e in self.running.of_type("transition")
                if e["world"] == FLEET and e["scope"] == scope]

    def check_views(self):
        """Every decision of the fleet came to all, as the same one."""
        views = collections.defaultdict(dict)
        for event in self.fleet_events("fleet"):
            views[event["epoch"]][event["instance"]] = event["to"]
        heard_by_all = [v for v in views.values() if set(v) == INSTANCES]
        self.assertGreaterEqual(len(heard_by_all), 5)
        for view in views.values():
            self.assertEqual(len(set(view.values())), 1, view)

    def check_calls_without_redis(self):
        span = world_of(self.running.of_type("span")[0], FLEET)
        self.assertGreater(span["sent"], 200)
        self.assertEqual(span["answered"], span["sent"])
        self.assertEqual((span["failed"], span["lost"], span["rejected"]), (0, 0, 0))

    def check_modes(self):
        modes = collections.defaultdict(list)
        for event in self.running.of_type("mode"):
            modes[event["instance"]].append(event["to"])
        self.assertEqual(set(modes), INSTANCES)
        for name, seen in modes.items():
            self.assertEqual(seen[:3], ["fleet", "stale", "local"], name)
            self.assertEqual(seen[-1], "fleet", name)
        together = self.running.of_type("together")
        self.assertEqual(len(together), 1)
        self.assertGreater(together[0]["after_ms"], 0)
        self.assertEqual(together[0]["missed_by"], len(INSTANCES))

    def check_protection_without_redis(self):
        killed, restarted = (next(line["at_ms"] for line in self.running.of_type("redis")
                                  if line["action"] == action) for action in ("kill", "restart"))
        order = [line for line in self.running.lines
                 if line["type"] == "redis" or line["type"] == "transition"]
        gone = order[next(i for i, line in enumerate(order) if line.get("action") == "kill"):
                     next(i for i, line in enumerate(order) if line.get("action") == "restart")]
        opened = {e["instance"] for e in gone if e["type"] == "transition" and
                  e["world"] == FLEET and e["scope"] == "host" and e["to"] == "open"}
        self.assertEqual(opened, INSTANCES)
        self.assertGreater(restarted, killed)

    def check_all_accounted(self):
        for summary in self.running.of_type("summary"):
            for world in summary["worlds"]:
                self.assertEqual(world["lost"], 0, world)
                self.assertEqual(sum(world[k] for k in ("answered", "rejected", "failed")),
                                 world["sent"], world)
                self.assertLess(world["reached"] * 4, world["sent"], world)


class Text(Fleet):
    def test_what_people_read(self):
        self.base = lab.free_base()
        done = self.run_program("lab", "fleet", "--once", "--ports", str(self.base), "--healthy=1s",
                                "--outage=3s", env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in done.stdout.split("\n"):
            self.assertLessEqual(len(line), 80, line)
        for expected in ("a breaker each, A", "'s own breaker →", "a fleet → CLOSED",
                         "Redis was gone for", "is together again", "What you have seen",
                         "1 in each", "came back empty"):
            self.assertIn(expected, " ".join(done.stdout.split()))


class Controls(Fleet):
    def mode(self, running, instance, mode, deadline_s=20):
        return running.until(lambda line: line["type"] == "mode" and line["to"] == mode and
                             line["instance"] == instance, deadline_s)

    def tell(self, *words):
        done = self.run_program("lab", "redis", *words, "--ports", str(self.base))
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def test_one_is_cut_off_and_the_others_are_not(self):
        running = self.start_fleet("--healthy=60s")
        running.until_type("healthy")
        self.assertIn("cut off: B", self.tell("cut", "B"))
        self.assertEqual(running.until_type("redis")["by_control_path"], True)
        self.mode(running, "Instance-B", "local")
        self.assertEqual({m["instance"] for m in running.of_type("mode") if m["to"] == "stale"},
                         {"Instance-B"})
        self.tell("heal")
        self.mode(running, "Instance-B", "fleet")
        self.assertEqual(running.until_type("together")["world"], FLEET)

    def test_frozen_and_thawed(self):
        running = self.start_fleet("--healthy=60s")
        running.until_type("healthy")
        self.assertIn("frozen", self.tell("freeze"))
        self.mode(running, "Instance-A", "local")
        self.assertIn("up", self.tell("thaw"))
        running.until_type("together")
        span = world_of((running.of_type("span") or [running.until_type("span")])[0], FLEET)
        self.assertGreater(span["sent"], 0)
        self.assertEqual(span["answered"], span["sent"])

    def test_back_before_anybody_missed_it(self):
        """Cut off for a moment: nobody is together again who was never apart."""
        running = self.start_fleet("--healthy=60s")
        running.until_type("healthy")
        self.tell("cut", "B")
        self.tell("heal")
        self.assertEqual(running.until_type("together")["missed_by"], self.missed(running))

    def test_empty_before_all_had_missed_it(self):
        """However soon: together is when all have told it what they know, not the first."""
        running = self.start_fleet("--healthy=60s")
        running.until_type("healthy")
        self.tell("kill")
        killed = sum(line["type"] == "mode" for line in running.lines)
        self.tell("restart")
        together = running.until_type("together")
        modes = running.of_type("mode")[killed:]
        self.assertEqual({m["instance"] for m in modes if m["to"] == "fleet"}, INSTANCES)
        self.assertEqual(together["missed_by"], self.missed(running))

    @staticmethod
    def missed(running):
        return len({m["instance"] for m in running.of_type("mode") if m["to"] == "stale"})

    def test_wrong_words(self):
        self.base = lab.free_base()
        for words, code, says in ((("kill",), 4, "no Redis of a lab"), (("cut",), 2, "A, B or C"),
                                  (("cut", "D"), 2, "A, B or C"), (("burn",), 2, "kill")):
            done = self.run_program("lab", "redis", *words, "--ports", str(self.base))
            self.assertEqual(done.returncode, code, words)
            self.assertIn(says, done.stderr)

    def test_what_is_recorded(self):
        path = f"/tmp/switchgear-record-{os.getpid()}"
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        running = self.start_fleet("--healthy=60s", "--record", path)
        running.until_type("healthy")
        lab.wait_for(lambda: os.path.getsize(path) > 20000, "a record")
        running.process.terminate()
        running.finish(20)
        with open(path, encoding="utf-8") as file:
            exchanges = [json.loads(line) for line in file if line.endswith("}\n")]
        self.assertEqual({e["route"] for e in exchanges}, {"A", "B", "C"})
        self.assertIn("EVALSHA", {e["request"][0] for e in exchanges})


class Endings(Fleet):
    def start_whole(self):
        running = self.start_fleet("--healthy=60s")
        running.until_type("healthy")
        # services, instances, loads, the keeper of Redis; redis-server and the proxy before it
        everyone = lab.wait_for(lambda: (lambda d: d if len(d) == 13 else None)(
            lab.descendants_of(running.pid)), "thirteen processes")
        self.assertEqual(len(lab.folders_of(running.pid)), 1)
        return running, everyone

    def check_gone(self, running, everyone):
        lab.wait_gone(everyone)
        lab.wait_for(lambda: not lab.folders_of(running.pid), "the folder to be gone", 10)

    def end_by(self, number):
        running, everyone = self.start_whole()
        os.kill(running.pid, number)
        self.assertEqual(running.finish(20), -number)
        self.check_gone(running, everyone)

    def test_ctrl_c(self):
        self.end_by(signal.SIGINT)

    def test_terminated(self):
        self.end_by(signal.SIGTERM)

    def test_killed(self):
        self.end_by(signal.SIGKILL)

    def test_killed_while_redis_is_frozen(self):
        running, everyone = self.start_whole()
        self.run_program("lab", "redis", "freeze", "--ports", str(self.base))
        os.kill(running.pid, signal.SIGKILL)
        running.finish(20)
        self.check_gone(running, everyone)

    def test_the_keeper_of_redis_is_killed(self):
        running, everyone = self.start_whole()
        keeper = next(p for p in lab.children_of(running.pid) if "redis" in lab.words_of(p))
        os.kill(keeper, signal.SIGKILL)
        self.assertEqual(running.until_type("died")["part"], "keeper of Redis")
        os.kill(running.pid, signal.SIGTERM)
        running.finish(20)
        self.check_gone(running, everyone)

    def test_no_redis_server(self):
        self.base = lab.free_base()
        done = self.run_program("lab", "fleet", "--once", "--ports", str(self.base),
                                env=dict(os.environ, PATH="/nowhere"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install redis-server", done.stderr)


if __name__ == "__main__":
    lab.main()
