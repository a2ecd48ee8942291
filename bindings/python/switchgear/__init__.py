"""Circuit breakers that threads, processes and languages share."""

from .circuit import Call, Circuit, Permit, classify
from .panel import Panel, unlink
from .values import (Cause, ConfigDiffers, Error, Event, Outcome, Override, Rejected, Snapshot,
                     State, Verdict)

__version__ = "0.1.0"
__all__ = [
    "Call", "Cause", "Circuit", "ConfigDiffers", "Error", "Event", "Outcome", "Override", "Panel",
    "Permit", "Rejected", "Snapshot", "State", "Verdict", "classify", "unlink",
]
