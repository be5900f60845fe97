"""Calling the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def command_line(*words: object) -> list[str]:
    return [sys.executable, "-m", "biopose_sim", *(str(word) for word in words)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def run_process(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Call the command in a process of its own."""
    return subprocess.run(
        command_line(*words), capture_output=True, text=True, timeout=300, cwd=cwd, env=environment(), check=False
    )
