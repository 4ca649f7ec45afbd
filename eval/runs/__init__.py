"""What every measured run needs: strict settings, a manifest, records."""

from __future__ import annotations

from eval.runs.command import StudyArguments
from eval.runs.config_file import check_keys, check_types, load_config
from eval.runs.manifest import (
    device_name,
    manifest,
    peak_rss_bytes,
    portable,
    write_json,
    write_text,
)
from eval.runs.records import Record, read_records, write_records

__all__ = [
    "Record",
    "StudyArguments",
    "check_keys",
    "check_types",
    "device_name",
    "load_config",
    "manifest",
    "peak_rss_bytes",
    "portable",
    "read_records",
    "write_json",
    "write_records",
    "write_text",
]
