"""OpenSim's own pipelines through simulate, against the results that they ship."""

from __future__ import annotations

import pytest

from bench.simulate_cases import INVERSE_DYNAMICS, percent_of_peak, stage
from biopose_sim.errors import InputError
from biopose_sim.forces.existing import config_of_setup
from biopose_sim.forces.simulate import simulate
from biopose_sim.io import read_sto


@pytest.mark.parametrize("name", INVERSE_DYNAMICS)
def test_inverse_dynamics_is_that_of_the_pipeline(name, test_data, tmp_path):
    pipelines = test_data / "pipelines"
    setup, reference = INVERSE_DYNAMICS[name]
    config = config_of_setup(stage(pipelines, name, tmp_path) / setup, tmp_path / "simulation")
    done = simulate(config)
    ours = read_sto(config.folder / done.files["inverse_dynamics"])
    off = percent_of_peak(ours, read_sto(pipelines / name / "OutputReference" / reference))
    assert len(off) > 8
    assert max(off.values()) < 0.01  # percent


def test_a_setup_of_analyses_is_read(test_data, tmp_path):
    folder = stage(test_data / "pipelines", "Gait2392_Simbody", tmp_path)
    config = config_of_setup(folder / "setup_JointReaction.xml", tmp_path / "simulation")
    assert config.wanted == ("so", "jr")
    assert config.joints == ("ground_pelvis", "hip_r", "hip_l")
    assert (config.start, config.end, config.step, config.filter_hz, config.reserves) == (0.5, 2.0, 10, None, False)
    assert [path.name for path in config.force_sets] == ["gait2392_SO_weak_Residual_Actuators.xml"]


def test_other_files_are_no_setups(test_data, tmp_path):
    with pytest.raises(InputError, match="holds no InverseDynamicsTool"):
        config_of_setup(test_data / "pipelines" / "Gait2392_Simbody" / "subject01_walk1_grf.xml", tmp_path)
