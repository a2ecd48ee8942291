"""Configurations from keyword arguments, and results turned into exceptions.

The library lays out its own struct: it gets a zeroed buffer larger than it will need, whose
tail it ignores as long as it is zero, and sets each field by name.
"""

import ctypes
import os
from typing import Dict, Optional

from . import _native
from .values import Error

_WORDS = 256


def check(result: int) -> int:
    """The result if it is not an error, else the exception that fits."""
    if result >= 0:
        return result
    text = _native.lib.swg_error_text(result).decode()
    if result == _native.ESYS:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if result == _native.EACCESS:
        raise PermissionError(text)
    if result == _native.EINVAL:
        raise ValueError(text)
    raise Error(result, text)


def _start(profile: Optional[str]):
    config = (ctypes.c_uint32 * _WORDS)()
    if profile is not None:
        try:
            address = ctypes.addressof(ctypes.c_char.in_dll(_native.lib, f"swg_profile_{profile}"))
        except ValueError:
            raise ValueError(f"no profile {profile!r}: http, database, classic") from None
        ctypes.memmove(config, address, ctypes.c_uint32.from_address(address).value)
    config[0] = ctypes.sizeof(config)
    return config


def _text(value) -> str:
    return "none" if value is None else str(value)


def make_config(profile: Optional[str], fields: Dict[str, object]):
    """None (all defaults) if nothing is asked for."""
    if profile is None and not fields:
        return None
    config = _start(profile)
    for key, value in fields.items():
        result = _native.lib.swg_config_set(config, key.encode(), _text(value).encode())
        if result == _native.ENOENT:
            raise TypeError(f"no such circuit option: {key}")
        if result < 0:
            raise ValueError(f"{key}={value!r} is out of range, or not a value it takes")
    _check_together(config)
    return config


def _check_together(config) -> None:
    field, reason = ctypes.c_char_p(), ctypes.c_char_p()
    if _native.lib.swg_config_check(config, ctypes.byref(field), ctypes.byref(reason)) < 0:
        raise ValueError(f"{field.value.decode()} {reason.value.decode()}")
