"""Fit an image and print how well each level of detail shows it.

Run: python examples/image_levels.py photo.png photo.miner
"""

from __future__ import annotations

import sys

from eval.metrics import psnr_sparse
from geom_miner import fit_image, read_image
from geom_miner.grid import upsample
from geom_miner.media import image_to_blocks


def main(source: str, output: str) -> None:
    model = fit_image(source, output).representation
    truth, grid = image_to_blocks(read_image(source), block_size=16)
    for scale in range(model.num_scales):
        decoded = model.decode(scale)
        for _ in range(scale):
            decoded = upsample(decoded)
        quality = psnr_sparse(decoded, truth.extended(decoded.layout), shape=grid.shape)
        print(f"level {scale}: {quality:.2f} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
