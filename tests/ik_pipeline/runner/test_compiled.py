"""A process knows which kernels it compiled itself: those that the cache could have held."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

from ik_pipeline.runner.compiled import compiling

REPOSITORY = Path(__file__).resolve().parents[3]
KERNELS = """
import numba

@numba.njit(cache=True)
def kept(x):
    return 2.0 * x

@numba.njit
def not_kept(x):
    return 3.0 * x
"""
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from ik_pipeline.runner.compiled import compiling
import kernels_of_a_test as kernels
with compiling() as names:
    kernels.kept(1.0), kernels.not_kept(1.0)
print(names)
"""


def test_only_what_the_cache_lacked_counts(tmp_path, monkeypatch):
    (tmp_path / "kernels_of_a_test.py").write_text(KERNELS)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    said = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)]
    assert [done.stdout.strip() for done in said] == ["['kept']", "[]"]
    monkeypatch.syspath_prepend(tmp_path)
    kernels = importlib.import_module("kernels_of_a_test")
    with compiling() as names:
        kernels.kept(1)  # another type: compiled anew
    assert names == ["kept"]
