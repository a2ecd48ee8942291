"""switchgear lab naive: GET and SET in every call, beside the fleet: what it costs and what is left."""

import lab

NAIVE, FLEET = "naive", "a fleet"


class Naive(lab.LiveTest):
    def test_side_by_side(self):
        running = self.start("lab", "naive", "--json", "--once", "--ports", str(lab.free_base()),
                             "--healthy=1s", "--outage=5s")
        self.assertEqual(running.finish(100), 0)
        self.assertEqual(running.process.stderr.read(), b"")
        self.worlds = {w["world"]: w for w in running.of_type("naive")[0]["worlds"]}
        self.spans = {s["redis"]: {w["world"]: w for w in s["worlds"]}
                      for s in running.of_type("span")}
        self.check_what_a_call_pays()
        self.check_probes()
        self.check_frozen()
        self.check_gone()
        for summary in running.of_type("summary"):
            for world in summary["worlds"]:
                self.assertEqual(sum(world[k] for k in ("answered", "rejected", "failed", "lost")),
                                 world["sent"], world)
        self.assertEqual(lab.folders_of(running.pid), [])

    def check_what_a_call_pays(self):
        naive, fleet = self.worlds[NAIVE], self.worlds[FLEET]
        self.assertAlmostEqual(naive["trips_per_call"], 2, delta=0.2)
        self.assertGreater(naive["redis_p50_us"], 0)
        self.assertGreater(naive["requests_per_s"], 2 * fleet["requests_per_s"])
        self.assertGreater(fleet["requests_per_s"], 10)

    def check_probes(self):
        naive, fleet = self.worlds[NAIVE], self.worlds[FLEET]
        self.assertGreater(naive["probes_most"], 5)
        self.assertEqual((fleet["probes_fewest"], fleet["probes_most"]), (1, 1))

    def check_frozen(self):
        naive, fleet = self.worlds[NAIVE], self.worlds[FLEET]
        self.assertGreater(naive["frozen_p50_us"], 200000)  # two timeouts of 100 ms
        self.assertLess(fleet["frozen_p50_us"], 50000)
        calls = self.spans["frozen"][FLEET]
        self.assertEqual(calls["answered"], calls["sent"])

    def check_gone(self):
        naive, fleet = self.worlds[NAIVE], self.worlds[FLEET]
        self.assertGreater(naive["reached_without_redis_pct"], 95)
        self.assertLess(fleet["reached_without_redis_pct"], 50)
        self.assertLess(naive["failures_counted"], naive["failures"])
        self.assertGreater(naive["overwritten"], 0)
        calls = self.spans["gone"][FLEET]
        self.assertEqual(calls["answered"], calls["sent"])


if __name__ == "__main__":
    lab.main()
