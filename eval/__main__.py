"""`python -m eval compare RECONSTRUCTION REFERENCE`: judge one file by another."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import tyro

from eval.compare import CompareSettings, compare, to_json, to_table
from geom_miner import GeomMinerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 after one sentence on the error stream."""
    settings = tyro.extras.subcommand_cli_from_dict(
        {"compare": CompareSettings}, prog="python -m eval", args=arguments
    )
    from rich.console import Console

    try:
        result = compare(settings)
    except GeomMinerError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    console = Console()
    if settings.json:
        console.out(to_json(result), highlight=False)
    else:
        console.print(to_table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
