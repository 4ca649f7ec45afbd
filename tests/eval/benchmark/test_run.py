"""Whole batches of methods that need no time: what is kept, what fails, what runs again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from eval.benchmark import run as module
from eval.benchmark.in_threads import Advanced, Ended, Started, in_threads
from eval.benchmark.run import BatchResult, run_batch
from eval.benchmark.settings import BatchRun
from eval.errors import MethodError
from eval.isolation import GuardedResult
from eval.runs import parse_settings, read_records
from geom_miner import GeomMinerError, read_mesh, write_mesh
from geom_miner.errors import SettingsError
from tests.eval.benchmark import fake_methods
from tests.shapes import sphere

pytest.importorskip("igl")
QUIET = Console(quiet=True)
FAKE = "tests.eval.benchmark.fake_methods"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells run in this process, and are counted; guarded processes have tests of their own."""
    made: list[str] = []

    def here(
        work: Callable[..., Any],
        arrays: Mapping[str, Any],
        facts: Mapping[str, Any],
        *,
        name: str,
        seconds: float,
        threads: int | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> GuardedResult:
        if work is module.reconstruct:
            made.append(f"{name} {facts['budget']['seconds']} {facts['seed']}")
        try:
            # Facts cross as JSON.
            arrays, found = work({}, json.loads(json.dumps(facts)), progress or (lambda *_: None))
        except GeomMinerError as error:
            raise MethodError(f"{name} failed: {error}") from error
        return GuardedResult(dict(arrays), json.loads(json.dumps(found)), 0.0, 0)

    monkeypatch.setattr(module, "run_guarded", here)
    return made


def batch_of(folder: Path, **changes: Any) -> BatchRun:
    source = folder / "ball.ply"
    if not source.is_file():
        write_mesh(source, sphere(2.0, (1, 2, 3), subdivisions=4))
    values: dict[str, Any] = {
        "shapes": [str(source)],
        "methods": [
            {
                "method": f"{FAKE}:SPHERE",
                "label": "good",
                "budgets": [{"seconds": 1}, {"seconds": 8}],
            },
            {"method": f"{FAKE}:RAISES", "label": "bad"},
        ],
        "points": {"count": 3000},
        "samples": 2000,
        "resolution": 32,
        "output": str(folder / "run"),
        **changes,
    }
    return parse_settings(BatchRun, values)


def test_every_cell_has_a_record_and_a_failure_is_a_sentence(
    calls: list[str], tmp_path: Path
) -> None:
    finished = run_batch(batch_of(tmp_path), console=QUIET)
    assert calls == ["good 1 0", "good 8 0", "bad None 0"]
    short, long, bad = finished.records
    assert bad["failure"] == "bad failed: the normals are missing; estimate them."
    assert "measures" not in bad
    mesh = read_mesh(finished.folder / long["mesh"])
    assert mesh.faces.shape == (5120, 3)
    errors = np.load(finished.folder / long["mesh"].replace(".ply", ".errors.npy"))
    assert errors.shape == (len(mesh.vertices),)
    # 8 seconds are eight times as good as one: 0.04 and 0.005 off the radius of 2.
    distances = [r["measures"]["chamfer_l1_triangles"] for r in (short, long)]
    assert distances == pytest.approx([0.04, 0.005], abs=0.002)
    assert long["timings"] == {"prepare": 0.25, "fit": 8, "mesh": 0.5, "total": 8.75}
    assert (long["parameters"], long["bytes"], long["notes"]) == (1000, 4000, ["Made up."])
    assert finished.manifest["config"]["shapes"] == [{"shape": "ball.ply"}]


def test_no_file_of_the_run_names_a_folder_of_the_machine(calls: list[str], tmp_path: Path) -> None:
    finished = run_batch(batch_of(tmp_path), console=QUIET)
    for name in ("records.jsonl", "manifest.json"):
        assert str(tmp_path) not in (finished.folder / name).read_text()


def test_a_rerun_measures_nothing_and_fresh_measures_all(calls: list[str], tmp_path: Path) -> None:
    run = batch_of(tmp_path)
    first = run_batch(run, console=QUIET)
    book = (first.folder / "records.jsonl").read_text()
    calls.clear()
    assert run_batch(run, console=QUIET).records == first.records
    assert calls == []
    assert (first.folder / "records.jsonl").read_text() == book
    run_batch(run, retry=True, console=QUIET)
    assert calls == ["bad None 0"]
    calls.clear()
    run_batch(run, fresh=True, console=QUIET)
    assert len(calls) == 3


def test_a_run_cut_short_goes_on(
    calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = batch_of(tmp_path)
    honest = module.run_guarded

    def interrupted(work: Any, arrays: Any, facts: Any, **more: Any) -> Any:
        if facts["budget"]["seconds"] == 8:
            raise KeyboardInterrupt
        return honest(work, arrays, facts, **more)

    monkeypatch.setattr(module, "run_guarded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_batch(run, console=QUIET)
    records = read_records(Path(run.output) / "records.jsonl")
    assert [r["cell"]["budget"]["seconds"] for r in records] == [1]
    # A line that was being written when the power went is no record.
    with (Path(run.output) / "records.jsonl").open("a") as book:
        book.write(json.dumps(records[0])[:50])
    monkeypatch.setattr(module, "run_guarded", honest)
    calls.clear()
    assert len(run_batch(run, console=QUIET).records) == 3
    assert calls == ["good 8 0", "bad None 0"]


def test_what_decides_a_cell_is_measured_anew(calls: list[str], tmp_path: Path) -> None:
    methods = [{"method": f"{FAKE}:SPHERE", "label": "good"}]

    def counted(**changes: Any) -> int:
        calls.clear()
        run_batch(batch_of(tmp_path, **{"methods": methods, **changes}), console=QUIET)
        return len(calls)

    assert counted() == 1
    assert counted(samples=2001) == 1
    assert counted(seeds=[0, 1]) == 1
    assert counted(points={"count": 3000, "noise": 0.01}) == 1
    assert counted(resolution=40) == 1
    # A label or a limit of time decides nothing.
    renamed = [{"method": f"{FAKE}:SPHERE", "label": "better"}]
    assert counted(methods=renamed, timeout=7.0) == 0
    # Another mesh under the same name, and a mesh that was deleted.
    write_mesh(tmp_path / "ball.ply", sphere(3.0))
    calls.clear()
    finished = run_batch(batch_of(tmp_path, methods=methods), console=QUIET)
    assert len(calls) == 1
    (finished.folder / finished.records[0]["mesh"]).unlink()
    assert counted() == 1


def test_clouds_are_judged_by_themselves_and_never_given_as_meshes(
    calls: list[str], tmp_path: Path
) -> None:
    cloud = tmp_path / "scan.xyz"
    np.savetxt(cloud, sphere(2.0, subdivisions=4).vertices)
    methods = [
        {"method": f"{FAKE}:SPHERE", "label": "from points"},
        {"method": f"{FAKE}:SPHERE", "label": "from the mesh", "input": "mesh"},
    ]
    finished = run_batch(
        batch_of(tmp_path, shapes=[{"cloud": str(cloud)}], methods=methods), console=QUIET
    )
    (record,) = finished.records
    # Drawn points are apart from the scan's by more than the 0.04 between the surfaces.
    assert 0.04 < record["measures"]["one_sided_scan_chamfer"] < 0.15
    assert "chamfer_l1" not in record["measures"]


def test_a_crash_in_a_real_process_is_a_row(tmp_path: Path) -> None:
    methods = [
        {"method": f"{FAKE}:CRASHES", "label": "crash"},
        {"method": f"{FAKE}:SPHERE", "label": "good"},
    ]
    finished: BatchResult = run_batch(batch_of(tmp_path, methods=methods, jobs=2), console=QUIET)
    crash, good = finished.records
    assert crash["failure"] == "crash crashed (SIGABRT)."
    assert good["failure"] is None
    assert {r["jobs"] for r in finished.records} == {2}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"method": "nothing"}, "method must be one of"),
        ({"method": f"{FAKE}:NOTHING"}, "there is no method"),
        ({"method": f"{FAKE}:SPHERE", "preset": "large"}, "no preset 'large'; there are compact"),
        ({"method": f"{FAKE}:POINTS_ONLY", "input": "mesh"}, "cannot be given mesh"),
    ],
)
def test_what_can_be_known_to_be_wrong_stops_before_anything_runs(
    calls: list[str], tmp_path: Path, method: dict, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taker = fake_methods.Sphere(takes=frozenset({"points"}))
    monkeypatch.setattr(fake_methods, "POINTS_ONLY", taker, raising=False)
    with pytest.raises((SettingsError, MethodError), match=words):
        run_batch(batch_of(tmp_path, methods=[method]), console=QUIET)
    assert calls == []


def test_events_come_in_order_and_errors_are_raised_here() -> None:
    def work(item: int, tell: Callable[[float], None]) -> int:
        if item == 3:
            raise KeyError(item)
        tell(0.5)
        return item * item

    events = list(in_threads(work, [1, 2], 1))
    assert events == [
        *(Started(1), Advanced(1, 0.5), Ended(1, 1)),
        *(Started(2), Advanced(2, 0.5), Ended(2, 4)),
    ]
    ended = {e.result for e in in_threads(work, [4, 5, 6, 7], 3) if isinstance(e, Ended)}
    assert ended == {16, 25, 36, 49}
    begun: list[int] = []
    with pytest.raises(KeyError):
        begun.extend(event.item for event in in_threads(work, [1, 3, 5], 1))
    assert 5 not in begun
