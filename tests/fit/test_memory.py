import pytest

from geom_miner.errors import OutOfMemory, SettingsError
from geom_miner.fit.memory import check_fit_memory, parse_memory
from geom_miner.fit.settings import FitSettings


@pytest.mark.parametrize(
    ("text", "number"),
    [("4GB", 4 * 10**9), ("500 MB", 5 * 10**8), ("1.5gib", 3 * 2**29), ("2g", 2 * 10**9), ("7", 7)],
)
def test_amounts(text: str, number: int) -> None:
    assert parse_memory(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GB",
        "-1GB",
        "4TB",
        "4 G B",
        "IB",
        "4IB",
        "nan",
        "9e99",
        "9" * 400 + "GB",
        "2000000000GB",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="memory must be"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((32, 32, 32), FitSettings(scales=16)),
        ((64, 64, 64), FitSettings(block_size=4096)),
        ((32768,) * 3, FitSettings()),
    ],
)
def test_a_fit_that_no_machine_can_do_is_refused(
    shape: tuple[int, ...], settings: FitSettings
) -> None:
    with pytest.raises(OutOfMemory, match="lower --scales, --block-size") as caught:
        check_fit_memory(shape, settings, memory=1 << 27)
    assert f"in {settings.scales} scales of blocks of {settings.block_size}" in str(caught.value)


def test_a_small_fit_is_not_refused() -> None:
    check_fit_memory((24, 24, 24), FitSettings(), memory=1 << 60)
