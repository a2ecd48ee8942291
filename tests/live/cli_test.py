"""What the program prints: help, completion, the simple stage, and lines that fit a terminal."""

import os
import re
import shutil
import subprocess
import unittest

import lab

COMMANDS = [[], ["lab"], ["lab", "simple"], ["lab", "independent"], ["lab", "break"],
            ["lab", "heal"], ["lab", "service"], ["lab", "instance"], ["lab", "load"],
            ["completion"], ["version"]]


class Help(lab.LiveTest):
    def test_every_command_has_help_with_an_example(self):
        for words in COMMANDS:
            with self.subTest(words=words):
                done = self.run_program(*words, "--help")
                self.assertEqual(done.returncode, 0)
                self.assertIn("Usage: " + " ".join(["switchgear", *words]), done.stdout)
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)
                if words != ["version"]:
                    self.assertIn("Example:", done.stdout)

    def test_version(self):
        for words in (["version"], ["--version"]):
            self.assertRegex(self.run_program(*words).stdout, r"^switchgear \d+\.\d+\.\d+\n$")


class Completion(lab.LiveTest):
    def complete_in_bash(self, *typed):
        words = " ".join(f"'{w}'" for w in ("switchgear", *typed))
        script = (f'eval "$({lab.PROGRAM} completion bash)"; COMP_WORDS=({words}); '
                  f'COMP_CWORD={len(typed)}; _switchgear; echo "${{COMPREPLY[@]}}"')
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                              check=True).stdout.split()

    def test_bash(self):
        self.assertEqual(self.complete_in_bash("la"), ["lab"])
        self.assertEqual(self.complete_in_bash("lab", "break", "h"), ["hang"])
        self.assertEqual(self.complete_in_bash("lab", "break", "hang", "--r"), ["--rate"])
        self.assertEqual(set(self.complete_in_bash("completion", "")) - {"--help"},
                         {"bash", "zsh", "fish"})

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        script = self.run_program("completion", "fish").stdout
        done = subprocess.run(["fish", "-c", script + "\ncomplete -C 'switchgear lab break h'"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.split(), ["hang"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_accepts_the_script(self):
        script = self.run_program("completion", "zsh").stdout
        done = subprocess.run(["zsh", "-n"], input=script, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Simple(lab.LiveTest):
    def play(self, *words, **environment):
        done = self.run_program("lab", "simple", *words, env=dict(os.environ, **environment))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_tells_the_whole_story(self):
        text = self.play(LC_ALL="C.UTF-8")
        for expected in ("4 of 5 in a row", "→ OPEN: 5 failures in a row (limit 5)", "blocked (open)",
                         "→ HALF-OPEN: the wait is over", "→ OPEN: the probe failed",
                         "→ CLOSED: the probe passed"):
            self.assertIn(expected, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_numbers_add_up(self):
        text = self.play()
        numbers = {label.strip(): int(n.replace(",", ""))
                   for label, n in re.findall(r"^  ([^\d\n]+?) +([\d,]+)$", text, re.M)}
        self.assertEqual(numbers["calls made"],
                         numbers["let through"] + numbers["blocked at once"])
        self.assertLess(numbers["of those it had to bear"],
                        numbers["calls while the dependency was sick"] / 5)

    def test_seed_repeats(self):
        self.assertEqual(self.play("--seed=5"), self.play("--seed=5"))
        self.assertNotEqual(self.play("--seed=5"), self.play("--seed=6"))

    def test_ascii_where_the_locale_is(self):
        text = self.play(LC_ALL="C")
        self.assertTrue(text.isascii())
        self.assertIn("X OPEN", text)
        self.assertIn("~ HALF-OPEN", text)
        self.assertIn("o CLOSED", text)

    def test_color_only_when_wanted(self):
        self.assertNotIn("\033", self.play())
        self.assertIn("\033[31m", self.play("--color=always"))
        self.assertNotIn("\033", self.play("--color=never"))

    def test_other_profiles_recover_too(self):
        for profile in ("http", "database", "default"):
            self.assertIn("→ CLOSED", self.play(f"--profile={profile}", LC_ALL="C.UTF-8"))


class Storyboard(lab.LiveTest):
    def test_text_fits_and_ends_with_the_table(self):
        done = self.run_program("lab", "--once", "--ports", str(lab.free_base()), "--fault=errors",
                                "--rate=100%", "--healthy=1s", "--outage=3s", "--set=recovery=1s",
                                env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        for expected in ("all is well", "broke it: every answer is now an error",
                         "■ Instance-A → OPEN", "▲ Instance-A → HALF-OPEN", "(flapping)",
                         "healed it", "every circuit is closed again", "in numbers",
                         "calls that reached the sick service",
                         "time in which instances disagreed"):
            self.assertIn(expected, done.stdout)
        too_long = [line for line in done.stdout.splitlines() if len(line) > 80]
        self.assertEqual(too_long, [])


if __name__ == "__main__":
    lab.main()
