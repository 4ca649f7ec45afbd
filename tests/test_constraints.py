from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from geom_miner.constraints import CheckedSettings, Range
from geom_miner.errors import SettingsError


@dataclass(frozen=True)
class Settings(CheckedSettings):
    count: Annotated[int, Range(1, 16)] = 4
    share: Annotated[float, Range(above=0, at_most=1)] = 0.5
    rate: Annotated[float, Range(at_least=0)] | None = None
    plain: float = 0.0
    seeds: tuple[Annotated[int, Range(at_least=0, below=1 << 63)], ...] = (0,)
    kind: Literal["a", "b"] = "a"
    text: str = ""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 17}, "count must lie in [1, 16], got 17"),
        ({"count": 1.0}, "count must be a whole number, got 1.0"),
        ({"count": True}, "count must be a whole number, got True"),
        ({"share": 0}, "share must lie in (0, 1], got 0"),
        ({"share": float("nan")}, "share must be a finite number, got nan"),
        ({"rate": float("inf")}, "rate must be a finite number, got inf"),
        ({"rate": -1.0}, "rate must be >= 0, got -1.0"),
        ({"plain": -float("inf")}, "plain must be a finite number, got -inf"),
        ({"plain": 10**400}, "plain must be a finite number, got 1" + "0" * 56 + "..."),
        ({"plain": "x"}, "plain must be a number, got 'x'"),
        ({"seeds": (0, -1)}, "seeds must lie in [0, 2^63), got (0, -1)"),
        ({"kind": "c"}, "kind must be one of a, b, got 'c'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**wrong)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_the_ends_of_a_range_and_numbers_of_numpy_fit() -> None:
    assert Settings(count=1, share=1, rate=0.0, seeds=((1 << 63) - 1,)).rate == 0
    assert Settings(count=np.int64(16), share=np.float32(0.5)).count == 16  # type: ignore[arg-type]
