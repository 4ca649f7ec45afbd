"""A training run on disk, from which it continues as if it had never stopped."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch

from eval.errors import MethodError
from eval.methods.implicit.networks import ImplicitNetwork
from geom_miner.atomic_files import new_file
from geom_miner.constraints import Range, check_fields
from geom_miner.media import read_npy, read_npy_header, read_npy_values
from geom_miner.outputs import sign_archive
from geom_miner.records import decode_record

_FORMAT = "geom_miner implicit training 2"
# Bytes of the text about a run at most; one has a few hundred.
_LONGEST_HEAD = 1 << 20
# What zipfile raises, beside OSError, for archives that are damaged, encrypted or packed in ways
# that it does not know.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError)
# Adam's state of a parameter.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")

Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class _Head:
    """What a checkpoint says of its run."""

    format: str
    metadata: dict[str, Any]
    steps: Annotated[int, Range(at_least=0)]
    seconds: Annotated[float, Range(at_least=0)]

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass
class NetworkTraining:
    """The state of a training run: everything that the next step depends on, and its progress."""

    network: ImplicitNetwork
    optimizer: torch.optim.Adam
    generator: torch.Generator
    steps: int = 0
    seconds: float = 0.0


class Checkpoint:
    """A file with the state of a run and its metadata: an NPZ archive, without any pickle.

    The archive's checksums reveal damage.

    Parameters
    ----------
    path : the file; it is replaced as a whole or left as it is.
    metadata : what determines the run, JSON-able: source, settings, seed. A file with other
        metadata is refused.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._metadata = json.loads(json.dumps(dict(metadata)))

    def save(self, training: NetworkTraining) -> None:
        """Write the state.

        Raises
        ------
        MethodError
            The file cannot be written; an earlier one is left as it was.
        """
        arrays: Arrays = {"generator": training.generator.get_state().numpy()}
        for index, parameter in enumerate(training.network.parameters()):
            arrays[f"parameter {index}"] = _to_array(parameter)
            moments = training.optimizer.state[parameter]
            for name in _MOMENTS:
                arrays[f"{name} {index}"] = _to_array(moments[name])
        head = {
            "format": _FORMAT,
            "metadata": self._metadata,
            "steps": training.steps,
            "seconds": training.seconds,
        }
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        with new_file(self.path, MethodError) as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            sign_archive(stream)

    def restore(self, training: NetworkTraining) -> None:
        """Bring the run to the state in the file; if there is no file, leave it as it is.

        Raises
        ------
        MethodError
            The file is damaged, or belongs to another run.
        """
        if not self.path.exists():
            return
        try:
            with zipfile.ZipFile(self.path) as archive:
                head = self._read_head(archive)
                _restore_tensors(archive, training)
        except MethodError:
            raise
        except (OSError, EOFError, KeyError, ValueError, RuntimeError, *_ZIP_ERRORS) as error:
            raise self._damaged() from error
        training.steps, training.seconds = head.steps, head.seconds

    def _read_head(self, archive: zipfile.ZipFile) -> _Head:
        with archive.open("head.npy") as stream:
            text = read_npy(stream, _LONGEST_HEAD).tobytes()
        head = decode_record(text, _Head)
        names = {*head.metadata, *self._metadata}
        differing = [n for n in names if head.metadata.get(n) != self._metadata.get(n)]
        if head.format != _FORMAT:
            differing = ["its format"]
        if differing:
            raise MethodError(
                f"{self.path} is the checkpoint of another run, which differs in "
                f"{', '.join(sorted(differing))}; delete it or name another file"
            )
        return head

    def _damaged(self) -> MethodError:
        return MethodError(
            f"{self.path} is damaged or not a checkpoint; delete it, and the run starts anew"
        )


def _restore_tensors(archive: zipfile.ZipFile, training: NetworkTraining) -> None:
    generator = _read_like(archive, "generator", training.generator.get_state())
    parameters, moments = [], {}
    for index, parameter in enumerate(training.network.parameters()):
        parameters.append(_read_like(archive, f"parameter {index}", parameter))
        moments[index] = {
            "step": _read_like(archive, f"step {index}", torch.zeros(())),
            **{name: _read_like(archive, f"{name} {index}", parameter) for name in _MOMENTS[1:]},
        }
    # Only what is whole changes the run.
    with torch.no_grad():
        for parameter, values in zip(training.network.parameters(), parameters, strict=True):
            parameter.copy_(values)
    groups = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    training.generator.set_state(generator)


def _to_array(tensor: torch.Tensor) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = tensor.detach().cpu().numpy()
    return array


def _read_like(archive: zipfile.ZipFile, name: str, like: torch.Tensor) -> torch.Tensor:
    """A finite array of the shape and type of a tensor; its header is compared first."""
    expected = _to_array(like)
    with archive.open(f"{name}.npy") as stream:
        header = read_npy_header(stream)
        if (header.shape, header.dtype) != (expected.shape, expected.dtype):
            raise ValueError(f"{name} has another shape or type")
        values = read_npy_values(stream, header)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite")
    return torch.from_numpy(np.array(values))
