"""What comes out of a model, as arrays, whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(value: Any) -> NDArray[Any]:
    """`value` as an array; a list that makes none (of maps, of arrays of several shapes) as one of objects."""
    try:
        return np.asarray(value)
    except ValueError:
        array = np.empty(len(value), object)
        for place, one in enumerate(value):
            array[place] = one
        return array
