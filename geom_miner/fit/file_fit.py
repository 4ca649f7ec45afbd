"""A fit that goes to disk scale by scale and goes on where an earlier run was interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from geom_miner import __version__
from geom_miner.atomic_files import new_file
from geom_miner.errors import ModelFileError
from geom_miner.fit.coarse_to_fine import DEFAULT_MEMORY, fit_signal
from geom_miner.fit.cosine_settings import AnySettings
from geom_miner.fit.earlier_fit import announce_replacement
from geom_miner.fit.history import ScaleHistory, read_history
from geom_miner.fit.memory import check_fit_memory
from geom_miner.fit.observer import SILENT, Observer, Observers
from geom_miner.fit.resume import Resume
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.target import Target
from geom_miner.kernels.backends import resolve_backend
from geom_miner.model.representation import Representation
from geom_miner.model.scale_blocks import FittedBatch, ScaleBlocks
from geom_miner.outputs import check_output
from geom_miner.records import RecordError
from geom_miner.scratch_files import check_unfinished
from geom_miner.storage.header import Header
from geom_miner.storage.reader import holds, load_model
from geom_miner.storage.sections import SIGNATURE
from geom_miner.storage.writer import ModelWriter, part_path

HISTORY_SIGNATURE = b'[{"scale":'
"""First bytes of every history, by which a run knows those of earlier ones."""


@dataclass(frozen=True)
class FitResult:
    """A finished fit.

    Attributes
    ----------
    representation : as the file holds it.
    history : one entry per scale, coarsest first, those of an earlier run included.
    resumed_scales : how many of them an earlier run had finished.
    """

    representation: Representation
    history: tuple[ScaleHistory, ...]
    resumed_scales: int

    def __repr__(self) -> str:
        seconds = sum(entry.seconds for entry in self.history)
        return (
            f"<FitResult: {self.representation!r}, {seconds:.1f} s of fitting, "
            f"{self.resumed_scales} scales resumed>"
        )


def fit_to_file(
    target: Target,
    settings: AnySettings,
    path: Path | str,
    *,
    observer: Observer = SILENT,
    backend: str = "auto",
    memory: int = DEFAULT_MEMORY,
    fresh: bool = False,
    force: bool = False,
) -> FitResult:
    """Fit a target and save the model as ``path``; every finished scale, or batch, is on disk.

    An interrupted run leaves ``path`` + ``.part``. A rerun with the same target and settings goes
    on after its last whole batch and ends with the same bytes as one run would; if ``path`` itself
    is already that fit, it is read and nothing is computed. Any other rerun logs what differs and
    starts anew, as does one that asks to be ``fresh``; the earlier model is replaced once the new
    one is complete. Seconds and loss curves go to ``path`` + ``.history.json``, since the
    model file holds nothing that differs from run to run.

    Parameters
    ----------
    observer, backend, memory : see ``fit_signal``; the bytes of the file do not depend on memory.
    force : replace a file that another program wrote.

    Raises
    ------
    ModelFileError
        The destination cannot be written, or another program wrote what is there.
    """
    path = Path(path)
    check_fit_memory(target.grid.shape, settings, channels=target.channels, memory=memory)
    metadata = metadata_of(target, settings, backend)
    header = Header(target.grid, settings.scales, target.info, metadata)
    check_model_output(path, force=force)
    if not fresh and holds(path, header):
        representation = load_model(path)
        history = _history_of(_history_path(path), representation.scales, target.grid)
        return FitResult(representation, tuple(history), settings.scales)
    if not fresh:
        announce_replacement(path, header)
        announce_replacement(part_path(path), header)
    recorder = _Recorder(path, header, kind=settings.kind, resume=not fresh)
    try:
        representation = fit_signal(
            target,
            settings,
            observer=Observers(recorder, observer),
            resume=Resume(recorder.writer.finished, recorder.writer.batches),
            backend=backend,
            memory=memory,
        )
        recorder.writer.finish()
    finally:
        recorder.writer.close()
    _save_history(_history_path(path), recorder.history)
    _history_path(part_path(path)).unlink(missing_ok=True)
    return FitResult(
        replace(representation, metadata=metadata),
        tuple(recorder.history),
        len(recorder.writer.finished),
    )


def check_model_output(path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Refuse a model file, and the notes beside it, that would destroy something.

    Raises
    ------
    ModelFileError
        See ``geom_miner.outputs.check_output``.
    """
    notes = [_history_path(path), _history_path(part_path(path))]
    for output, signature in [(path, SIGNATURE), *((note, HISTORY_SIGNATURE) for note in notes)]:
        check_output(output, ModelFileError, inputs=inputs, signature=signature, force=force)
    check_unfinished(part_path(path), SIGNATURE, ModelFileError)


class _Recorder(Observer):
    """Writes every finished scale and batch, and the history of the scales."""

    def __init__(self, path: Path, header: Header, *, kind: str, resume: bool) -> None:
        self.writer = ModelWriter(path, header, kind=kind, resume=resume)
        self._notes = _history_path(part_path(path))
        self.history = _history_of(self._notes, self.writer.finished, header.grid)

    def on_batch(self, batch: FittedBatch) -> None:
        self.writer.write_batch(batch)

    def on_scale(self, blocks: ScaleBlocks, history: ScaleHistory) -> None:
        self.writer.write_scale(blocks)
        self.history.append(history)
        _save_history(self._notes, self.history)


def metadata_of(target: Target, settings: AnySettings, backend: str) -> dict[str, Any]:
    """Everything that decides the bytes of a fit, for the file."""
    return {
        "settings": asdict(settings),
        "backend": resolve_backend(backend, target.device),
        "signal_sha256": target.content_digest(),
        "version": __version__,
        "code_sha256": _code_digest(),
    }


def _code_digest() -> str:
    """SHA-256 of the sources that decide a fit, so that no other code's model passes for ours."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in ("fit", "grid", "kernels", "model"):
        for source in sorted((root / room).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()


def _history_path(path: Path) -> Path:
    return path.with_name(path.name + ".history.json")


def _save_history(path: Path, history: list[ScaleHistory]) -> None:
    with new_file(path, ModelFileError) as file:
        file.write(json.dumps([entry.as_dict() for entry in history]).encode())


def _history_of(path: Path, levels: Sequence[ScaleBlocks], grid: SampleGrid) -> list[ScaleHistory]:
    """Notes on finished scales; counts alone where the notes are lost or another fit's."""
    try:
        notes = read_history(path.read_bytes())
    except (OSError, RecordError):
        notes = []
    by_counts = {_counts(entry): entry for entry in notes}
    unknown = [_unknown_history(blocks, grid) for blocks in levels]
    return [by_counts.get(_counts(entry), entry) for entry in unknown]


def _counts(entry: ScaleHistory) -> tuple[object, ...]:
    return (
        entry.scale,
        entry.shape,
        entry.blocks,
        entry.varying_blocks,
        entry.fitted_blocks,
        entry.parameters,
    )


def _unknown_history(blocks: ScaleBlocks, grid: SampleGrid) -> ScaleHistory:
    """Counts of a scale whose times were lost with an interrupted run's notes."""
    return ScaleHistory(
        blocks.scale,
        grid.at_scale(blocks.scale).shape,
        blocks.layout.num_blocks,
        len(blocks.varying_ids),
        len(blocks.fitted_ids),
        blocks.num_parameters,
    )
