"""``model.miner``: a representation on disk, one section per scale, coarse to fine.

Sections: ``HEADER`` (JSON: grid, scales, facts), ``SCALE`` (JSON line, then safetensors) for scales
J-1 down to 0, ``END``. A file cut after any scale still decodes that scale. Nothing is unpickled,
and equal representations give equal bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from geom_miner.errors import GeomMinerError, ModelFileError
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.signal_info import SignalInfo
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.model.block_mlps import BlockMLPs, FittedBatch
from geom_miner.model.representation import Representation
from geom_miner.storage import sections

_DTYPES = {
    "varying_ids": torch.int64,
    "fitted": torch.bool,
    "parameters": torch.float32,
    "constant_ids": torch.int64,
    "constant_values": torch.float32,
}


_BATCH_DTYPES = {"fitted": torch.bool, "parameters": torch.float32}


@dataclass(frozen=True)
class Header:
    """What a file holds before its first scale."""

    grid: SampleGrid
    num_scales: int
    info: SignalInfo
    metadata: Mapping[str, Any]

    def to_json(self) -> bytes:
        """Canonical JSON: equal headers give equal bytes."""
        info = {**self.metadata, **self.info.to_json()}
        values = {"grid": asdict(self.grid), "num_scales": self.num_scales, "info": info}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Header:
        """The inverse of ``to_json``."""
        values = json.loads(payload)
        grid = SampleGrid(**{key: tuple(entry) for key, entry in values["grid"].items()})
        return cls(grid, int(values["num_scales"]), *SignalInfo.from_json(values["info"]))


class ModelWriter:
    """Write a model scale by scale; what is written survives a kill.

    The file grows beside its destination under ``.part`` and takes its name when it is complete,
    so an earlier model stays intact until then.
    """

    def __init__(
        self, path: Path, header: Header, *, resume: bool = False, part: Path | None = None
    ) -> None:
        self.path, self.part = path, part or part_path(path)
        self.header = header
        self.finished: tuple[BlockMLPs, ...] = ()
        self.batches: tuple[FittedBatch, ...] = ()
        try:
            # Appending opens without truncating: what is there may be another run's.
            self._file: IO[bytes] = self.part.open("ab")
            _lock(self._file, self.part)
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
            header, levels, end = _read_levels(self.part, finest=None)
            if header.to_json() != self.header.to_json():
                return 0, 0
            batches, kept = _read_batches(self.part, end)
        except ModelFileError:
            return 0, 0
        self.finished, self.batches = tuple(levels), tuple(batches)
        return end, kept

    def write_batch(self, batch: FittedBatch) -> None:
        """Append a batch of the scale at hand; it is dropped once that scale is written."""
        self._append("BATCH", _pack({"scale": batch.scale}, batch, _BATCH_DTYPES))

    def write_scale(self, blocks: BlockMLPs) -> None:
        """Append one scale, the next finer than the last."""
        try:
            self._file.truncate(self._scales_end)
        except OSError as error:
            raise _cannot_write(self.part, error) from error
        self._append("SCALE", _pack_scale(blocks))
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
            self._file.close()
            self.part.replace(self.path)
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
    path = Path(path)
    # A scratch file of its own: the usual one may hold an interrupted fit.
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    writer = ModelWriter(path, header, part=scratch)
    for blocks in representation.scales:
        writer.write_scale(blocks)
    writer.finish()


def load_model(path: Path | str, *, finest: int = 0) -> Representation:
    """Read a representation from the coarsest scale down to ``finest`` and no further.

    Raises
    ------
    ModelFileError
        The file is missing, foreign, damaged, newer, or cut before the wanted scale.
    """
    path = Path(path)
    header, levels, _ = _read_levels(path, finest=finest)
    whole = levels[-1].scale if levels else header.num_scales
    if whole > finest:
        have = f"scales {header.num_scales - 1} to {whole} are whole" if levels else "none is whole"
        raise ModelFileError(
            f"{path} is cut short before scale {finest} ({have}); copy it again, or ask for a "
            "coarser level of detail"
        )
    return Representation(
        header.grid, header.num_scales, tuple(levels), header.info, header.metadata
    )


def holds(path: Path, header: Header) -> bool:
    """Whether a complete file with exactly this header is there."""
    try:
        found, levels, _ = _read_levels(path, finest=0)
    except ModelFileError:
        return False
    return found.to_json() == header.to_json() and len(levels) == header.num_scales


def scale_bytes(path: Path | str) -> dict[int, int]:
    """Bytes that each scale's section takes in a file."""
    return {
        int(_head(section.payload)["scale"]): len(section.payload)
        for section in sections.walk(Path(path))
        if section.tag == "SCALE"
    }


def describe_model(path: Path | str) -> dict[str, Any]:
    """What a file holds, also one that is cut after a scale: JSON-able facts."""
    path = Path(path)
    header, levels, _ = _read_levels(path, finest=None)
    sizes = scale_bytes(path)
    return {
        "complete": len(levels) == header.num_scales,
        "file_bytes": path.stat().st_size,
        "parameters": sum(blocks.num_parameters for blocks in levels),
        "grid": asdict(header.grid),
        "info": {**header.metadata, **header.info.to_json()},
        "scales": [
            {
                "scale": blocks.scale,
                "shape": header.grid.at_scale(blocks.scale).shape,
                "blocks": blocks.layout.num_blocks,
                "varying_blocks": len(blocks.varying_ids),
                "active_blocks": len(blocks.fitted_ids),
                "width": blocks.architecture.width,
                "sine_layers": blocks.architecture.depth,
                "parameters": blocks.num_parameters,
                "bytes": sizes[blocks.scale],
            }
            for blocks in levels
        ],
    }


def _read_batches(path: Path, start: int) -> tuple[list[FittedBatch], int]:
    """Whole batches behind an offset, and the offset behind the last of them."""
    batches, end = list[FittedBatch](), start
    for section in sections.walk(path):
        if section.end > start and section.tag == "BATCH":
            scale = int(_head(section.payload)["scale"])
            tensors = load_tensors(section.payload.split(b"\n", 1)[1])
            batches.append(FittedBatch(scale, tensors["fitted"], tensors["parameters"]))
            end = section.end
    return batches, end


def _read_levels(path: Path, *, finest: int | None) -> tuple[Header, list[BlockMLPs], int]:
    """Header, whole scales down to ``finest``, and the offset behind the last one used."""
    walk = sections.walk(path)
    try:
        return _parse(path, walk, finest)
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, GeomMinerError):
            raise
        raise ModelFileError(
            f"{path} has contents that this program cannot read; fit it anew"
        ) from error


def _parse(
    path: Path, walk: Iterator[sections.Section], finest: int | None
) -> tuple[Header, list[BlockMLPs], int]:
    first = next(walk, None)
    if first is None or first.tag != "HEADER":
        raise ModelFileError(f"{path} is cut short before its header ends; copy it again")
    header, levels, end = Header.from_json(first.payload), list[BlockMLPs](), first.end
    if finest is not None and not 0 <= finest < header.num_scales:
        raise ModelFileError(
            f"{path} has scales 0 to {header.num_scales - 1}, not {finest}; ask for one of those"
        )
    for section in walk:
        if section.tag != "SCALE":
            break
        levels.append(_unpack_scale(section.payload))
        end = section.end
        if levels[-1].scale == finest:
            break
    return header, levels, end


def _pack_scale(blocks: BlockMLPs) -> bytes:
    head = {
        "scale": blocks.scale,
        "counts": blocks.layout.counts,
        "block_shape": blocks.layout.block_shape,
        "architecture": asdict(blocks.architecture),
    }
    return _pack(head, blocks, _DTYPES)


def _pack(head: Mapping[str, Any], source: object, dtypes: Mapping[str, torch.dtype]) -> bytes:
    """A JSON line, then safetensors of the attributes that are named."""
    tensors = {name: getattr(source, name).cpu().contiguous() for name in dtypes}
    return (
        json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        + b"\n"
        + save_tensors(tensors)
    )


def _head(payload: bytes) -> dict[str, Any]:
    """The JSON line that opens a scale's section."""
    return dict(json.loads(payload.split(b"\n", 1)[0]))


def _unpack_scale(payload: bytes) -> BlockMLPs:
    head, packed = _head(payload), payload.split(b"\n", 1)[1]
    layout = BlockGrid(tuple(head["counts"]), tuple(head["block_shape"]))
    architecture = MLPArchitecture(**head["architecture"])
    tensors = load_tensors(packed)
    for name, dtype in _DTYPES.items():
        if tensors[name].dtype != dtype:
            raise ValueError(f"{name} must be {dtype}, got {tensors[name].dtype}")
    fitted = int(tensors["fitted"].sum())
    shapes = {
        "fitted": tensors["varying_ids"].shape,
        "parameters": (fitted, architecture.num_parameters),
        "constant_values": (len(tensors["constant_ids"]), architecture.channels),
    }
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise ValueError(f"{name} must have shape {tuple(shape)}")
    counts = torch.tensor(layout.counts)
    for name in ("varying_ids", "constant_ids"):
        ids = tensors[name]
        if bool((ids < 0).any()) or bool((layout.coordinates_of(ids) >= counts).any()):
            raise ValueError(f"{name} must name blocks of the grid")
    return BlockMLPs(
        int(head["scale"]), layout, architecture, **{name: tensors[name] for name in _DTYPES}
    )


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second fit from writing the same file; the lock goes with the file's closing."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ModelFileError(
            f"another fit is writing {path}; wait for it, or choose another output"
        ) from None


def _cannot_write(path: Path, error: OSError) -> ModelFileError:
    reason = error.strerror or "writing failed"
    return ModelFileError(
        f"cannot write {path}: {reason}; choose a folder that exists, is writable and has space"
    )
