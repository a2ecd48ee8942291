"""The Python package against the library. Times are given, so nothing waits."""

import asyncio
import gc
import os
import pickle
import socket
import threading
import time
import unittest
import urllib.error
import warnings

import switchgear
from switchgear import ConfigDiffers, Outcome, Override, Panel, Rejected, State, Verdict

SECOND = 10**9
START = 1000 * SECOND


class Clock:
    now = START

    def __call__(self):
        return self.now


class PackageTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.panel = Panel(clock=self.clock)
        self.addCleanup(self.panel.close)

    def circuit(self, **config):
        config = {"failure_threshold": 2, "recovery_jitter_pct": None, "inflight_max": 4, **config}
        return self.panel.circuit("payments", **config)

    def outcomes(self, circuit):
        return {k.name: n for k, n in circuit.snapshot().outcomes.items() if n}

    def leave_with(self, circuit, error, **options):
        with self.assertRaises(type(error)):
            with circuit.call(**options):
                self.assertEqual(circuit.snapshot().inflight, 1)
                raise error
        self.assertEqual(circuit.snapshot().inflight, 0)


class CallTest(PackageTest):
    def test_success_and_inflight(self):
        circuit = self.circuit()
        with circuit.call() as permit:
            self.assertTrue(permit)
            self.assertEqual(circuit.snapshot().inflight, 1)
        self.assertEqual(circuit.snapshot().inflight, 0)
        self.assertEqual(self.outcomes(circuit), {"SUCCESS": 1})

    def test_exceptions_are_classified(self):
        class ReadTimeout(OSError):
            """As in requests, whose timeouts derive from OSError alone."""

        expected = {
            "FAILURE": [ValueError(), ConnectionRefusedError()],
            "TIMEOUT": [TimeoutError(), socket.timeout(), ReadTimeout(),
                        urllib.error.URLError(TimeoutError())],
            "CANCELLED": [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()],
            "IGNORED": [Rejected("other", Verdict.OPEN, 1.0)],
        }
        circuit = self.circuit(failure_threshold=None)
        for errors in expected.values():
            for error in errors:
                self.leave_with(circuit, error)
        self.assertEqual(self.outcomes(circuit), {k: len(v) for k, v in expected.items()})

    def test_the_callers_classification_comes_first(self):
        def hook(error):
            return Outcome.IGNORED if isinstance(error, KeyError) else None

        circuit = self.circuit(classify=hook)
        self.leave_with(circuit, KeyError())
        self.leave_with(circuit, TimeoutError())
        self.leave_with(circuit, ValueError(), classify=lambda error: Outcome.CANCELLED)
        self.assertEqual(self.outcomes(circuit), {"IGNORED": 1, "TIMEOUT": 1, "CANCELLED": 1})

    def test_a_classification_that_fails_still_gives_back(self):
        circuit = self.circuit()
        with self.assertRaises(ZeroDivisionError):
            with circuit.call(classify=lambda error: 1 / 0):
                raise ValueError
        self.assertEqual(circuit.snapshot().inflight, 0)
        self.assertEqual(self.outcomes(circuit), {"FAILURE": 1})

    def test_outcome_without_an_exception(self):
        circuit = self.circuit()
        with circuit.call() as permit:
            permit.outcome = Outcome.FAILURE
        self.assertEqual(self.outcomes(circuit), {"FAILURE": 1})

    def test_rejected_says_why_and_until_when(self):
        circuit = self.circuit(recovery="5s")
        for _ in range(2):
            self.leave_with(circuit, OSError())
        self.clock.now += SECOND
        with self.assertRaises(Rejected) as caught:
            with circuit.call():
                self.fail("was called")
        no = caught.exception
        self.assertEqual((no.verdict, no.retry_after), (Verdict.OPEN, 4.0))
        self.assertEqual(str(no), "payments: rejected (open), retry after 4.000 s")
        self.assertEqual(pickle.loads(pickle.dumps(no)).retry_after, 4.0)

    def test_decorator(self):
        circuit = self.circuit()

        @circuit
        def double(number):
            return 2 * number

        self.assertEqual((double(4), double.__name__), (8, "double"))

        @circuit(fallback=lambda number: -number)
        def fails(number):
            raise OSError

        for _ in range(2):
            self.assertRaises(OSError, fails, 1)
        self.assertEqual(fails(3), -3)
        self.assertRaises(Rejected, double, 4)

    def test_a_rejection_inside_is_not_this_circuits(self):
        inner = self.panel.circuit("inner")
        inner.override(Override.FORCED_OPEN)
        circuit = self.circuit()

        @circuit(fallback=lambda: "fallback")
        def outer():
            with inner.call():
                pass

        self.assertRaises(Rejected, outer)
        self.assertEqual(self.outcomes(circuit), {"IGNORED": 1})

    def test_coroutine_decorator(self):
        circuit = self.circuit()

        async def later():
            return "later"

        @circuit(fallback=later)
        async def charge():
            self.assertEqual(circuit.snapshot().inflight, 1)
            await asyncio.sleep(0)
            raise OSError

        async def run():
            for _ in range(2):
                with self.assertRaises(OSError):
                    await charge()
            return await charge()

        self.assertEqual(asyncio.run(run()), "later")
        self.assertEqual(self.outcomes(circuit), {"FAILURE": 2})


class PermitTest(PackageTest):
    def test_forgotten_is_cancelled(self):
        circuit = self.circuit()
        permit = circuit.acquire()
        del permit
        gc.collect()
        self.assertEqual(circuit.snapshot().inflight, 0)
        self.assertEqual(self.outcomes(circuit), {"CANCELLED": 1})

    def test_released_once(self):
        circuit = self.circuit()
        permit = circuit.acquire()
        permit.release(Outcome.SUCCESS)
        permit.release(Outcome.FAILURE)
        self.assertEqual(self.outcomes(circuit), {"SUCCESS": 1})

    def test_times_may_be_given(self):
        circuit = self.circuit(recovery="5s")
        for _ in range(2):
            circuit.acquire(START).release(Outcome.FAILURE, START)
        self.assertEqual(circuit.snapshot(START + 4 * SECOND).state, State.OPEN)
        self.assertEqual(circuit.snapshot(START + 5 * SECOND).state, State.HALF_OPEN)
        self.assertTrue(circuit.acquire(START + 5 * SECOND))

    def test_a_forked_child_does_not_give_back_its_parents(self):
        name = f"/swg-python-{os.getpid()}"
        with Panel(name) as panel:
            switchgear.unlink(name)
            circuit = panel.circuit("payments", inflight_max=4)
            with circuit.call():
                pid = os.fork()
                if pid != 0:
                    status = os.waitpid(pid, 0)[1]
            if pid == 0:
                os._exit(circuit.snapshot().inflight)
            self.assertEqual(os.waitstatus_to_exitcode(status), 1)
            self.assertEqual(circuit.snapshot().inflight, 0)
            self.assertEqual(circuit.snapshot().outcomes[Outcome.SUCCESS], 1)

    def test_threads_share_the_circuit(self):
        circuit = self.circuit()

        def work():
            for _ in range(1000):
                with circuit.call():
                    pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.outcomes(circuit), {"SUCCESS": 4000})
        self.assertEqual(circuit.snapshot().inflight, 0)


class ConfigTest(PackageTest):
    def test_keywords(self):
        config = self.circuit(slow="500ms", slow_pct="80%", failure_pct=30).snapshot().config
        self.assertEqual((config["slow_ms"], config["slow_pct"]), (500, 80))
        self.assertEqual(config["failure_pct"], 30)
        self.assertIsNone(config["rate_per_s"])

    def test_profile(self):
        config = self.panel.circuit("p", profile="classic", recovery="4s").snapshot().config
        self.assertEqual((config["failure_threshold"], config["probes"]), (5, 1))
        self.assertEqual(config["recovery_ms"], 4000)
        self.assertRaises(ValueError, self.panel.circuit, "p", profile="none")

    def test_mistakes(self):
        self.assertRaisesRegex(TypeError, "no such circuit option: bogus", self.circuit, bogus=1)
        self.assertRaisesRegex(ValueError, "failure_pct=101", self.circuit, failure_pct=101)
        self.assertRaisesRegex(ValueError, "window_calls excludes window_ms",
                               self.circuit, window="1s", window_calls=5)
        self.assertRaises(ValueError, self.panel.circuit, "not a name")
        self.assertRaises(ValueError, Panel, "no/such/name")

    def test_another_configuration_is_told(self):
        self.assertFalse(self.circuit().differs)
        with self.assertWarns(ConfigDiffers):
            again = self.circuit(probes=7)
        self.assertTrue(again.differs)
        self.assertEqual(again.snapshot().config_conflicts, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertFalse(self.circuit().differs)

    def test_configure_override_reset(self):
        circuit = self.circuit()
        circuit.configure(failure_threshold=9)
        self.assertEqual(circuit.snapshot().config["failure_threshold"], 9)
        circuit.override(Override.FORCED_OPEN, seconds=2, reason="deploy")
        self.assertEqual(circuit.acquire().verdict, Verdict.FORCED)
        self.assertEqual(circuit.snapshot().override_reason, "deploy")
        self.clock.now += 2 * SECOND
        self.assertTrue(circuit.acquire())
        circuit.reset()
        self.assertEqual(circuit.snapshot().state, State.CLOSED)


class PanelTest(PackageTest):
    def test_lookup(self):
        self.circuit()
        self.panel.circuit("mail")
        self.assertEqual([c.name for c in self.panel], ["payments", "mail"])
        self.assertEqual(self.panel["mail"].name, "mail")
        self.assertRaises(KeyError, self.panel.__getitem__, "no")

    def test_closed(self):
        circuit = self.circuit()
        permit = circuit.acquire()
        self.panel.close()
        permit.release()
        self.assertRaisesRegex(ValueError, "closed", circuit.acquire)
        self.assertRaisesRegex(ValueError, "closed", self.panel.circuit, "mail")
        self.panel.close()

    def test_events(self):
        circuit = self.circuit()
        for _ in range(2):
            self.leave_with(circuit, OSError())
        (event,), cursor = self.panel.events()
        self.assertEqual((event.name, event.after, event.failures), ("payments", State.OPEN, 2))
        self.assertEqual(self.panel.events(cursor), ([], cursor))

    def test_shared_panel_outlives_its_handle(self):
        name = f"/swg-python-{os.getpid()}"
        try:
            with Panel(name, circuits=8) as panel:
                panel.circuit("payments", failure_threshold=1).acquire().release(Outcome.FAILURE)
            with Panel(name) as panel:
                self.assertEqual(panel["payments"].snapshot().state, State.OPEN)
            with self.assertWarns(ConfigDiffers):
                Panel(name, circuits=9).close()
        finally:
            switchgear.unlink(name)
        self.assertRaises(FileNotFoundError, switchgear.unlink, name)

    def test_the_clock_is_the_librarys(self):
        before = time.monotonic_ns()
        between = switchgear._native.lib.swg_clock_ns()
        self.assertTrue(before <= between <= time.monotonic_ns())


if __name__ == "__main__":
    unittest.main()
