"""Panels: where circuits live, in this process or for all processes of the host."""

import ctypes
import time
import warnings
from typing import Callable, Iterator, List, Optional, Tuple

from . import _native
from .circuit import Circuit, make_event
from .config import check, make_config
from .values import ConfigDiffers, Error, Event

_ACCESS_GROUP = 2
_BATCH = 64


class Panel:
    """Circuits in POSIX shared memory ("/shop"), or of this process alone (None).

    Open it before or after forking; each process finds itself. circuits, processes and journal
    are sizes for whoever comes first (0: the library's). `clock` returns nanoseconds of
    CLOCK_MONOTONIC, and is called once at each end of a call.
    """

    def __init__(self, name: Optional[str] = None, *, circuits: int = 0, processes: int = 0,
                 journal: int = 0, group: bool = False,
                 clock: Callable[[], int] = time.monotonic_ns):
        self._handle = ctypes.c_void_p()
        self.name = name
        self.clock = clock
        config = _native.PanelConfig(ctypes.sizeof(_native.PanelConfig), circuits, processes,
                                     journal, _ACCESS_GROUP if group else 0)
        asked = circuits or processes or journal or group
        result = _native.lib.swg_panel_open(
            ctypes.byref(self._handle), None if name is None else name.encode(),
            ctypes.byref(config) if asked else None)
        self.differs = check(result) > 0
        if self.differs:
            warnings.warn(f"panel {name} already exists with other sizes", ConfigDiffers, 2)

    def circuit(self, name: str, *, profile: Optional[str] = None,
                classify: Optional[Callable] = None, **config) -> Circuit:
        """Finds the circuit or makes it: panel.circuit("payments", failure_pct=30, slow="500ms").

        Options are the fields of swg_circuit_config; None is off, numbers may be text with a unit
        ("10s", "50%"). One that exists keeps its configuration: then `differs` is true and
        ConfigDiffers is warned of. `classify` is the default for its calls.
        """
        handle = ctypes.c_void_p()
        result = _native.lib.swg_circuit_open(
            ctypes.byref(handle), self._live(), name.encode(), make_config(profile, config))
        differs = check(result) > 0
        if differs:
            warnings.warn(f"circuit {name} already exists with another configuration",
                          ConfigDiffers, 2)
        return Circuit(self, handle.value, classify, differs)

    def __getitem__(self, name: str) -> Circuit:
        handle = ctypes.c_void_p()
        result = _native.lib.swg_circuit_find(ctypes.byref(handle), self._live(), name.encode())
        if result == _native.ENOENT:
            raise KeyError(name)
        check(result)
        return Circuit(self, handle.value)

    def __iter__(self) -> Iterator[Circuit]:
        handle = _native.lib.swg_circuit_next(self._live(), None)
        while handle:
            yield Circuit(self, handle)
            handle = _native.lib.swg_circuit_next(self._live(), handle)

    def events(self, cursor: int = 0) -> Tuple[List[Event], int]:
        """Transitions since the cursor (0: the oldest kept), and the cursor for the next time."""
        batch = (_native.Event * _BATCH)()
        at = ctypes.c_uint64(cursor)
        events: List[Event] = []
        while True:
            count = _native.lib.swg_journal_read(self._live(), ctypes.byref(at), batch, _BATCH)
            events += [make_event(native) for native in batch[:count]]
            if count < _BATCH:
                return events, at.value

    def reap(self, now_ns: Optional[int] = None) -> int:
        """Gives back what dead processes held; the number of processes reaped."""
        now_ns = self.clock() if now_ns is None else now_ns
        return check(_native.lib.swg_panel_reap(self._live(), now_ns))

    @property
    def closed(self) -> bool:
        return not self._handle

    def _live(self) -> ctypes.c_void_p:
        if self.closed:
            raise ValueError("the panel is closed")
        return self._handle

    def close(self) -> None:
        """Closes the handle; a shared panel stays for the others. No thread may be using it."""
        _native.lib.swg_panel_close(ctypes.byref(self._handle))

    def __enter__(self) -> "Panel":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()


def unlink(name: str) -> None:
    """Removes a shared panel's name; processes that have it open keep it."""
    result = _native.lib.swg_panel_unlink(name.encode())
    if result == _native.ENOENT:
        raise FileNotFoundError(name)
    check(result)
