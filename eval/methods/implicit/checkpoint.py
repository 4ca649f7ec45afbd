"""A training run on disk, from which it continues as if it had never stopped."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eval.errors import MethodError
from eval.methods.implicit.networks import ImplicitNetwork
from geom_miner.atomic_files import new_file
from geom_miner.outputs import sign_archive

_FORMAT = "geom_miner implicit training 2"
# Adam's state of a parameter.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")

Arrays = dict[str, npt.NDArray[np.generic]]


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
        arrays = self._read()
        head = self._read_head(arrays)
        try:
            _restore_tensors(arrays, training)
            training.steps, training.seconds = int(head["steps"]), float(head["seconds"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise self._damaged() from error

    def _read(self) -> Arrays:
        try:
            with open(self.path, "rb") as stream:
                archive = np.load(stream, allow_pickle=False)
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            raise self._damaged() from error

    def _read_head(self, arrays: Arrays) -> dict[str, Any]:
        try:
            head: dict[str, Any] = json.loads(arrays["head"].tobytes())
            file_format, metadata = head["format"], head.get("metadata", {})
            differing = ["its format"]
            if file_format == _FORMAT:
                names = {*metadata, *self._metadata}
                differing = [n for n in names if metadata.get(n) != self._metadata.get(n)]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged() from error
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


def _restore_tensors(arrays: Arrays, training: NetworkTraining) -> None:
    moments = {}
    for index, parameter in enumerate(training.network.parameters()):
        with torch.no_grad():
            parameter.copy_(_tensor_like(arrays[f"parameter {index}"], parameter))
        moments[index] = {
            "step": torch.from_numpy(arrays[f"step {index}"]),
            **{name: _tensor_like(arrays[f"{name} {index}"], parameter) for name in _MOMENTS[1:]},
        }
    groups = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    training.generator.set_state(torch.from_numpy(arrays["generator"]))


def _to_array(tensor: torch.Tensor) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = tensor.detach().cpu().numpy()
    return array


def _tensor_like(array: npt.NDArray[np.generic], like: torch.Tensor) -> torch.Tensor:
    if array.shape != tuple(like.shape):
        raise ValueError(f"{array.shape} instead of {tuple(like.shape)}")
    return torch.from_numpy(array)
