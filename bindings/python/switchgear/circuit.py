"""Circuits and permits."""

import ctypes
import functools
import inspect
import os
from typing import Callable, Optional

from . import _native
from .config import check, make_config
from .values import Cause, Event, Outcome, Override, Rejected, Snapshot, State, Verdict

_FOREVER = 2**63 - 1

# A forked child has copies of its parent's permits; they are the parent's to give back.
_generation = 0


def _forked() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_forked)


def _is_timeout(error: Optional[BaseException]) -> bool:
    """Libraries rarely derive theirs from TimeoutError, but all call it a timeout."""
    return any("Timeout" in kind.__name__ for kind in type(error).__mro__)


def classify(error: BaseException) -> Outcome:
    """The outcome an exception stands for, unless the caller's own `classify` knows better."""
    if not isinstance(error, Exception):
        return Outcome.CANCELLED  # a cancelled task, a closed generator, Ctrl-C
    if isinstance(error, Rejected):
        return Outcome.IGNORED  # another circuit's no says nothing about this dependency
    if _is_timeout(error) or _is_timeout(getattr(error, "reason", None)):
        return Outcome.TIMEOUT
    return Outcome.FAILURE


class Permit:
    """The answer to one acquire; true if the call may go. Cancelled if it is forgotten.

    Set `outcome` inside `with circuit.call() as permit:` to say how it went without raising.
    """

    __slots__ = ("outcome", "_circuit", "_native", "_generation")

    def __init__(self, circuit: "Circuit", now_ns: int):
        self.outcome: Optional[Outcome] = None
        self._circuit = circuit
        self._native = _native.Permit()
        self._generation = _generation
        _native.acquire(circuit._live(), ctypes.byref(self._native), now_ns)

    @property
    def verdict(self) -> Verdict:
        return Verdict(self._native.verdict)

    def __bool__(self) -> bool:
        return self._native.verdict == 0

    def retry_after(self, now_ns: Optional[int] = None) -> float:
        """Seconds before which trying again is of no use; 0 if permitted."""
        now_ns = self._circuit.panel.clock() if now_ns is None else now_ns
        return 0.0 if self else max(0, self._native.retry_ns - now_ns) / 1e9

    def release(self, outcome: Outcome = Outcome.SUCCESS, now_ns: Optional[int] = None) -> None:
        """Gives back what is held and counts the outcome; the second time nothing happens."""
        panel = self._circuit.panel
        if self._generation == _generation and not panel.closed:
            now_ns = panel.clock() if now_ns is None else now_ns
            native = ctypes.byref(self._native)
            _native.release(self._circuit._handle, native, Outcome(outcome), now_ns)

    def __del__(self) -> None:
        if getattr(self, "_native", None) is not None and self._native.held:
            self.release(Outcome.CANCELLED)


class Call:
    """`with circuit.call():` classifies what leaves the block, and releases."""

    __slots__ = ("permit", "_circuit", "_classify", "_now_ns")

    def __init__(self, circuit: "Circuit", hook: Optional[Callable], now_ns: int):
        self.permit = Permit(circuit, now_ns)
        self._circuit = circuit
        self._classify = hook
        self._now_ns = now_ns

    def __enter__(self) -> Permit:
        permit = self.permit
        if not permit:
            raise Rejected(self._circuit.name, permit.verdict, permit.retry_after(self._now_ns))
        return permit

    def __exit__(self, kind, error, trace) -> None:
        outcome = Outcome.SUCCESS if error is None else Outcome.FAILURE
        try:
            outcome = self._outcome_of(error, outcome)
        finally:
            self.permit.release(outcome)

    def _outcome_of(self, error: Optional[BaseException], outcome: Outcome) -> Outcome:
        if self.permit.outcome is not None:
            return self.permit.outcome
        if error is None:
            return outcome
        known = self._classify(error) if self._classify else None
        return classify(error) if known is None else known


class Circuit:
    """One named dependency and what guards it. Made by Panel.circuit()."""

    def __init__(self, panel, handle: int, classify: Optional[Callable] = None,
                 differs: bool = False):
        self.panel = panel
        self.differs = differs
        self.name = _native.lib.swg_circuit_name(handle).decode()
        self._handle = handle
        self._classify = classify

    def __repr__(self) -> str:
        return f"<switchgear.Circuit {self.name!r}>"

    def _live(self) -> int:
        if self.panel.closed:
            raise ValueError("the panel is closed")
        return self._handle

    def _now(self, now_ns: Optional[int]) -> int:
        return self.panel.clock() if now_ns is None else now_ns

    def acquire(self, now_ns: Optional[int] = None) -> Permit:
        """The answer as a value, for callers who cannot use a `with` block."""
        return Permit(self, self._now(now_ns))

    def call(self, *, classify: Optional[Callable] = None, now_ns: Optional[int] = None) -> Call:
        """`with circuit.call() as permit:`; raises Rejected if the call may not go.

        classify(exception) returns an Outcome, or None for what the circuit would say.
        """
        return Call(self, classify or self._classify, self._now(now_ns))

    def __call__(self, function=None, *, fallback: Optional[Callable] = None,
                 classify: Optional[Callable] = None):
        """As a decorator, of functions and coroutine functions: `@circuit` or
        `@circuit(fallback=f)`, where f gets the same arguments when the call is rejected.
        """
        if function is None:
            return functools.partial(self, fallback=fallback, classify=classify)
        if inspect.iscoroutinefunction(function):
            return self._guard_coroutine(function, fallback, classify)

        @functools.wraps(function)
        def guarded(*args, **kwargs):
            call = self.call(classify=classify)
            if not call.permit and fallback is not None:
                return fallback(*args, **kwargs)
            with call:
                return function(*args, **kwargs)

        return guarded

    def _guard_coroutine(self, function, fallback, classify):
        @functools.wraps(function)
        async def guarded(*args, **kwargs):
            call = self.call(classify=classify)
            if not call.permit and fallback is not None:
                answer = fallback(*args, **kwargs)
                return await answer if inspect.isawaitable(answer) else answer
            with call:
                return await function(*args, **kwargs)

        return guarded

    def snapshot(self, now_ns: Optional[int] = None) -> Snapshot:
        """Reads the circuit and changes nothing."""
        native = _native.Snapshot()
        check(_native.lib.swg_circuit_read(self._live(), self._now(now_ns), ctypes.byref(native)))
        return _snapshot(native)

    def configure(self, *, profile: Optional[str] = None, **config) -> None:
        """Changes the live circuit for every process; state and window stay."""
        check(_native.lib.swg_circuit_configure(self._live(), make_config(profile, config)))

    def override(self, kind: Override, *, seconds: Optional[float] = None, reason: str = "",
                 now_ns: Optional[int] = None) -> None:
        """Forces the circuit, for so long or until it is lifted with Override.NONE."""
        until_ns = _FOREVER if seconds is None else self._now(now_ns) + int(seconds * 1e9)
        check(_native.lib.swg_circuit_override(self._live(), kind, until_ns, reason.encode()))

    def reset(self, now_ns: Optional[int] = None) -> None:
        """Closes the circuit and forgets window and wait."""
        _native.lib.swg_circuit_reset(self._live(), self._now(now_ns))


def _counts(kind, values):
    return {kind(i): int(count) for i, count in enumerate(values)}


def _snapshot(native: _native.Snapshot) -> Snapshot:
    fields = {name: getattr(native, name) for name in Snapshot.__dataclass_fields__}
    fields["name"] = native.name.decode()
    fields["override_reason"] = native.override_reason.decode(errors="replace")
    fields["state"] = State(native.state)
    fields["override"] = Override(native.override)
    fields["outcomes"] = _counts(Outcome, native.outcomes)
    fields["rejected"] = _counts(Verdict, native.rejected)
    fields["would_reject"] = _counts(Verdict, native.would_reject)
    fields["transitions"] = _counts(Cause, native.transitions)
    fields["state_ns"] = _counts(State, native.state_ns)
    values = ((name, getattr(native.config, name)) for name in _native.CONFIG_FIELDS)
    fields["config"] = {n: None if v == _native.NONE else v for n, v in values}
    return Snapshot(**fields)


def make_event(native: _native.Event) -> Event:
    fields = {n: getattr(native, n) for n in Event.__dataclass_fields__ if hasattr(native, n)}
    fields["name"] = native.name.decode()
    fields["cause"] = Cause(native.cause)
    fields["before"] = State(getattr(native, "from"))
    fields["after"] = State(native.to)
    fields["override"] = Override(native.override)
    return Event(**fields)
