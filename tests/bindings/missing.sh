#!/bin/sh
# Stands for the tests of an interpreter that is not here: skipped, but in CI failed.
# Usage: missing.sh INTERPRETER PACKAGE
echo "no $1: apt-get install $2"
[ -z "${CI:-}" ] && exit 77
exit 1
