"""Permission bits bind the tests that are about them, also when root runs them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

#: Linux: the version of the structures below, and the bits of root's rights to write and to read every file.
_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Root in this thread, and in those it starts, may read and write only what the permission bits allow.

    Skips the test on Windows, which has no permission bits, and for root on a system without capabilities.
    """
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no permission bits")
    if os.geteuid() != 0:
        yield
        return
    # not by another user id: Python's own library may be in a folder that only root may enter
    if sys.platform != "linux":
        pytest.skip("here root cannot give up its right to read and write every file; run the tests as another user")
    capabilities = (_Capabilities * 2)()
    _call("capget", capabilities)
    effective = capabilities[0].effective
    capabilities[0].effective &= ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
    _call("capset", capabilities)
    try:
        yield
    finally:
        capabilities[0].effective = effective
        _call("capset", capabilities)


def _call(name: str, capabilities: ctypes.Array[_Capabilities]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(ctypes.byref(_Header(_VERSION, 0)), capabilities):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
