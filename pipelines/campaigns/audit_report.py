"""What an audit of the requirements has found, and how many of them it could look up at all.

``python -m pipelines.campaigns.audit_report build/audit.json`` reads what ``pip-audit`` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from eval.report import Column, Table
from geom_miner.command_line import run_command
from geom_miner.errors import GeomMinerError


class AuditFailed(GeomMinerError):
    """Vulnerabilities were found, or could not be looked up."""


@dataclass(frozen=True)
class Audit:
    """Requirements that were looked up and not, and what is known against them."""

    looked_up: tuple[str, ...]
    skipped: tuple[str, ...]
    known: tuple[tuple[str, str, str], ...]
    """Requirement, name of the vulnerability, and the versions that mend it."""

    @classmethod
    def read(cls, path: Path) -> Audit:
        """The audit in a file; one of no requirement where the file is missing or empty."""
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        entries: list[dict[str, Any]] = json.loads(text)["dependencies"] if text else []
        known = [
            (f"{entry['name']} {entry['version']}", found["id"], " or ".join(found["fix_versions"]))
            for entry in entries
            for found in entry.get("vulns", ())
        ]
        return cls(
            tuple(entry["name"] for entry in entries if "skip_reason" not in entry),
            tuple(entry["name"] for entry in entries if "skip_reason" in entry),
            tuple(known),
        )

    def check(self) -> str:
        """A sentence if all is well.

        Raises
        ------
        AuditFailed
            There are vulnerabilities, or nothing could be looked up.
        """
        if not self.looked_up:
            raise AuditFailed(
                "vulnerabilities were NOT looked up: the vulnerability service does not answer, or "
                "knows none of the requirements; run `make audit` again with a network"
            )
        total = len(self.looked_up) + len(self.skipped)
        scope = f"{len(self.looked_up)} of {total} requirements were looked up"
        if self.known:
            raise AuditFailed(
                f"{scope}, {len(self.known)} vulnerabilities are known; take the versions of the "
                "table into requirements.lock"
            )
        return f"{scope}, no vulnerability is known." + (
            f" Not looked up: {', '.join(self.skipped)}." if self.skipped else ""
        )


def main(arguments: Sequence[str]) -> int:
    """Print the audit that a file holds; returns the exit status."""

    def work(console: Console) -> None:
        audit = Audit.read(Path(arguments[0]))
        if audit.known:
            titles = ("requirement", "vulnerability", "mended in")
            columns: list[Column[tuple[str, str, str]]] = [
                Column(title, lambda row, at=at: row[at], left=True)  # type: ignore[misc]
                for at, title in enumerate(titles)
            ]
            console.print(Table(columns, audit.known).rich())
        console.print(audit.check(), soft_wrap=True)

    return run_command(work)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
