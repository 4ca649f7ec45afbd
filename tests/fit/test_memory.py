import pytest

from geom_miner.errors import SettingsError
from geom_miner.fit.memory import parse_memory


@pytest.mark.parametrize(
    ("text", "number"),
    [("4GB", 4 * 10**9), ("500 MB", 5 * 10**8), ("1.5gib", 3 * 2**29), ("2g", 2 * 10**9), ("7", 7)],
)
def test_amounts(text: str, number: int) -> None:
    assert parse_memory(text) == number


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4TB", "4 G B", "IB", "4IB", "nan"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="4GB"):
        parse_memory(text)
