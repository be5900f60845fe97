"""Made-up body model files lie with the tests of bodies; a recording of a walk serves several tests."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from biopose_sim.io.bvh import Bvh, read_bvh

_BODIES = Path(__file__).resolve().parents[1] / "bodies"
if str(_BODIES) not in sys.path:
    sys.path.append(str(_BODIES))


@pytest.fixture(scope="session")
def cmu_walk(test_data, tmp_path_factory) -> Bvh:
    """The take 02_01 of CMU."""
    path = tmp_path_factory.mktemp("cmu") / "02_01.bvh"
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        member = next(one for one in archive if one.name.split("/")[-1] == "02_01.bvh")
        path.write_bytes(archive.extractfile(member).read())
    return read_bvh(path)
