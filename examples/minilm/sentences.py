"""Sentences as an encoder takes them: numbers and a mask."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from examples.minilm.encoder import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer import InferEngine

    Array = np.ndarray[Any, np.dtype[Any]]

PAD, START, END, FIRST_WORD = 0, 101, 102, 1000  # BERT's special tokens; where its whole words begin, about

SENTENCES: Final = (
    "A dog barked at the postman all morning.",
    "Markets fell sharply after the bank raised its rates.",
    "She baked bread with rye flour and honey.",
    "The train to the coast was late again.",
)
VARIANTS: Final = (
    "All morning the dog barked at our postman.",
    "After the bank raised rates, markets fell.",
    "She baked bread with flour, honey and salt.",
    "The train to the coast is late.",
)
"""Each of the sentences in other words, most of them the same."""
PAIRS: Final = list(range(len(SENTENCES)))
"""Which of the sentences each of the variants means."""


def tokens(sentences: Sequence[str], length: int) -> dict[str, Array]:
    """Token numbers and mask of sentences, int64 of shape (sentences, length): each repeated to a text of that length.

    A word's number is a hash of it: where nothing was learnt, there is no vocabulary.
    """
    ids = np.full((len(sentences), length), PAD, dtype=np.int64)
    for row, sentence in zip(ids, sentences, strict=True):
        words = [
            FIRST_WORD + zlib.crc32(word.encode()) % (VOCABULARY - FIRST_WORD)
            for word in re.findall(r"\w+|[^\w\s]", sentence.lower())
        ]
        text = words * max(1, (length - 2) // len(words))
        numbers = [START, *text[: length - 2], END]
        row[: len(numbers)] = numbers
    return {"input_ids": ids, "attention_mask": (ids != PAD).astype(np.int64)}


def one_by_one(length: int) -> list[dict[str, Array]]:
    """The sentences, a set of inputs each."""
    return [tokens([sentence], length) for sentence in SENTENCES]


def nearest(engine: InferEngine, length: int) -> list[int]:
    """Which of the sentences is nearest to each of the variants, by the cosine of their vectors."""
    originals, variants = (engine.run_all(tokens(texts, length)) for texts in (SENTENCES, VARIANTS))
    (output,) = engine.outputs
    return [int(number) for number in (variants[output] @ originals[output].T).argmax(axis=1)]


def calibration() -> Iterator[dict[str, Array]]:
    """Token numbers to calibrate int8 with, short texts and long ones, of words that the tests' sentences have not."""
    for length in (16, 64, 256):
        for number in range(4):
            yield tokens([" ".join(f"word{number}x{place}" for place in range(12))], length)
