"""What switchgear says: verdicts, outcomes, states, snapshots, events; and what it raises."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Dict, Optional


class Verdict(IntEnum):
    """May this call go? PERMITTED is the only yes."""

    PERMITTED = 0
    OPEN = 1
    PROBING = 2
    RAMP = 3
    RATE = 4
    BULKHEAD = 5
    FORCED = 6
    SHED = 7


class Outcome(IntEnum):
    """How did it go? IGNORED says nothing about the dependency; CANCELLED never came to an end;
    FAILURE_LOCAL never left this host (no name, no route, no descriptors)."""

    SUCCESS = 0
    FAILURE = 1
    TIMEOUT = 2
    IGNORED = 3
    CANCELLED = 4
    FAILURE_LOCAL = 5


class State(IntEnum):
    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class Override(IntEnum):
    NONE = 0
    FORCED_OPEN = 1
    FORCED_CLOSED = 2
    DRY_RUN = 3


class Cause(IntEnum):
    NONE = 0
    FAILURE_RATE = 1
    SLOW_RATE = 2
    CONSECUTIVE = 3
    STALL = 4
    WAIT_OVER = 5
    PROBES_PASSED = 6
    PROBES_FAILED = 7
    PROBES_SLOW = 8
    RESET = 9
    OVERRIDE = 10
    FLEET = 11
    VOTES = 12
    CLAIM = 13
    PROBES_LOST = 14
    OVERRIDE_ENDED = 15


class Error(Exception):
    """The library refused. `code` is its enum swg_result."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


class ConfigDiffers(UserWarning):
    """It already existed with another configuration, which stays."""


class Rejected(Exception):
    """The circuit did not permit the call, which was not made.

    `retry_after` is seconds: trying sooner is of no use.
    """

    def __init__(self, circuit: str, verdict: Verdict, retry_after: float):
        super().__init__(circuit, verdict, retry_after)
        self.circuit = circuit
        self.verdict = verdict
        self.retry_after = retry_after

    def __str__(self) -> str:
        reason = self.verdict.name.lower()
        return f"{self.circuit}: rejected ({reason}), retry after {self.retry_after:.3f} s"


@dataclass(frozen=True)
class Snapshot:
    """A circuit at one moment; times are nanoseconds of CLOCK_MONOTONIC, 0: never."""

    name: str
    circuit: int
    state: State
    override: Override
    ramp_pct: int
    epoch: int
    since_ns: int
    retry_ns: int
    override_until_ns: int
    override_reason: str
    window_calls: int
    window_failures: int
    window_slow: int
    consecutive_failures: int
    probes_out: int
    probes_in: int
    inflight: int
    outcomes: Dict[Outcome, int]
    slow: int
    stale: int
    rejected: Dict[Verdict, int]
    would_reject: Dict[Verdict, int]
    transitions: Dict[Cause, int]
    state_ns: Dict[State, int]
    last_outcome_ns: int
    config_conflicts: int
    inflight_limit: int  # in force now; 0: none
    shed_pct: int
    config: Dict[str, Optional[int]]  # None: off


@dataclass(frozen=True)
class Event:
    """One transition with the evidence that caused it, from the panel's journal."""

    sequence: int
    name: str
    at_ns: int
    wall_ms: int
    until_ns: int
    epoch: int
    cause: Cause
    before: State
    after: State
    override: Override
    calls: int
    failures: int
    slow: int
    limit: int
    pid: int
