"""Pictures of a source and of its reconstructions: in one frame, whole, close by, and by error.

A picture is drawn once: the name of its file tells what it shows, so that a rerun finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from eval.pictures.closeup import closer_view, differences
from eval.pictures.colors import ErrorScale
from eval.pictures.render import render_mesh
from eval.pictures.view import View
from geom_miner import TriangleMesh
from geom_miner.atomic_files import new_file
from geom_miner.errors import SettingsError

Floats = npt.NDArray[np.float64]

# Pixels of a picture's height; its width follows the shape within these shares of it.
HEIGHT = 520
_NARROW, _WIDE = 0.62, 1.3
# How much closer the closer look is.
ZOOM = 4.5
_STYLE = "2"  # changes when pictures of the same things come to look different


@dataclass(frozen=True)
class Exhibit:
    """A mesh to be drawn, which is read only where one of its pictures is missing.

    Parameters
    ----------
    stem : begins the names of its pictures.
    digest : changes with the mesh.
    read : reads the mesh.
    distances : of its vertices to the source, (v,); the source itself has none.
    """

    stem: str
    digest: str
    read: Callable[[], TriangleMesh]
    distances: Floats | None = None

    @cached_property
    def mesh(self) -> TriangleMesh:
        return self.read()


@dataclass(frozen=True)
class Shown:
    """Files of the pictures of one exhibit; the source has none of its errors."""

    whole: Path
    near: Path
    errors: Path | None = None


def draw_comparison(
    source: Exhibit, others: Sequence[Exhibit], view: View, scale: ErrorScale | None, folder: Path
) -> tuple[Shown, list[Shown]]:
    """Draw the source and the others; pictures that are in the folder already are kept.

    Parameters
    ----------
    view : frames the source.
    scale : colors of the distances.

    Returns
    -------
    The pictures of the source, and those of the others in their order.
    """
    assert view.half_size is not None
    aspect = float(np.clip(view.half_size[0] / view.half_size[1], _NARROW, _WIDE))
    easel = _Easel(folder, round(HEIGHT * aspect))
    whole = easel.draw(source, "", view)
    wholes = [easel.draw(other, "", view) for other in others]
    interest = differences(_gray(whole), [_gray(path) for path in wholes], ZOOM)
    near = closer_view(view, interest, ZOOM)
    return Shown(whole, easel.draw(source, "-near", near)), [
        Shown(path, easel.draw(other, "-near", near), easel.draw(other, "-errors", view, scale))
        for other, path in zip(others, wholes, strict=True)
    ]


@dataclass(frozen=True)
class _Easel:
    """Draws pictures of one size into a folder."""

    folder: Path
    width: int

    def draw(
        self, exhibit: Exhibit, suffix: str, view: View, scale: ErrorScale | None = None
    ) -> Path:
        """The file of a picture, drawn where it is missing."""
        decides = repr((_STYLE, exhibit.digest, view, self.width, HEIGHT, scale))
        digest = hashlib.sha256(decides.encode()).hexdigest()[:8]
        path = self.folder / f"{exhibit.stem}{suffix}-{digest}.webp"
        if not path.is_file():
            distances = exhibit.distances
            colors = None if scale is None or distances is None else scale.colors(distances)
            picture = render_mesh(
                exhibit.mesh,
                width=self.width,
                height=HEIGHT,
                view=view,
                colors=colors,
                supersampling=2,
                transparent=True,
            )
            with new_file(path, SettingsError) as file:
                Image.fromarray(picture).save(file, "WEBP", quality=86, method=4)
        return path


def _gray(path: Path) -> Floats:
    """A picture over mid gray, so that outlines count as much as what is inside of them."""
    picture = np.asarray(Image.open(path).convert("RGBA"), dtype=np.float64) / 255
    gray: Floats = picture[..., :3].mean(axis=2) * picture[..., 3] + 0.5 * (1 - picture[..., 3])
    return gray
