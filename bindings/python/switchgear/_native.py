"""The C library as ctypes sees it: the structs it fills, its functions, and whether they fit."""

import ctypes
import os
from ctypes import POINTER, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

NONE = 0xFFFFFFFF
NAME_MAX = 63
REASON_MAX = 63
OUTCOMES, VERDICTS, STATES, CAUSES, RETRY_ENDS = 6, 8, 3, 12, 7
DIFFERS, EINVAL, ESYS, ENOENT, EACCESS = 1, -1, -3, -9, -10

CONFIG_FIELDS = (
    "window_ms", "window_calls", "calls_min", "failure_pct", "slow_pct", "slow_ms",
    "failure_threshold", "recovery_ms", "recovery_ms_max", "recovery_jitter_pct", "probes",
    "probe_ms", "ramp_ms", "stall_ms", "inflight_max", "rate_per_s", "rate_burst",
    "inflight_ms", "inflight_min", "shed_factor_pct",
)


class PanelConfig(ctypes.Structure):
    _fields_ = [(n, c_uint32) for n in ("size", "circuits", "processes", "journal", "access")]


class CircuitConfig(ctypes.Structure):
    """Only to read what is in force; configurations are made by swg_config_set."""

    _fields_ = [(n, c_uint32) for n in ("size",) + CONFIG_FIELDS]


class Permit(ctypes.Structure):
    _fields_ = [
        ("acquired_ns", c_int64), ("retry_ns", c_int64), ("epoch", c_uint64),
        ("circuit", c_uint32), ("owner", c_uint16), ("held", c_uint8), ("verdict", c_uint8),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("sequence", c_uint64), ("at_ns", c_int64), ("wall_ms", c_int64), ("until_ns", c_int64),
        ("epoch", c_uint64), ("calls", c_uint32), ("failures", c_uint32), ("slow", c_uint32),
        ("limit", c_uint32), ("circuit", c_uint32), ("pid", c_int32), ("cause", c_uint8),
        ("from", c_uint8), ("to", c_uint8), ("override", c_uint8), ("scope", c_uint8),
        ("reserved", c_uint8 * 3), ("name", c_char * (NAME_MAX + 1)),
    ]


class Snapshot(ctypes.Structure):
    _fields_ = [
        ("name", c_char * (NAME_MAX + 1)), ("circuit", c_uint32), ("state", c_uint32),
        ("override", c_uint32), ("ramp_pct", c_uint32), ("epoch", c_uint64),
        ("since_ns", c_int64), ("retry_ns", c_int64), ("override_until_ns", c_int64),
        ("override_reason", c_char * (REASON_MAX + 1)), ("window_calls", c_uint64),
        ("window_failures", c_uint64), ("window_slow", c_uint64),
        ("consecutive_failures", c_uint32), ("probes_out", c_uint32), ("probes_in", c_uint32),
        ("inflight", c_uint32), ("outcomes", c_uint64 * OUTCOMES), ("slow", c_uint64),
        ("stale", c_uint64), ("rejected", c_uint64 * VERDICTS),
        ("would_reject", c_uint64 * VERDICTS), ("transitions", c_uint64 * CAUSES),
        ("state_ns", c_int64 * STATES), ("last_outcome_ns", c_int64),
        ("config_conflicts", c_uint64), ("config", CircuitConfig),
        ("config_room", c_uint32 * 43),
        ("inflight_limit", c_uint32), ("shed_pct", c_uint32), ("retries", c_uint64),
        ("retries_recovered", c_uint64), ("retries_denied", c_uint64 * RETRY_ENDS),
        ("gate", c_uint32), ("gate_permits", c_uint32), ("gate_until_ns", c_int64),
        ("reserved", c_uint64 * 10),
    ]


STRUCTS = {
    "swg_panel_config": PanelConfig,
    "swg_circuit_config": CircuitConfig,
    "swg_permit": Permit,
    "swg_event": Event,
    "swg_snapshot": Snapshot,
}

_FUNCTIONS = {
    "swg_panel_open": (c_int, POINTER(c_void_p), c_char_p, POINTER(PanelConfig)),
    "swg_panel_close": (None, POINTER(c_void_p)),
    "swg_panel_unlink": (c_int, c_char_p),
    "swg_panel_reap": (c_int, c_void_p, c_int64),
    "swg_circuit_open": (c_int, POINTER(c_void_p), c_void_p, c_char_p, c_void_p),
    "swg_circuit_find": (c_int, POINTER(c_void_p), c_void_p, c_char_p),
    "swg_circuit_configure": (c_int, c_void_p, c_void_p),
    "swg_circuit_override": (c_int, c_void_p, c_int, c_int64, c_char_p),
    "swg_circuit_reset": (None, c_void_p, c_int64),
    "swg_circuit_next": (c_void_p, c_void_p, c_void_p),
    "swg_circuit_name": (c_char_p, c_void_p),
    "swg_circuit_read": (c_int, c_void_p, c_int64, POINTER(Snapshot)),
    "swg_config_check": (c_int, c_void_p, POINTER(c_char_p), POINTER(c_char_p)),
    "swg_config_set": (c_int, c_void_p, c_char_p, c_char_p),
    "swg_journal_read": (c_size_t, c_void_p, POINTER(c_uint64), POINTER(Event), c_size_t),
    "swg_error_text": (c_char_p, c_int),
    "swg_clock_ns": (c_int64,),
    "swg_version": (c_uint32,),
}


def _declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


def _load():
    path = os.environ.get("SWITCHGEAR_LIBRARY", "libswitchgear.so.0")
    try:
        library = ctypes.CDLL(path, use_errno=True)
    except OSError as error:
        raise ImportError(
            f"cannot load {path} ({error}); install the C library or set SWITCHGEAR_LIBRARY"
        ) from error
    for name, signature in _FUNCTIONS.items():
        _declare(library, name, *signature)
    return path, library


def _check_fit():
    version = lib.swg_version()
    size = c_uint32.in_dll(lib, "swg_profile_http").value
    if version >> 16 != 0 or size != ctypes.sizeof(CircuitConfig):
        text = ".".join(str(version >> shift & 255) for shift in (16, 8, 0))
        raise ImportError(f"this package does not fit libswitchgear {text}: install its own")


path, lib = _load()
_check_fit()

# The hot pair runs for nanoseconds: keeping the interpreter's lock is cheaper than handing it over.
_hot = ctypes.PyDLL(path)
acquire = _declare(_hot, "swg_acquire", c_int, c_void_p, c_void_p, c_int64)
release = _declare(_hot, "swg_release", None, c_void_p, c_void_p, c_int, c_int64)
