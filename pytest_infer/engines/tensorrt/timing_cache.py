"""What earlier builds on this GPU timed, kept on disk: the next one is faster, and chooses the same kernels."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.device.fingerprint import slugify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.device.fingerprint import Device
    from pytest_infer.engines.tensorrt.library import Library


@contextlib.contextmanager
def timing_cache(library: Library, config: Any, device: Device) -> Iterator[None]:
    """Give `config` this GPU's timings, and keep what the build in the body adds to them.

    A library that has no such cache, or only the shell of one (TensorRT-RTX times nothing while it builds, and says so
    by a DeprecationWarning), builds without.
    """
    import platformdirs

    name = f"{slugify(library.version)}-{device.slug}.cache"
    path = platformdirs.user_cache_path("pytest-infer") / "timings" / name
    cache = _attached(config, path)
    yield
    if cache is not None:
        _write(path, bytes(cache.serialize()))


def _attached(config: Any, path: Path) -> Any:
    try:
        known = path.read_bytes()
    except OSError:
        known = b""
    if not hasattr(config, "create_timing_cache"):
        return None
    with warnings.catch_warnings(record=True) as said:  # recorded, not raised: its bindings break on that
        warnings.simplefilter("always")
        cache = config.create_timing_cache(known)
        if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):  # of another driver, or cut
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, ignore_mismatch=False)
    return None if any(issubclass(one.category, DeprecationWarning) for one in said) else cache


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; a cache that can't be written costs time only."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
