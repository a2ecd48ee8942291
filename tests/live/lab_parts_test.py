"""The lab's parts as programs of their own: the service, an instance, the load generator."""

import http.client
import json
import threading
import time

import lab


class Parts(lab.LiveTest):
    def start_service(self, *words):
        running = self.start("lab", "service", "--port=0", "--json", *words)
        return running, running.read(10)["port"]

    def start_instance(self, service, *words):
        running = self.start("lab", "instance", "--port=0", "--json", f"--service={service}",
                             *words)
        return running, running.read(10)["port"]

    def call(self, port, path="/", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def state(self, port):
        return json.loads(self.call(port, "/state")[2])

    def control(self, port, query):
        status, _, body = self.call(port, "/control?" + query, "POST")
        self.assertEqual(status, 200, body)
        return json.loads(body)


class Service(Parts):
    def test_control_path(self):
        _, port = self.start_service()
        self.assertEqual(self.call(port)[0], 200)
        said = self.control(port, "fault=errors&rate=100")
        self.assertEqual((said["fault"], said["rate_pct"], said["calls"]), ("errors", 100, 1))
        self.assertEqual([self.call(port)[0] for _ in range(3)], [500] * 3)
        said = self.control(port, "fault=none")
        self.assertEqual((said["outage"]["calls"], said["outage"]["struck"]), (3, 3))
        self.assertEqual(self.call(port)[0], 200)
        self.assertEqual(json.loads(self.call(port, "/control")[2])["calls"], 5)

    def test_wrong_control(self):
        _, port = self.start_service()
        for query in ("fault=fire", "rate=50", "fault=hang&rate=0", "fault=hang&rate=101",
                      "fault=hang&rate=x"):
            status, _, body = self.call(port, "/control?" + query, "POST")
            self.assertEqual(status, 400, query)
            self.assertIn("error", json.loads(body))
        self.assertEqual(self.call(port, "/control", "DELETE")[0], 405)
        self.assertEqual(json.loads(self.call(port, "/control")[2])["fault"], "none")

    def test_faults(self):
        _, port = self.start_service("--slow=150ms", "--hang=300ms", "--flap=1h")
        for fault, least_s, status in (("slow", 0.15, 200), ("hang", 0.3, 200)):
            self.control(port, f"fault={fault}&rate=100")
            begin = time.monotonic()
            self.assertEqual(self.call(port)[0], status)
            self.assertGreaterEqual(time.monotonic() - begin, least_s)
        self.control(port, "fault=reset&rate=100")
        with self.assertRaises(ConnectionResetError):
            self.call(port)
        self.control(port, "fault=flap&rate=100")
        self.assertEqual(self.call(port)[0], 500)

    def test_rate_and_seed(self):
        """A rate strikes about so many, and one seed always the same."""
        struck = []
        for _ in range(2):
            _, port = self.start_service("--seed=7")
            self.control(port, "fault=errors&rate=30")
            struck.append([self.call(port)[0] for _ in range(60)])
        self.assertEqual(struck[0], struck[1])
        self.assertTrue(5 <= struck[0].count(500) <= 35, struck[0].count(500))

    def test_ends_while_calls_hang(self):
        running, port = self.start_service("--hang=1h")
        self.control(port, "fault=hang&rate=100")
        thread = threading.Thread(target=self.call, args=(port,))
        thread.start()
        lab.wait_for(lambda: json.loads(self.call(port, "/control")[2])["waiting"] == 1, "a call")
        running.process.terminate()
        self.assertEqual(running.finish(20), 0)
        thread.join(20)
        self.assertFalse(thread.is_alive())


class Instance(Parts):
    def test_opens_rejects_recovers(self):
        _, service = self.start_service()
        _, port = self.start_instance(service, "--set=recovery=2s")
        self.assertEqual(self.call(port)[2], "an answer from the service\n")
        self.control(service, "fault=errors&rate=100")
        self.assertEqual([self.call(port)[0] for _ in range(5)], [502] * 5)
        status, headers, body = self.call(port)
        self.assertEqual(status, 503)
        # whole seconds, rounded up: 3 for the first millisecond of the 2 s
        self.assertIn(headers["Retry-After"], ("1", "2", "3"))
        self.assertEqual(headers["X-Switchgear"], "open")
        self.assertIn("try again", body)
        self.assertEqual(self.state(port)["circuit"]["state"], "open")
        self.assertEqual(self.control(service, "fault=none")["outage"]["calls"], 5)
        lab.wait_for(lambda: self.call(port)[0] == 200, "an answer after recovery")
        self.assertEqual(self.state(port)["circuit"]["state"], "closed")
        events = json.loads(self.call(port, "/events")[2])["events"]
        self.assertEqual([e["to"] for e in events], ["open", "half_open", "closed"])
        self.assertEqual((events[0]["cause"], events[0]["failures"]), ("consecutive", 5))

    def test_timeouts_count(self):
        _, service = self.start_service("--hang=1h")
        _, port = self.start_instance(service, "--timeout=100ms")
        self.control(service, "fault=hang&rate=100")
        self.assertEqual([self.call(port)[0] for _ in range(6)], [504] * 5 + [503])

    def test_nobody_there(self):
        port = self.start_instance(lab.free_base())[1]
        self.assertEqual([self.call(port)[0] for _ in range(6)], [502] * 5 + [503])

    def test_holds_many_calls(self):
        """Without a breaker, a hundred callers wait at the same time, not one after the other."""
        _, service = self.start_service("--hang=1h")
        _, port = self.start_instance(service, "--no-breaker", "--timeout=3s")
        self.control(service, "fault=hang&rate=100")
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.call(port)[0]))
                   for _ in range(100)]
        for thread in threads:
            thread.start()
        lab.wait_for(lambda: self.state(port)["waiting"] == 100, "a hundred waiting callers", 20)
        for thread in threads:
            thread.join(20)
        self.assertEqual(statuses, [504] * 100)
        self.assertIsNone(self.state(port)["circuit"])

    def test_paths(self):
        port = self.start_instance(lab.free_base())[1]
        self.assertEqual(self.call(port, "/nowhere")[0], 404)
        self.assertEqual(self.call(port, "/", "POST")[0], 405)
        self.assertEqual(self.state(port)["schema"], "switchgear.lab.instance/1")
        self.assertEqual(self.state(port)["circuit"]["window_calls"], 0)


class Load(Parts):
    def sent(self, running):
        return sum(p["sent"] for line in running.of_type("load") for p in line["phases"])

    def test_open_loop(self):
        """Calls leave on schedule even if none of the earlier ones came back."""
        _, service = self.start_service("--hang=1h")
        self.control(service, "fault=hang&rate=100")
        running = self.start("lab", "load", "--json", "--rate=100", "--for=1s",
                             f"--targets={service}")
        self.assertEqual(running.finish(30), 0)
        self.assertEqual(self.sent(running), 100)
        self.assertEqual(running.lines[-1]["waiting"], 100)

    def test_lost_calls(self):
        running = self.start("lab", "load", "--json", "--rate=50", "--for=1s",
                             f"--targets={lab.free_base()}")
        self.assertEqual(running.finish(30), 0)
        lost = [p["lost"]["buckets"] for line in running.lines for p in line["phases"]
                if "lost" in p]
        self.assertGreaterEqual(sum(sum(b[1::2]) for b in lost), self.sent(running) - 1)


class Supervised(Parts):
    def test_ends_with_stdin(self):
        for words in (["service", "--port=0"], ["instance", "--port=0"], ["load"]):
            with self.subTest(words=words):
                process = lab.subprocess.Popen(
                    [lab.PROGRAM, "lab", *words, "--json", "--supervised"],
                    stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE)
                self.addCleanup(process.kill)
                self.assertTrue(process.stdout.readline())
                process.stdin.close()
                self.assertEqual(process.wait(10), 0)
                process.stdout.close()


if __name__ == "__main__":
    lab.main()
