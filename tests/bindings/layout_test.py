"""Compares what a language believes of the headers' layout with what the C compiler made of it.

Usage: layout_test.py LAYOUT-IN-C PART|whole COMMAND...
A package that declares only a part may know nothing of what the others do, but nothing wrong.
"""

import subprocess
import sys


def lines(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.splitlines())


def optional(line):
    """What a package that lists no events, and takes a permit for bytes, need not declare."""
    return line.split()[1].startswith(("swg_event", "swg_permit."))


compiled = lines([sys.argv[1]])
believed = lines(sys.argv[3:])
missing = {line for line in compiled - believed if sys.argv[2] == "whole" or not optional(line)}
for line in sorted(missing):
    print("not known: ", line)
for line in sorted(believed - compiled):
    print("not so:    ", line)
print(f"{len(believed & compiled)} of {len(compiled)} facts agree")
sys.exit(1 if missing or believed - compiled else 0)
