"""Figures of the blocks on which each scale of a fit spent networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from eval.errors import MetricError
from eval.pictures.colors import scale_color
from eval.pictures.render import Picture, render_mesh
from eval.pictures.sheet import contact_sheet
from eval.pictures.view import View
from geom_miner import Representation, TriangleMesh

# Corners of a unit cube, numbered by the bits zyx -> 4z + 2y + x, and its outward faces.
_CUBE = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], dtype=np.float64)
_CUBE_FACES = np.array(
    [
        *((0, 2, 1), (1, 2, 3), (4, 5, 6), (5, 7, 6), (0, 1, 4), (1, 5, 4)),
        *((2, 6, 3), (3, 6, 7), (0, 4, 2), (2, 4, 6), (1, 3, 5), (3, 7, 5)),
    ]
)


@dataclass(frozen=True)
class BlockLayer:
    """The active blocks of one scale.

    Parameters
    ----------
    scale : 0 is the finest.
    low_corners : (q, 3), world position of each block's smallest corner.
    block_size : edge lengths of a block in world units, one number or one per axis.
    mesh : the level of detail of this scale, drawn below the blocks; None leaves it out.
    """

    scale: int
    low_corners: npt.NDArray[np.float64]
    block_size: float | tuple[float, float, float]
    mesh: TriangleMesh | None = None


def block_layers(
    representation: Representation, meshes: Mapping[int, TriangleMesh]
) -> list[BlockLayer]:
    """The active blocks of every scale of a representation, coarsest first.

    Parameters
    ----------
    meshes : the mesh of each scale, drawn below its blocks; scales may be left out.
    """
    layers = []
    for blocks in representation.scales:
        grid = representation.grid.at_scale(blocks.scale)
        starts = blocks.layout.starts_of(blocks.fitted_ids).numpy()
        x, y, z = (np.array(blocks.layout.block_shape) * grid.spacing).tolist()
        corners = grid.index_to_world(starts - 0.5)
        layers.append(BlockLayer(blocks.scale, corners, (x, y, z), meshes.get(blocks.scale)))
    return layers


def blocks_mesh(
    low_corners: npt.ArrayLike, sizes: npt.ArrayLike, *, inset: float = 0.06
) -> TriangleMesh:
    """Turn blocks into cubes, each shrunk a little so that neighbors stay apart.

    Parameters
    ----------
    low_corners : (q, 3), world position of each block's smallest corner; q may be 0.
    sizes : edge lengths in world units: one number, (3,), (q, 1) or (q, 3).
    inset : share of the edge that is cut off in total, in [0, 1).

    Returns
    -------
    Closed cubes, 8 vertices and 12 faces per block, block by block.
    """
    if not 0 <= inset < 1:
        raise MetricError(f"inset must lie in [0, 1), got {inset}")
    low = np.asarray(low_corners, dtype=np.float64).reshape(-1, 3)
    size = np.broadcast_to(np.asarray(sizes, dtype=np.float64), low.shape)
    cube = inset / 2 + (1 - inset) * _CUBE
    vertices = low[:, None] + cube * size[:, None]
    faces = _CUBE_FACES + 8 * np.arange(len(low))[:, None, None]
    return TriangleMesh(vertices.reshape(-1, 3), faces.reshape(-1, 3))


def active_blocks_figure(
    layers: Sequence[BlockLayer],
    *,
    view: View | None = None,
    width: int = 420,
    height: int = 560,
    inset: float = 0.06,
) -> Picture:
    """Show where each scale has active blocks, one column per scale, after MINER's figure 8.

    The blocks stand above the level of detail they add up to (where a layer has one), all in one
    frame: that of the view, or one around all blocks.

    Parameters
    ----------
    layers : at least one, in the order in which they are to appear; coarse to fine reads best.
    width, height : pixels of one picture.

    Returns
    -------
    (rows, columns, 3) uint8 sRGB sheet with captions.
    """
    if not layers:
        raise MetricError("a figure of blocks needs at least one layer")
    cubes = [blocks_mesh(layer.low_corners, layer.block_size, inset=inset) for layer in layers]
    view = view or View(elevation=25.0)
    if view.center is None or view.half_size is None:
        shown = [*cubes, *(layer.mesh for layer in layers if layer.mesh is not None)]
        view = view.framing(_joined([mesh for mesh in shown if len(mesh.faces)]))
    with_meshes = any(layer.mesh is not None for layer in layers)
    columns, captions = [], []
    for layer, cube in zip(layers, cubes, strict=True):
        colors = np.tile(scale_color(layer.scale), (len(cube.vertices), 1))
        column = [render_mesh(cube, width=width, height=height, view=view, colors=colors)]
        if with_meshes:
            mesh = layer.mesh or blocks_mesh(np.zeros((0, 3)), 1.0)
            column.append(render_mesh(mesh, width=width, height=height, view=view))
        columns.append(np.concatenate(column))
        count = len(cube.faces) // len(_CUBE_FACES)
        captions.append(f"scale {layer.scale}: {count:,} active blocks")
    return contact_sheet(columns, captions)


def _joined(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    if not meshes:
        raise MetricError("there are no active blocks to frame; pass a framed view")
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return TriangleMesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
    )


def draw_block_outlines(
    image: Picture,
    low: npt.ArrayLike,
    size: int | tuple[int, int],
    *,
    color: tuple[int, int, int] = (220, 80, 50),
    line_width: int = 1,
) -> Picture:
    """Draw blocks as rectangles over a copy of a picture.

    Parameters
    ----------
    image : (h, w, 3) or (h, w, 1) uint8, left as it is.
    low : (q, 2) integer, row and column of each block's first pixel.
    size : pixels along a block's edges: one number, or rows and columns.

    Returns
    -------
    (h, w, 3) uint8
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8:
        raise MetricError(f"image must be (h, w, 1 or 3) uint8, got {image.shape} of {image.dtype}")
    canvas = Image.fromarray(np.repeat(image, 3 // image.shape[2], axis=2))
    draw = ImageDraw.Draw(canvas)
    rows, columns = size if isinstance(size, tuple) else (size, size)
    for row, column in np.asarray(low, dtype=np.int64).reshape(-1, 2).tolist():
        # Pillow's rectangles include their last pixel.
        box = (column, row, column + columns - 1, row + rows - 1)
        draw.rectangle(box, outline=color, width=line_width)
    return np.asarray(canvas)
