"""Sentences on what reading an image file converts or leaves out."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

_CMYK = (
    "The inks C, M, Y and K were converted to RGB by the plain formula, without a color profile; "
    "convert the picture yourself where colors have to be exact."
)
_UPRIGHT = 1


def notes_on_image(
    *, mode: str, orientation: int, pages: int, unit: str, profile: bytes | None
) -> tuple[str, ...]:
    """Whole sentences; none for an upright RGB or gray image of one page without a profile.

    Parameters
    ----------
    mode : as Pillow names it.
    orientation : as in EXIF, 1 for upright.
    pages, unit : how many pages or frames the file has, and which of the two words is right.
    profile : an ICC profile, or None. One of sRGB, which images without a profile have, needs no
        sentence.
    """
    notes = []
    if pages > 1:
        notes.append(f"The file has {pages:,} {unit}s, and the first one was taken.")
    if orientation != _UPRIGHT:
        notes.append("The picture was turned upright, as the file's orientation says.")
    if mode == "CMYK":
        notes.append(_CMYK)
    name = _name_of(profile) if profile else "sRGB"
    if "srgb" not in name.lower():
        notes.append(
            f"The color profile ({name}) was left out: values are fitted as they are stored, and "
            "decoded pictures have no profile; assign it to them to see the same colors."
        )
    return tuple(notes)


def _name_of(profile: bytes) -> str:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.getProfileDescription(opened).strip() or "without a name"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "without a name"


def frames_of(image: Image.Image) -> tuple[int, str]:
    """How many images a file has, and what they are called in its format."""
    return getattr(image, "n_frames", 1), "page" if image.format == "TIFF" else "frame"
