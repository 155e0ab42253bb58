"""`compiled`: numba's `njit` with its machine code cached where this user may write.

numba caches beside the source, which a read-only install forbids, and compiling the kernel takes
seconds in every worker process; so the cache goes to `$NUMBA_CACHE_DIR`, else the user's cache
folder, else the folder for temporary files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def cache_folder() -> Path:
    """The first of the candidate folders that can be written."""
    configured = os.environ.get("NUMBA_CACHE_DIR")
    if configured:
        return Path(configured)
    try:
        user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = user / "token-foundry" / "numba"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass  # no home, or one that cannot be written: the temporary folder serves
    return Path(tempfile.gettempdir()) / f"token-foundry-numba-{os.getuid()}"


def compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """`function` as machine code: no Python objects, GIL released, cached on disk."""
    settings: Any = numba.config  # its names are set when it is loaded
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder())
    try:
        wrapped: Callable[_Parameters, _Result] = numba.njit(
            nogil=True, cache=True, error_model="numpy"
        )(function)
    finally:
        settings.CACHE_DIR = before
    return wrapped
