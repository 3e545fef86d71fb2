"""What a message says of a name that isn't there: the one that was meant, or what there is."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALIKE: Final = 0.5
"""How like a known name a mistyped one is, of 1: difflib's ratio. Its own default of 0.6 misses short names."""


def nearest(name: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """The one of `known` that `name` was most likely meant to be, whatever its case; None where none is near."""
    spelled = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=alike)
    return spelled[close[0]] if close else None


def hint(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """What to do about an unknown `name`: take the nearest of `known`, else `otherwise`, which lists all of them."""
    known = sorted(known)
    meant = nearest(name, known)
    return f"did you mean {meant!r}?" if meant else otherwise or f"it takes {', '.join(known)}"
