"""Pictures side by side with captions, and PNG files of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eval.errors import MetricError
from eval.pictures.render import BACKGROUND, Picture
from geom_miner import write_image


def contact_sheet(
    images: Sequence[Picture],
    captions: Sequence[str],
    *,
    caption_height: int = 44,
    gap: int = 12,
) -> Picture:
    """Set pictures of one height side by side with a caption centered under each.

    Parameters
    ----------
    images : (h, w, 3) uint8 each, equal h; at least one.
    captions : one per image; a line break starts a second line.
    caption_height, gap : pixels below and between the pictures.

    Returns
    -------
    (h + caption_height, sum of widths and gaps, 3) uint8
    """
    if not images or len(images) != len(captions):
        raise MetricError(
            f"a sheet needs one caption per image, got {len(images)} and {len(captions)}"
        )
    height = len(images[0])
    if any(len(image) != height for image in images):
        raise MetricError(f"images must have one height, got {[len(i) for i in images]}")
    width = sum(image.shape[1] for image in images) + gap * (len(images) - 1)
    paper = tuple(round(255 * channel) for channel in BACKGROUND)
    sheet = Image.new("RGB", (width, height + caption_height), paper)
    draw = ImageDraw.Draw(sheet)
    lines = max(caption.count("\n") + 1 for caption in captions)
    font = ImageFont.load_default(size=round(0.62 * caption_height / (0.35 + 0.85 * lines)))
    left = 0
    for image, caption in zip(images, captions, strict=True):
        sheet.paste(Image.fromarray(image), (left, 0))
        middle = (left + image.shape[1] // 2, height + caption_height // 2)
        draw.multiline_text(
            middle, caption, fill=(40, 40, 40), font=font, anchor="mm", align="center"
        )
        left += image.shape[1] + gap
    return np.asarray(sheet)


def write_picture(path: Path, picture: Picture) -> None:
    """Write an 8-bit picture as PNG."""
    write_image(path, picture.astype(np.float32) / 255.0)
