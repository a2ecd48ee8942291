"""layout.c's lines, from the Python package's declarations."""

import ctypes

import switchgear
from switchgear import _native

for name, struct in _native.STRUCTS.items():
    print("size", name, ctypes.sizeof(struct))
    for field, *_ in struct._fields_:
        at = getattr(struct, field)
        print(f"field {name}.{field} {at.offset} {at.size}")
for kind in ("Verdict", "Outcome", "State", "Override", "Cause"):
    for member in getattr(switchgear, kind):
        print("enum", kind.lower(), member.name.lower(), member.value)
for name in ("DIFFERS", "EINVAL", "ESYS", "ENOENT", "NONE"):
    print("const", name, getattr(_native, name))
