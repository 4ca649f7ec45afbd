"""Write a model file, whole or scale by scale; an interrupted one is gone on with."""

from __future__ import annotations

import contextlib
from pathlib import Path

from geom_miner.atomic_files import new_file
from geom_miner.errors import ModelFileError
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.model.representation import Representation
from geom_miner.outputs import refuse_irregular
from geom_miner.scratch_files import open_unfinished
from geom_miner.storage import sections
from geom_miner.storage.header import Header
from geom_miner.storage.mlp_codec import pack_batch, pack_scale
from geom_miner.storage.reader import read_batches, read_scales


class ModelWriter:
    """Write a model scale by scale; what is written survives a kill.

    The file grows beside its destination under ``.part`` and takes its name when it is complete,
    so an earlier model stays intact until then.
    """

    def __init__(self, path: Path, header: Header, *, resume: bool = False) -> None:
        self.path, self.part = path, part_path(path)
        self.header = header
        self.finished: tuple[BlockMLPs, ...] = ()
        self.batches: tuple[FittedBatch, ...] = ()
        try:
            self._file = open_unfinished(self.part, sections.SIGNATURE, ModelFileError)
            whole, kept = self._recover() if resume else (0, 0)
            self._file.truncate(kept)
            if not kept:
                sections.begin(self._file)
                sections.append(self._file, "HEADER", header.to_json())
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
        return end, kept

    def write_batch(self, batch: FittedBatch) -> None:
        """Append a batch of the scale at hand; it is dropped once that scale is written."""
        self._append("BATCH", pack_batch(batch))

    def write_scale(self, blocks: BlockMLPs) -> None:
        """Append one scale, the next finer than the last."""
        try:
            self._file.truncate(self._scales_end)
        except OSError as error:
            raise _cannot_write(self.part, error) from error
        self._append("SCALE", pack_scale(blocks))
        self._scales_end = self._file.tell()

    def _append(self, tag: str, payload: bytes) -> None:
        try:
            sections.append(self._file, tag, payload)
        except OSError as error:
            self.close()
            raise _cannot_write(self.part, error) from error

    def finish(self) -> None:
        """Complete the file and give it its name."""
        try:
            sections.append(self._file, "END", b"")
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
    with new_file(path, ModelFileError) as file:
        sections.begin(file)
        sections.append(file, "HEADER", header.to_json())
        for blocks in representation.scales:
            sections.append(file, "SCALE", pack_scale(blocks))
        sections.append(file, "END", b"")


def _cannot_write(path: Path, error: OSError) -> ModelFileError:
    reason = error.strerror or "writing failed"
    return ModelFileError(
        f"cannot write {path}: {reason}; choose a folder that exists, is writable and has space"
    )
