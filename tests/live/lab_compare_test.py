"""switchgear lab compare: five worlds in one outage, a table, and a report that needs nothing else."""

import html.parser
import os
import re
import tempfile

import lab

WORLDS = ["no breaker", "one each", "one per host", "naive, Redis", "a fleet"]
VOID = {"meta", "rect", "line", "path"}


class Page(html.parser.HTMLParser):
    """Are its elements closed in order? What is in its table?"""

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.rows, self.wrong = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


class Compare(lab.LiveTest):
    def test_table_and_report(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "outage.html")
            running = self.start("lab", "compare", "--json", "--once", "--report", path, "--ports",
                                 str(lab.free_base()), "--healthy=1s", "--outage=6s")
            self.assertEqual(running.finish(100), 0)
            self.assertEqual(running.process.stderr.read(), b"")
            self.assertEqual(running.of_type("report")[0]["path"], os.path.realpath(path))
            self.assertEqual(os.listdir(folder), ["outage.html"])
            with open(path, encoding="utf-8") as file:
                text = file.read()
        worlds = running.of_type("summary")[0]["worlds"]
        self.check_numbers({w["world"]: w for w in worlds})
        self.check_report(text, worlds)
        self.assertEqual(lab.folders_of(running.pid), [])

    def check_numbers(self, worlds):
        self.assertEqual(list(worlds), WORLDS)
        bare, each, host, naive, fleet = worlds.values()
        self.assertGreater(bare["reached_pct"], 95)
        for world in (each, host, fleet):
            self.assertLess(world["reached"] * 5, bare["reached"], world)
            self.assertLess(world["waited_s"] * 3, bare["waited_s"], world)
            self.assertEqual((world["probes_fewest"], world["probes_most"]), (1, 1), world)
            self.assertGreaterEqual(world["closed_after_ms"], 0)
        self.assertEqual(host["disagreed_ms"], 0)
        self.assertLess(fleet["disagreed_ms"], each["disagreed_ms"])
        self.assertLess(fleet["probes_arrived"], each["probes_arrived"])
        self.assertGreater(naive["probes_most"], 3)
        for world in worlds.values():
            self.assertEqual(sum(world[k] for k in ("answered", "rejected", "failed", "lost")),
                             world["sent"], world)

    def check_report(self, text, worlds):
        page = Page(text)
        self.assertTrue(text.startswith("<!doctype html>"))
        self.assertEqual((page.open, page.wrong), ([], []))
        self.assertEqual((page.count["section"], page.count["figure"]), (5, 10))
        self.assertIsNone(re.search(r"https?:|src=|href=|url\(|@import|<script|nan|inf\b", text))
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertEqual(page.rows[0][1:], WORLDS)
        sent = next(row for row in page.rows if row[0] == "calls sent")
        self.assertEqual([int(cell.replace(",", "")) for cell in sent[1:]],
                         [w["sent"] for w in worlds])

    def test_what_people_read(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_program("lab", "compare", "--once", "--healthy=1s", "--outage=3s",
                                    "--report", "r.html", "--ports", str(lab.free_base()),
                                    cwd=folder, env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in done.stdout.split("\n"):
            if "r.html" not in line:
                self.assertLessEqual(len(line), 80, line)
        self.assertIn("What you have seen", done.stdout)

    def test_a_report_that_cannot_be_written(self):
        for path in ("/nowhere/outage.html", "/tmp"):
            done = self.run_program("lab", "compare", "--once", "--report", path, "--ports",
                                    str(lab.free_base()))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"report {path}:", done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    lab.main()
