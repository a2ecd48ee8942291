"""A worker in Python: reads one command a line, answers with one line. See mixed_test.py."""

import sys

import switchgear

for line in sys.stdin:
    verb, *words = line.split()
    now_ns = int(words[-1]) if verb != "open" else 0
    if verb == "open":
        panel = switchgear.Panel(words[0])
        circuit = panel.circuit("payments", failure_threshold=5, recovery="5s",
                                recovery_jitter_pct=None, probes=3, inflight_max=8)
        print("differs" if circuit.differs else "same", flush=True)
    elif verb == "acquire":
        permit = circuit.acquire(now_ns)
        wait_ms = round(permit.retry_after(now_ns) * 1000)
        print(permit.verdict.name.lower(), wait_ms, flush=True)
    elif verb == "release":
        permit.release(switchgear.Outcome[words[0].upper()], now_ns)
        print("ok", flush=True)
    elif verb == "read":
        s = circuit.snapshot(now_ns)
        print(s.state.name.lower(), s.inflight, s.probes_out, flush=True)
    else:
        print(panel.reap(now_ns), flush=True)
