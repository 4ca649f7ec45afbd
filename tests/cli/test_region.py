import pytest
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.cli.region import Region, parse_region
from geom_miner.errors import SettingsError


@given(st.data())
def test_a_region_means_what_python_means(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4)))
    words, expected = [], []
    for n in shape:
        start = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(start + 1, n))
        word, meant = data.draw(
            st.sampled_from(
                [
                    (f"{start}:{stop}", slice(start, stop)),
                    (f"{start}:", slice(start, None)),
                    (f":{stop}", slice(None, stop)),
                    (":", slice(None)),
                    (f" {start} ", start),
                ]
            )
        )
        words.append(word)
        expected.append(meant)
    region = parse_region(",".join(words), shape)
    for axis, (n, meant) in enumerate(zip(shape, expected, strict=True)):
        found = range(n)[region.start[axis] : region.stop[axis]]
        if isinstance(meant, slice):
            assert found == range(n)[meant]
            assert axis not in region.dropped
        else:
            assert list(found) == [meant]
            assert axis in region.dropped


def test_no_region_is_everything() -> None:
    assert parse_region(None, (5, 7)) == Region((0, 0), (5, 7))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ",",
            "0:4",
            "0:4,1:2,3:4,5:6",
            "0-4,:,:",
            "0:4:2,:,:",
            "-3:,:,:",
            ":-1,:,:",
            "-1,:,:",
        ),
        *("a,:,:", "0:4,,:", "1.5,:,:", "٣,:,:", "9" * 5000 + ",:,:"),
    ],
)
def test_malformed_regions(text: str) -> None:
    with pytest.raises(SettingsError, match="region must be start:stop or one index") as caught:
        parse_region(text, (8, 8, 8))
    assert "such as 0:32,:,7" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "axis", "part"),
    [
        ("9,:,:", 0, "9"),
        (":,8,:", 1, "8"),
        (":,:,0:11", 2, "0:11"),
        (":,8:,:", 1, "8:"),
        ("4:4,:,:", 0, "4:4"),
        (":,:0,:", 1, ":0"),
        ("5:3,:,:", 0, "5:3"),
    ],
)
def test_regions_outside_or_empty(text: str, axis: int, part: str) -> None:
    with pytest.raises(SettingsError, match="region must lie inside the 9 x 8 x 10") as caught:
        parse_region(text, (9, 8, 10))
    assert f"got {part} on axis {axis}; there 0:{(9, 8, 10)[axis]} is everything" in str(
        caught.value
    )
