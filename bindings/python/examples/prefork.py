"""Four forked workers call a payment service that is down; all stop as soon as one has learned.

Run it: python3 prefork.py
"""

import os
import sys

import switchgear

NAME = f"/prefork-python-{os.getpid()}"


def charge_card() -> str:
    raise ConnectionRefusedError("payments is down")


def work() -> int:
    """Ten orders; returns how many of them reached the dead service."""
    panel = switchgear.Panel(NAME)
    payments = panel.circuit("payments", failure_threshold=5, recovery="30s")
    reached = 0
    for _ in range(10):
        try:
            with payments.call():
                reached += 1
                charge_card()
        except switchgear.Rejected:
            pass  # charge it later
        except ConnectionError:
            pass
    return reached


def main() -> None:
    workers = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            os._exit(work())
        workers.append(pid)
    reached = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    with switchgear.Panel(NAME) as panel:
        payments = panel["payments"].snapshot()
    switchgear.unlink(NAME)
    print(f"payments is {payments.state.name.lower()}: of 40 orders, {sum(reached)} reached it, "
          f"{payments.rejected[switchgear.Verdict.OPEN]} were spared")
    sys.exit(0 if sum(reached) < 40 else 1)


if __name__ == "__main__":
    main()
