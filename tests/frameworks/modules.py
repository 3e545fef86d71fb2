"""PyTorch modules to measure."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_Module: Any = nn.Module  # PyTorch may be missing where types are checked


def small() -> Any:
    """A convolution, a normalisation and a product: `input` [n, 3, 8, 8] to [n, 10], in training mode."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 36, 10)
    )


class Scaled(_Module):  # type: ignore[misc]
    """Takes token numbers and values, an optional mask and a scale by name; returns a dict."""

    def __init__(self) -> None:
        """Make weights."""
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.product = nn.Linear(4, 3)

    def forward(self, ids: Any, x: Any, mask: Any = None, *, scale: Any) -> dict[str, Any]:
        """Compute `scores`, and a tuple with a hole."""
        scores = self.product(x + self.words(ids)) * scale
        return {"scores": scores, "sums": (x.sum(1), None, scores.sum(1) if mask is None else mask)}


class Failing(_Module):  # type: ignore[misc]
    """Raises when it is called."""

    def forward(self, x: Any) -> Any:
        """Fail."""
        raise ValueError(f"no input of shape {tuple(x.shape)} today")


class Breaking(_Module):  # type: ignore[misc]
    """Does what no graph can hold."""

    def forward(self, x: Any) -> Any:
        """Compute, and print in between."""
        x = x @ x
        print(end="")  # noqa: T201 - that is the point
        return x @ x


class Silent(_Module):  # type: ignore[misc]
    """Returns nothing."""

    def forward(self, x: Any) -> None:
        """Do nothing."""


class Looking(_Module):  # type: ignore[misc]
    """Remembers what it was called under: threads, inference mode, autocast."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        super().__init__()
        self.seen: set[tuple[int, bool, bool]] = set()

    def forward(self, x: Any) -> Any:
        """Look around."""
        self.seen.add((torch.get_num_threads(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")))
        return x + 1
