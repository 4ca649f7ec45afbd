"""Numbers in text: all words are counted before memory is allocated for them, and read exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.text import read_numbers
from geom_miner.mesh.parsers.numbers import count_words, read_words


def as_text(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


@given(st.lists(st.sampled_from(["1", ".", "#", "\\", " ", "\n", "\r", "e", "-"]), max_size=40))
def test_there_are_never_more_words_than_counted(parts: list[str]) -> None:
    text = as_text("".join(parts).encode())
    room = len(text) + 1
    slow = np.empty((room, 3), np.int64)
    words, slow_words, at = read_words(text, 0, 0, np.empty(room), slow, np.empty(room, np.bool_))
    assert slow_words <= words <= count_words(text, 0, len(text))
    assert at == len(text)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30), st.integers(1, 18))
def test_every_number_is_rounded_as_python_does(values: list[float], digits: int) -> None:
    words = [f"{value:.{digits}g}" for value in values] + [repr(value) for value in values]
    read = read_numbers(Path("numbers"), as_text(" ".join(words).encode()))
    np.testing.assert_array_equal(read.numbers, [float(word) for word in words])
    assert read.ends_line.tolist() == [False] * (len(words) - 1) + [True]


@pytest.mark.parametrize("word", ["1_0", "0x1", "1e", "--1", "1.2.3", "e5", ".", "+", "ten", "١"])
def test_what_is_no_number_is_refused_with_its_line(word: str) -> None:
    with pytest.raises(MeshError, match="in line 3;"):
        read_numbers(Path("numbers"), as_text(f"1 2\r\n3\n 4 {word}\n5".encode()))
