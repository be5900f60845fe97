"""Pictures of simulations: over strides or over time, with what is to be said of estimates."""

from __future__ import annotations

import numpy as np
import pytest
from simulation_folders import TIME, wave, write_simulation

from biopose_sim.forces.results import ESTIMATED, Results
from biopose_sim.gait.types import Cycle, GaitEvents
from biopose_sim.viz.force_panels import Curve, Panel, draw_panels, over_strides
from biopose_sim.viz.force_plots import force_figures, write_force_plots
from biopose_sim.viz.muscle_groups import GROUPS, muscle_groups


def events(*cycles: Cycle) -> GaitEvents:
    none = {"r": np.empty(0), "l": np.empty(0)}
    return GaitEvents(none, none, cycles, "walking", "kinematics")


STRIDES = events(*(Cycle(side, start, start + 0.6, start + 1.0) for start in (0.0, 0.95) for side in "rl"))


def test_strides_are_averaged():
    curve = Curve("r", TIME, wave() * np.where(TIME < 1.0, 1.0, 3.0))
    strides = over_strides(curve, events(Cycle("r", 0.0, 0.6, 1.0), Cycle("r", 1.0, 1.64, 2.0)))
    assert strides is not None
    assert strides.values.shape == (2, 101)
    assert strides.whole
    assert strides.foot_off == pytest.approx(62.0)
    assert strides.mean[25] == pytest.approx(2.0)
    assert strides.sd[25] == pytest.approx(np.sqrt(2.0))


def test_part_of_a_stride_is_drawn_where_there_is_no_whole_one():
    curve = Curve("r", TIME, wave())
    strides = over_strides(curve, events(Cycle("r", 1.5, 2.1, 2.5), Cycle("l", 0.0, 0.6, 1.0)))
    assert strides is not None
    assert not strides.whole
    assert np.isfinite(strides.mean[:50]).all()
    assert np.isnan(strides.mean[52:]).all()
    assert over_strides(curve, events(Cycle("r", 1.9, 2.5, 2.9))) is None
    assert over_strides(curve, None) is None


@pytest.mark.parametrize(("strides", "label"), [(STRIDES, "Gait cycle [%]"), (None, "Time [s]")])
def test_curves_run_over_the_stride_or_over_time(strides, label):
    panel = Panel("Hip", (Curve("r", TIME, wave()), Curve("l", TIME, wave(0.5))))
    figure = draw_panels("Moments", [panel], strides, columns=1)
    assert figure.axes[0].get_xlabel() == label


def test_muscles_of_the_usual_models_are_found():
    names = {
        "Rajagopal2016": ["glmax1_r", "glmed3_r", "glmin2_r", "psoas_r", "recfem_r", "vaslat_r", "semimem_r", "bflh_r",
                          "bfsh_r", "gasmed_r", "soleus_r", "tibant_r", "addmagDist_r"],
        "Gait2392": ["glut_max1_r", "glut_med3_r", "glut_min2_r", "iliacus_r", "rect_fem_r", "vas_lat_r", "semiten_r",
                     "bifemlh_r", "bifemsh_r", "med_gas_r", "soleus_r", "tib_ant_r", "add_long_r"],
    }  # fmt: skip
    for given in names.values():
        found = muscle_groups(given)
        assert set(found) == {title for title, _ in GROUPS}
        assert sum(len(muscles) for sides in found.values() for muscles in sides.values()) == len(given)
    assert muscle_groups(["hamstrings_l", "glut_max_l", "iliopsoas_l", "vasti_l", "gastroc_l"]).keys() == {
        "Hamstrings", "Gluteus maximus", "Iliopsoas", "Vasti", "Gastrocnemius",
    }  # fmt: skip


def test_pictures_of_all_that_was_simulated(tmp_path):
    pictures = write_force_plots(tmp_path, write_simulation(tmp_path), STRIDES)
    assert [path.stem for path in pictures] == [
        "moments", "moments_all", "ground_reaction", "muscle_forces", "muscle_activations", "joint_reactions",
        "residuals",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_every_picture_of_an_estimate_says_so(tmp_path):
    results = Results(tmp_path, write_simulation(tmp_path, "estimated"))
    figures = dict(force_figures(results, None))
    assert len(figures) == 7
    for name, figure in figures.items():
        assert ESTIMATED in [text.get_text() for text in figure.texts], name


def test_what_was_not_simulated_has_no_picture(tmp_path):
    results = Results(tmp_path, write_simulation(tmp_path, None, forces=False))
    assert [name for name, _ in force_figures(results, None)] == ["moments", "moments_all", "residuals"]


def test_braking_and_lateral_forces_have_their_sign(tmp_path):
    """The right foot is pushed forward along the walk; its panel says so, and the walk gives the direction."""
    results = Results(tmp_path, write_simulation(tmp_path, forces=False))
    figure = dict(force_figures(results, None))["ground_reaction"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    forward = figure.axes[titles.index("Forward +, braking −")]
    assert max(np.asarray(line.get_ydata()).max() for line in forward.lines[:2]) == pytest.approx(
        80.0 / results.body_weight
    )
