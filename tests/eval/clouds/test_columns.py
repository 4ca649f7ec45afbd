"""What columns of points mean: by their names, or by their values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval import CloudError, read_cloud

POINTS = np.array([[0.5, 1.25, -2.0], [3.0, 4.5, 5.75]])


@pytest.mark.parametrize("colors", ["255 0 12", "0.5 0.25 1", "65535 3 0"])
def test_colors_are_left_out_and_said(tmp_path: Path, colors: str) -> None:
    path = tmp_path / "scan.xyz"
    path.write_text(f"0 0 0 {colors}\n1 0 0 {colors}\n")
    cloud = read_cloud(path)
    assert cloud.normals is None
    (note,) = cloud.notes
    assert note.startswith("Columns 4 to 6 were left out: they are colors")


def test_columns_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("7 0 0 4 1 2 3\n8 0 4 0 4 5 6\n")
    np.save(tmp_path / "a.npy", np.loadtxt(tmp_path / "a.xyz"))
    for name in ("a.xyz", "a.npy"):
        cloud = read_cloud(tmp_path / name, "time, nx, ny, nz, x, y, z")
        np.testing.assert_array_equal(cloud.points, [[1, 2, 3], [4, 5, 6]])
        np.testing.assert_array_equal(cloud.normals, [[0, 0, 1], [0, 1, 0]])
        with pytest.raises(CloudError, match="which are 3, and the table has the shape"):
            read_cloud(tmp_path / name, "x,y,z")
    for columns, message in (("x,z", "must have x and y"), ("x,y,x", "x once"), ("x,y,nx", "ny")):
        with pytest.raises(CloudError, match=message):
            read_cloud(tmp_path / "a.xyz", columns)


def test_pts_files_have_intensities_and_colors(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text("2\n.5 1.25 -2 90 255 0 3\n3 4.5 5.75 91 2 0 3\n")
    cloud = read_cloud(tmp_path / "a.pts")
    np.testing.assert_array_equal(cloud.points, POINTS)
    assert cloud.normals is None
