"""Write files of samples, of any size and number of axes; the suffix chooses the format."""

from __future__ import annotations

from geom_miner.file_formats import collect_formats
from geom_miner.media.formats.protocol import SampleWriter

WRITERS: dict[str, SampleWriter] = collect_formats("geom_miner.media.formats", "SAMPLE_WRITERS")
# Of formats that are folders, what a folder holds; the first part says who wrote it.
FOLDERS: dict[str, tuple[str, ...]] = collect_formats("geom_miner.media.formats", "SAMPLE_FOLDERS")
