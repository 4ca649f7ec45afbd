"""NPY headers are looked up, never evaluated, and promise nothing that is not there."""

import contextlib
import io
import random
import struct

import numpy as np
import pytest

from geom_miner.media.npy_stream import NpyError, read_npy
from pipelines.campaigns.mutations import mutate_npy


def npy(header: str, samples: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + samples


def read(data: bytes) -> np.ndarray:
    return read_npy(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=">i4").reshape(3, 4)),
        np.float32(3.5),
        np.zeros((0, 3), np.uint8),
        np.arange(5, dtype=np.float16),
    ],
)
def test_arrays_are_read_as_numpy_reads_them(array: np.ndarray) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    back = read(stream.getvalue())
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_whole_numbers_of_python_2_are_read() -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }"
    np.testing.assert_array_equal(read(npy(header, struct.pack("<2d", 1, 2))), [1, 2])


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1610612736,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1 1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': exit()}",
        "{'descr': '<f9', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
        "(" * 9000,
        '"""',
        "",
    ],
)
def test_headers_of_nonsense_are_refused(header: str) -> None:
    with pytest.raises(NpyError):
        read(npy(header, bytes(8)))


def test_mutations_end_in_an_array_or_an_error() -> None:
    stream = io.BytesIO()
    np.save(stream, np.arange(30.0).reshape(10, 3))
    arrays = []
    for seed in range(500):
        with contextlib.suppress(NpyError):
            arrays.append(read(mutate_npy(stream.getvalue(), random.Random(seed))))
    assert 50 < len(arrays) < 400
    assert all(array.nbytes <= 1000 for array in arrays)
