"""A training run on disk, from which it goes on as if it had never stopped."""

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

_FORMAT = "geom_miner implicit training 1"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")

Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass
class TrainingState:
    """Everything that the next step depends on, and how far the run has come."""

    network: ImplicitNetwork
    optimizer: torch.optim.Adam
    generator: torch.Generator
    steps: int = 0
    seconds: float = 0.0


class Checkpoint:
    """A file of arrays and facts: an NPZ archive, whose checksums tell damage, and no pickle.

    Parameters
    ----------
    path : of the file; it is replaced as a whole or left alone.
    facts : what the run is, JSON-able: source, settings, seed. A file of other facts is refused.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._facts = json.loads(json.dumps(dict(facts)))

    def save(self, state: TrainingState) -> None:
        """Write the state.

        Raises
        ------
        MethodError
            The file cannot be written; an earlier one is left as it was.
        """
        arrays: Arrays = {"generator": state.generator.get_state().numpy()}
        for index, parameter in enumerate(state.network.parameters()):
            arrays[f"parameter {index}"] = _array(parameter)
            moments = state.optimizer.state[parameter]
            for name in _MOMENTS:
                arrays[f"{name} {index}"] = _array(moments[name])
        head = {
            "format": _FORMAT,
            "facts": self._facts,
            "steps": state.steps,
            "seconds": state.seconds,
        }
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        with new_file(self.path, MethodError) as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    def restore(self, state: TrainingState) -> None:
        """Bring the state to what the file holds; without a file it stays as it is.

        Raises
        ------
        MethodError
            The file is damaged, or of another run.
        """
        if not self.path.exists():
            return
        arrays = self._read()
        head = self._head(arrays)
        try:
            self._put(arrays, state)
            state.steps, state.seconds = int(head["steps"]), float(head["seconds"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise self._damaged() from error

    def _read(self) -> Arrays:
        try:
            with open(self.path, "rb") as stream:
                archive = np.load(stream, allow_pickle=False)
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            raise self._damaged() from error

    def _head(self, arrays: Arrays) -> dict[str, Any]:
        try:
            head: dict[str, Any] = json.loads(arrays["head"].tobytes())
            form, facts = head["format"], head["facts"]
        except (KeyError, ValueError, TypeError) as error:
            raise self._damaged() from error
        if form != _FORMAT or facts != self._facts:
            differing = sorted(
                name for name in {*facts, *self._facts} if facts.get(name) != self._facts.get(name)
            )
            raise MethodError(
                f"{self.path} is the checkpoint of another run, which differs in "
                f"{', '.join(differing) or 'its format'}; delete it or name another file"
            )
        return head

    def _put(self, arrays: Arrays, state: TrainingState) -> None:
        moments = {}
        for index, parameter in enumerate(state.network.parameters()):
            with torch.no_grad():
                parameter.copy_(_tensor_like(arrays[f"parameter {index}"], parameter))
            moments[index] = {
                "step": torch.from_numpy(arrays[f"step {index}"]),
                **{
                    name: _tensor_like(arrays[f"{name} {index}"], parameter)
                    for name in _MOMENTS[1:]
                },
            }
        groups = state.optimizer.state_dict()["param_groups"]
        state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        state.generator.set_state(torch.from_numpy(arrays["generator"]))

    def _damaged(self) -> MethodError:
        return MethodError(
            f"{self.path} is damaged or no checkpoint; delete it, and the run starts anew"
        )


def _array(tensor: torch.Tensor) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = tensor.detach().cpu().numpy()
    return array


def _tensor_like(array: npt.NDArray[np.generic], like: torch.Tensor) -> torch.Tensor:
    if array.shape != tuple(like.shape):
        raise ValueError(f"{array.shape} instead of {tuple(like.shape)}")
    return torch.from_numpy(array)
