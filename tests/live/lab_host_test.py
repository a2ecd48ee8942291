"""One breaker in shared memory for three processes, beside one each, in the same outage."""

import glob
import os
import signal

import lab


def panels():
    return glob.glob("/dev/shm/switchgear-lab-*")


class Host(lab.LiveTest):
    def start_host(self, *words):
        self.base = lab.free_base()
        return self.start("lab", "host", "--json", "--once", "--ports", str(self.base),
                          "--fault=errors", "--rate=100%", *words)

    def test_what_one_learns_all_know(self):
        running = self.start_host("--healthy=500ms", "--outage=7s")
        running.until_type("healthy")
        self.assertEqual(panels(), [])  # open in all of them, and nameless by now
        code = running.finish(90)
        self.assertEqual(code, 0)
        worlds = {w["world"]: w for w in running.of_type("summary")[0]["worlds"]}
        each, shared = worlds["a breaker each"], worlds["one for all"]
        self.assertEqual(shared["disagreed_ms"], 0)
        # one circuit: one probe a period for all three; three circuits: three
        self.assertEqual(shared["probes"], shared["periods"])
        self.assertGreater(shared["periods"], 0)
        self.assertGreater(each["periods"], shared["periods"])
        for world in worlds.values():
            self.assertLess(world["reached"] * 100, world["sent"] * 5, world)
            self.assertEqual(sum(world[k] for k in ("answered", "rejected", "failed", "lost")),
                             world["sent"], world)
            self.assertGreaterEqual(world["closed_after_ms"], 0)
        self.check_shared_order(running)

    def check_shared_order(self, running):
        """Whoever tells it, the transitions of the shared circuit follow one another."""
        state = "closed"
        for event in running.of_type("transition"):
            if event["world"] == "one for all":
                self.assertEqual(event["from"], state, event)
                state = event["to"]
        self.assertEqual(state, "closed")

    def test_a_killed_instance_harms_nobody(self):
        running = self.start_host("--healthy=500ms", "--outage=7s")
        running.until(lambda line: line["type"] == "transition" and
                      line["world"] == "one for all" and line["to"] == "open", 30)
        victim = next(pid for pid in lab.children_of(running.pid)
                      if self.is_instance(pid, self.base + 1))
        os.kill(victim, signal.SIGKILL)
        running.finish(90)
        closed = [e for e in running.of_type("transition")
                  if e["world"] == "one for all" and e["to"] == "closed"]
        self.assertGreaterEqual(len(closed), 1)
        self.assertEqual(panels(), [])

    def is_instance(self, pid, port):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        return "instance" in words and f"--port={port}" in words


if __name__ == "__main__":
    lab.main()
