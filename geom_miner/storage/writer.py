"""Write a model file, whole or scale by scale; an interrupted one is gone on with."""

from __future__ import annotations

import contextlib
from pathlib import Path

from geom_miner.atomic_files import new_file
from geom_miner.errors import ModelFileError
from geom_miner.model.representation import Representation
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks
from geom_miner.outputs import refuse_irregular
from geom_miner.scratch_files import open_unfinished
from geom_miner.storage import sections
from geom_miner.storage.codecs import CODECS
from geom_miner.storage.header import Header
from geom_miner.storage.reader import read_batches, read_scales


class ModelWriter:
    """Write a model scale by scale; what is written survives a kill.

    The file grows beside its destination under ``.part`` and takes its name when it is complete,
    so an earlier model stays intact until then.

    Parameters
    ----------
    kind : of the block functions to write, a name in ``CODECS``.
    resume : go on with what an interrupted run with the same header has left.
    """

    def __init__(
        self, path: Path, header: Header, *, kind: str = "mlp", resume: bool = False
    ) -> None:
        self.path, self.part = path, part_path(path)
        self._codec = CODECS[kind]
        self.header = header
        self.finished: tuple[ScaleBlocks, ...] = ()
        self.batches: tuple[FittedBatch, ...] = ()
        self._written: list[ScaleBlocks] = []
        try:
            self._file = open_unfinished(self.part, sections.SIGNATURE, ModelFileError)
            whole, kept = self._recover() if resume else (0, 0)
            self._file.truncate(kept)
            if not kept:
                version = self._codec.VERSION
                sections.begin(self._file, version)
                sections.append(self._file, "HEADER", header.to_payload(version), version)
                whole = self._file.tell()
            # Behind the last whole scale lie batches of the next one, until that is whole too.
            self._scales_end = whole
        except OSError as error:
            raise _cannot_write(self.part, error) from error

    def _recover(self) -> tuple[int, int]:
        """Take over what is whole in an interrupted file with the same header.

        Returns where its last scale ends, and where its last batch of the next one does.
        """
        if not self.part.exists():
            return 0, 0
        try:
            header, scales, end = read_scales(self.part, finest=None)
            if header.to_json() != self.header.to_json():
                return 0, 0
            batches, kept = read_batches(self.part, end, header.num_scales - 1 - len(scales))
        except ModelFileError:
            return 0, 0
        self.finished, self.batches = tuple(scales), tuple(batches)
        self._written = list(scales)
        return end, kept

    def write_batch(self, batch: FittedBatch) -> None:
        """Append a batch of the scale at hand; it is dropped once that scale is written."""
        self._append("BATCH", self._codec.pack_batch(batch))

    def write_scale(self, blocks: ScaleBlocks) -> None:
        """Append one scale, the next finer than the last."""
        try:
            self._file.truncate(self._scales_end)
        except OSError as error:
            raise _cannot_write(self.part, error) from error
        self._append("SCALE", self._codec.pack_scale(blocks, self._written))
        self._written.append(blocks)
        self._scales_end = self._file.tell()

    def _append(self, tag: str, payload: bytes) -> None:
        try:
            sections.append(self._file, tag, payload, self._codec.VERSION)
        except OSError as error:
            self.close()
            raise _cannot_write(self.part, error) from error

    def finish(self) -> None:
        """Complete the file and give it its name."""
        try:
            sections.append(self._file, "END", b"", self._codec.VERSION)
            refuse_irregular(self.path, ModelFileError)
            # Closing gives the lock away, and then the name must lead to the finished model.
            self.part.replace(self.path)
            self._file.close()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def close(self) -> None:
        """Stop writing; an incomplete file stays for a later run to go on from."""
        # On a full disk closing flushes, and fails, once more; what matters is on disk already.
        with contextlib.suppress(OSError):
            self._file.close()


def part_path(path: Path) -> Path:
    """Where an unfinished model lies."""
    return path.with_name(path.name + ".part")


def save_model(path: Path | str, representation: Representation) -> None:
    """Write a representation; an existing file is replaced only by a complete one."""
    header = Header(
        representation.grid,
        representation.num_scales,
        representation.info,
        representation.metadata,
    )
    codec = CODECS[representation.scales[0].kind]
    version, scales = codec.VERSION, representation.scales
    with new_file(path, ModelFileError) as file:
        sections.begin(file, version)
        sections.append(file, "HEADER", header.to_payload(version), version)
        for index, blocks in enumerate(scales):
            sections.append(file, "SCALE", codec.pack_scale(blocks, scales[:index]), version)
        sections.append(file, "END", b"", version)


def _cannot_write(path: Path, error: OSError) -> ModelFileError:
    reason = error.strerror or "writing failed"
    return ModelFileError(
        f"cannot write {path}: {reason}; choose a folder that exists, is writable and has space"
    )
