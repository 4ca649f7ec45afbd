"""What the sources must not do, wherever they stand: unpickle, evaluate text, print around."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for package in ("geom_miner", "eval", "pipelines")
    for path in sorted((ROOT / package).rglob("*.py"))
]
# Where the terminal's own classes are made.
THE_TERMINAL = {ROOT / "geom_miner" / "terminal.py"}
# Modules that unpickle, and functions that may: a model or a cloud can be anybody's.
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    r"torch\.(load|jit\.load|hub\..*)": "torch.load unpickles; use safetensors",
    r"(np|numpy)\.(load|lib\.format\.read_array)": "give allow_pickle=False",
    r"yaml\.(load|full_load|unsafe_load|load_all)": "use the safe loader",
    r"(builtins\.)?(eval|exec|compile|__import__)": "text from files is never code",
    r"os\.(system|popen)|subprocess\.getoutput": "no shell",
    r"tempfile\.mktemp": "a name that another user can take first",
    r"urllib\.request\.(urlopen|urlretrieve)": "use eval.shapes.download.fetch: http(s) only",
    r"(\w+\.)?extractall|tarfile\.\w+\.extract": "use eval.shapes.unpack: within limits",
    r"(rich\.console\.)?Console|Text\.from_markup|TextColumn": "use geom_miner.terminal",
}


def faults(source: str) -> list[str]:
    """What a module does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or ""
            names = {module.partition(".")[0], *(alias.name for alias in node.names)}
            found += [f"imports {name}" for name in sorted(names & UNPICKLING)]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {word.arg: ast.unparse(word.value) for word in node.keywords}
            for pattern, reason in FORBIDDEN_CALLS.items():
                if re.fullmatch(pattern, name) and options.get("allow_pickle") != "False":
                    found.append(f"{name}: {reason}")
            if options.get("allow_pickle") == "True" or options.get("shell") == "True":
                found.append(f"{name}: no pickle and no shell")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_unpickles_evaluates_or_prints_around_the_terminal(path: Path) -> None:
    if path not in THE_TERMINAL:
        assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from torch import package, pickle",
        "import torch\ntorch.load('a.pt', weights_only=True)",
        "import numpy as np\nnp.load('a.npy')",
        "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "import tempfile\ntempfile.mktemp()",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "tar.extractall(folder)",
        "Console().print(name)",
        "urllib.request.urlopen(address)",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert faults(source)


def test_the_search_allows_what_is_safe() -> None:
    assert faults("import numpy as np\nnp.load('a.npy', allow_pickle=False)\nmodel.eval()") == []
