"""The public surface, frozen: a change here is a change for every user and belongs into the changelog."""

from __future__ import annotations

import inspect

import pytest

import biopose_sim as bp

NAMES = {
    "__version__",
    "bodies",
    "check",
    "check_files",
    "forces",
    "gait",
    "estimate_ground_reaction",
    "simulate",
    "SimulationConfig",
    "BioposeError",
    "FitConfig",
    "FitResult",
    "IKConfig",
    "InputError",
    "KinematicsResult",
    "NeurIK",
    "OsimModel",
    "Trial",
    "export_osim",
    "fit",
    "ik",
    "io",
    "kinematics",
    "neurik",
    "osim",
    "solve_ik",
    "video",
    "viz",
    "Lifter",
    "refine_joint",
}
# Parameters, with * before those that only a name reaches and = after those that may be left out.
SIGNATURES = {
    "OsimModel.from_file": "path",
    "OsimModel.forward": "self q scales= marker_offsets=",
    "OsimModel.scale": "self scales marker_offsets=",
    "solve_ik": "model trial config=",
    "fit": "model trials config=",
    "export_osim": "model path *mass= *unlock= *name= *motions=",
    "simulate": "config *resume= *tell=",
    "estimate_ground_reaction": "model motion *cutoff_hz= *impact_hz= *mass=",
    "check_files": "paths tell=",
    "io.read_trc": "path",
    "io.read_c3d": "path *up= *keep_prefix=",
    "io.read_trial": "path",
    "io.write_trc": "path trial units=",
    "io.read_mot": "path motion_types=",
    "io.write_mot": "path motion in_degrees=",
    "io.read_sto": "path *unique=",
    "bodies.load": "path *fps= *track= *frame= *upright= *action=",
    "bodies.load_all": "path *fps= *frame= *upright=",
    "bodies.tracks": "path",
    "bodies.save_sequence": "sequence path",
    "viz.write_report": "path *title *model *results *trials= *truth= *scales= *true_scales= *notes= *sections= "
    "*subject= *qualities= *simulations= *events= *known= *video=",
    "Lifter.from_pretrained": "name=",
    "Lifter.lift": "self key_points camera *stature= *up=",
    "refine_joint": "estimate config=",
}
FIELDS = {
    "IKConfig": "weights default_weight coordinate_targets smoothness prior continuity free respect_ranges "
    "max_iterations tolerance threads engine device",
    "KinematicsResult": "name time coordinates coordinate_names motion_types marker_names marker_weights model_markers "
    "marker_errors converged iterations sensitivity free warnings",
    "bodies.BodySequence": "name body time rotations translation shape gender to_ground seen vertices topology "
    "source assumptions relaxed_hands",
    "Trial": "name time markers marker_names source nominal_rate force_plates analog",
}


def find(name: str):
    found = bp
    for part in name.split("."):
        found = getattr(found, part)
    return found


def written(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else ""
    return star + parameter.name + ("" if parameter.default is inspect.Parameter.empty else "=")


def test_names():
    assert set(bp.__all__) == NAMES
    assert set(dir(bp)) >= NAMES
    for name in NAMES:
        assert getattr(bp, name) is not None


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    parameters = inspect.signature(find(name)).parameters.values()
    assert " ".join(written(p) for p in parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name):
    assert " ".join(inspect.signature(find(name)).parameters) == FIELDS[name]


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_everything_public_is_documented(name):
    if inspect.ismodule(find(name)):
        return
    assert (find(name).__doc__ or "").strip()


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bp.nothing
