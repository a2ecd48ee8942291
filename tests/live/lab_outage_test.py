"""An outage over real HTTP: what breakers must spare the sick service and its callers."""

import lab


def world_of(summary, name):
    return next(w for w in summary["worlds"] if w["world"] == name)


class Outage(lab.LiveTest):
    EDGE = 8  # calls on their way while the fault is switched

    def play(self, *words):
        running = self.start_lab("--once", *words)
        code = running.finish(90)
        summary = running.of_type("summary")
        self.assertEqual(len(summary), 1, running.lines[-3:])
        self.assertEqual(code, 0, summary)
        return running, summary[0]

    def check_naked(self, world):
        """Without breakers every call of the outage reaches the service: the outage was real."""
        self.assertGreater(world["sent"], 500)
        self.assertEqual(world["rejected"], 0)
        self.assertGreater(world["failed"], world["sent"] // 2)
        self.assertGreaterEqual(world["reached"], world["sent"] - self.EDGE)

    def check_all_accounted(self, world):
        came = sum(world[key] for key in ("answered", "rejected", "failed", "lost"))
        self.assertEqual(came, world["sent"], world)
        self.assertEqual(world["lost"], 0)

    def check_guarded(self, world):
        self.assertLess(world["reached"] * 100, world["sent"] * 5, world)
        # nobody waited for the service but those whose call reached it
        waited = world["sent"] - world["rejected"]
        self.assertLessEqual(abs(waited - world["reached"]), self.EDGE + world["sent"] // 100, world)
        self.assertLess(world["rejected_p50_us"], 50_000)  # the rest is the machine's doing

    def check_transitions(self, running):
        legal = {("closed", "open"), ("open", "half_open"), ("half_open", "open"),
                 ("half_open", "closed")}
        state = {}
        for event in running.of_type("transition"):
            name = event["instance"]
            self.assertEqual(event["from"], state.get(name, "closed"), event)
            self.assertIn((event["from"], event["to"]), legal)
            state[name] = event["to"]
        self.assertEqual(state, {f"Instance-{i}": "closed" for i in "ABC"})

    def check_all(self, running, summary):
        naked, guarded = world_of(summary, "without breakers"), world_of(summary, "with breakers")
        self.check_naked(naked)
        self.check_guarded(guarded)
        for world in (naked, guarded):
            self.check_all_accounted(world)
        self.assertGreaterEqual(guarded["closed_after_ms"], 0)
        self.check_transitions(running)
        self.assertEqual(len(running.of_type("all_closed")), 1)

    def test_errors(self):
        running, summary = self.play("--fault=errors", "--rate=100%", "--healthy=500ms",
                                     "--outage=7s")
        self.check_all(running, summary)
        opened = [e for e in running.of_type("transition") if e["from"] == "closed"]
        self.assertEqual({e["cause"] for e in opened}, {"consecutive"})
        self.assertEqual({(e["failures"], e["limit"]) for e in opened}, {(5, 5)})

    def test_hang(self):
        running, summary = self.play("--fault=hang", "--rate=100%", "--timeout=200ms",
                                     "--healthy=500ms", "--outage=14s")
        self.check_all(running, summary)
        guarded = world_of(summary, "with breakers")
        self.assertGreater(guarded["flaps"], 0)
        self.assertLess(guarded["waited_s"], world_of(summary, "without breakers")["waited_s"] / 5)

    def test_reset(self):
        running, summary = self.play("--fault=reset", "--rate=100%", "--healthy=500ms",
                                     "--outage=7s")
        self.check_all(running, summary)

    def test_rates_of_the_http_profile(self):
        running, summary = self.play("--profile=http", "--set=recovery=1s", "--set=ramp=200ms",
                                     "--fault=errors", "--rate=90%", "--healthy=500ms",
                                     "--outage=3s")
        opened = [e for e in running.of_type("transition") if e["from"] == "closed"]
        self.assertGreater(len(opened), 0)
        for event in opened:
            self.assertEqual(event["cause"], "failure_rate")
            self.assertGreaterEqual(event["failures"] * 100, event["limit"] * event["calls"])
        self.assertGreaterEqual(world_of(summary, "with breakers")["closed_after_ms"], 0)

    def test_somebody_else_breaks_and_heals(self):
        """The commands talk to one service; the lab takes note and its other worlds follow."""
        running = self.start_lab("--once", "--healthy=60s", "--outage=60s")
        running.until_type("healthy")
        ports = ("--ports", str(self.base))
        done = self.run_program("lab", "break", "errors", "--rate=100%", *ports)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("every answer is now an error", done.stdout)
        broken = running.until_type("broken")
        self.assertTrue(broken["by_control_path"])
        self.assertEqual((broken["fault"], broken["rate_pct"]), ("errors", 100))
        opened = set()
        while len(opened) < 3:
            event = running.until(lambda e: e["type"] == "transition" and e["to"] == "open")
            opened.add(event["instance"])
        self.assertEqual(self.run_program("lab", "heal", *ports).returncode, 0)
        running.until_type("healed")
        self.assertEqual(running.finish(), 0)
        summary = running.of_type("summary")[0]
        self.assertGreater(world_of(summary, "without breakers")["failed"], 0)


if __name__ == "__main__":
    lab.main()
