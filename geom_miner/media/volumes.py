"""Files for samples of any size and number of axes; which one, the suffix says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from geom_miner.media.arrays import write_array_in_slabs
from geom_miner.media.nrrd import write_nrrd
from geom_miner.media.sample_stream import SampleStream
from geom_miner.media.zarr_folder import write_zarr


def write_npy(path: Path | str, stream: SampleStream) -> None:
    """Write samples as NPY, (*shape, channel), slab by slab."""
    shape = (*stream.shape, stream.channels)
    write_array_in_slabs(path, shape, stream.dtype, stream.slabs(0))


# Each writes a stream of samples without ever holding it whole, and leaves an earlier result
# as it was where it fails.
STREAM_WRITERS: dict[str, Callable[[Path, SampleStream], None]] = {
    ".npy": write_npy,
    ".nrrd": write_nrrd,
    ".zarr": write_zarr,
}
