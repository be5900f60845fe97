"""Measured ground reaction: files of external loads, tables, force plates, and which foot stood where."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.forces.assignment import misplaced
from biopose_sim.forces.loads import read_grf_mot, read_loads, write_ground_reaction
from biopose_sim.forces.plates import reaction_from_plates
from biopose_sim.io import ForcePlate, Motion, Table, read_c3d, read_mot, read_sto, write_sto
from biopose_sim.kinematics.model import OsimModel

RATE = 100.0


@pytest.fixture(scope="module")
def folder(test_data):
    return test_data / "opencap_lab_subject4"


@pytest.fixture(scope="module")
def model(folder):
    return OsimModel.from_file(folder / "Models/manually_scaled.osim")


@pytest.fixture(scope="module")
def walk(folder, model):
    types = dict(zip(model.coordinate_names, model.motion_types))
    return read_mot(folder / "IK/walking1_manual_scaling_ik.mot", types)


@pytest.fixture(scope="module")
def table(folder):
    return read_sto(folder / "ID/walking1_grf.mot")


def plates_from(table, offset=(0.0, 0.0, 0.0), rates=(RATE, RATE)):
    """The force plates that would have measured a table: level, at height 0, moments about their centres."""
    plates = []
    for number, rate in enumerate(rates, 1):
        force, point, free = (
            table.columns([f"ground_force_{number}_{what}{a}" for a in "xyz"]) for what in ("v", "p", "m")
        )
        force = force * (table.time < 0.9)[:, None] if number == 1 else force  # the right foot's first step
        loaded = force[:, 1] > 20.0
        low, high = point[loaded].min(axis=0) - 0.1, point[loaded].max(axis=0) + 0.1
        corners = np.array([[low[0], 0, low[2]], [high[0], 0, low[2]], [high[0], 0, high[2]], [low[0], 0, high[2]]])
        moments = np.cross(point - corners.mean(axis=0), force) + free
        times = np.arange(table.time[0], table.time[-1] + 1e-9, 1.0 / rate)
        force, moments = (
            np.stack([np.interp(times, table.time, column) for column in values.T], axis=1)
            for values in (force, moments)
        )
        plates.append(ForcePlate(2, corners, np.zeros(3), rate, float(table.time[0]), force + offset, moments))
    return plates


@pytest.mark.parametrize(
    ("xml", "right", "peaks"),
    [
        ("Rajagopal/ID/grf_walk.xml", "ground_force_r_v", (943, 931)),
        ("Hamner/External_Loads.xml", "ground_force_v", (1574, 1618)),
        ("Gait2354_Simbody/subject01_walk1_grf.xml", "ground_force_v", (805, 811)),
    ],
)
@pytest.mark.filterwarnings("ignore::biopose_sim.io.BioposeWarning")
def test_opensims_own_loads(test_data, xml, right, peaks):
    reaction = read_loads(test_data / "pipelines" / xml)
    assert [foot.body for foot in reaction.feet] == ["calcn_r", "calcn_l"]
    assert reaction.origin == "measured"
    for foot, peak in zip(reaction.feet, peaks):
        assert foot.force[:, 1].max() == pytest.approx(peak, abs=1.0)
    datafile = re.search(r"<datafile>(.*?)</datafile>", (test_data / "pipelines" / xml).read_text()).group(1).strip()
    table = read_sto((test_data / "pipelines" / xml).parent / datafile, unique=False)
    assert reaction.feet[0].force == pytest.approx(table.columns([f"{right}{a}" for a in "xyz"]))


def test_forces_on_one_body_are_added(folder, table):
    reaction = read_loads(folder / "ID/walking1_external_forces.xml")
    (foot,) = reaction.feet
    parts = [table.columns([f"ground_force_{n}_v{a}" for a in "xyz"]) for n in (1, 2)]
    points = [table.columns([f"ground_force_{n}_p{a}" for a in "xyz"]) for n in (1, 2)]
    free = [table.columns([f"ground_force_{n}_m{a}" for a in "xyz"]) for n in (1, 2)]
    assert foot.force == pytest.approx(sum(parts))
    about_origin = sum(np.cross(p, f) + m for p, f, m in zip(points, parts, free))
    assert np.cross(foot.point, foot.force) + foot.torque == pytest.approx(about_origin, abs=1e-9)
    assert any("added" in note for note in reaction.notes)


@pytest.mark.filterwarnings("ignore::biopose_sim.io.BioposeWarning")
@pytest.mark.parametrize("name", ["Rajagopal/ExpData/grf_run.mot", "Hamner/subject02_running_grf.mot"])
def test_a_table_says_its_feet(test_data, name):
    reaction = read_grf_mot(test_data / "pipelines" / name)
    assert [foot.body for foot in reaction.feet] == ["calcn_r", "calcn_l"]
    assert any("right foot" in note for note in reaction.notes)
    assert np.abs(reaction.feet[0].torque).max() > 5.0


def test_numbered_plates_go_to_the_feet_that_stood_on_them(folder, model, walk, table):
    with pytest.raises(InputError, match="does not say which foot"):
        read_grf_mot(folder / "ID/walking1_grf.mot")
    reaction = read_grf_mot(folder / "ID/walking1_grf.mot", model, walk)
    for body, plate in (("calcn_r", 1), ("calcn_l", 2)):
        foot = next(f for f in reaction.feet if f.body == body)
        measured = table.column(f"ground_force_{plate}_vy")
        assert foot.force[:, 1] == pytest.approx(np.where(measured > 20.0, measured, 0.0))


def test_what_is_written_is_read_again_and_by_opensim(folder, model, walk, tmp_path):
    opensim = pytest.importorskip("opensim")
    opensim.Logger.removeFileSink()
    reaction = replace(read_grf_mot(folder / "ID/walking1_grf.mot", model, walk), origin="estimated", source="a--b")
    (tmp_path / "x").mkdir()
    mot, xml = tmp_path / "grf.mot", tmp_path / "x/loads.xml"
    write_ground_reaction(reaction, mot, xml)
    again = read_loads(xml)
    assert again.origin == "estimated"
    assert "estimated" in mot.read_text().splitlines()[0]
    assert "estimated" in xml.read_text().split("<objects>")[0]
    for before, after in zip(reaction.feet, again.feet):
        for what in ("force", "point", "torque"):
            assert getattr(after, what) == pytest.approx(getattr(before, what), abs=1e-9)
    loads = opensim.ExternalLoads(str(xml), True)
    assert loads.getSize() == 2
    assert loads.getDataFileName() == "../grf.mot"
    assert loads.get(1).get_applied_to_body() == "calcn_l"
    assert opensim.Storage(str(mot)).getSize() == len(reaction.time)


def test_plates_give_back_what_they_measured(model, walk, table):
    reaction = reaction_from_plates(plates_from(table), model, walk)
    assert reaction.origin == "measured"
    for body, plate in (("calcn_r", 1), ("calcn_l", 2)):
        foot = next(f for f in reaction.feet if f.body == body)
        loaded = (table.column(f"ground_force_{plate}_vy") > 25.0) & ((plate == 2) | (table.time < 0.9))
        force, point = (table.columns([f"ground_force_{plate}_{w}{a}" for a in "xyz"]) for w in ("v", "p"))
        assert foot.force[loaded] == pytest.approx(force[loaded], abs=1e-6)
        assert foot.point[loaded][:, [0, 2]] == pytest.approx(point[loaded][:, [0, 2]], abs=0.003)
        assert np.isfinite(foot.point).all()


def test_an_offset_is_taken_off_and_clocks_become_one(model, walk, table):
    offset = np.array([3.0, 6.0, -4.0])
    clean = reaction_from_plates(plates_from(table), model, walk)
    reaction = reaction_from_plates(plates_from(table, offset, (RATE, 10 * RATE)), model, walk)
    assert any("unloaded are taken off" in note for note in reaction.notes)
    assert len(reaction.time) == pytest.approx(10 * len(clean.time), abs=10)
    left = reaction.foot("l").force[::10][: len(clean.time)]
    assert left == pytest.approx(clean.foot("l").force, abs=1.0)


def test_two_plates_under_one_foot_add_up(model, walk, table):
    halves = [replace(p, forces=0.5 * p.forces, moments=0.5 * p.moments) for p in plates_from(table)]
    whole = reaction_from_plates(plates_from(table), model, walk)
    reaction = reaction_from_plates([*halves, *halves], model, walk)
    steady = whole.foot("l").force[:, 1] > 100.0
    assert reaction.foot("l").force[steady] == pytest.approx(whole.foot("l").force[steady])
    assert reaction.foot("l").point[steady] == pytest.approx(whole.foot("l").point[steady])


def test_both_feet_on_one_plate_are_refused(folder, model):
    types = dict(zip(model.coordinate_names, model.motion_types))
    squat = read_mot(folder / "IK/squats1_manual_scaling_ik.mot", types)
    corners = np.array([[-0.6, 0, -1.0], [0.3, 0, -1.0], [0.3, 0, -0.2], [-0.6, 0, -0.2]])
    count = len(squat.time)
    forces = np.tile([0.0, 600.0, 0.0], (count, 1))
    plate = ForcePlate(2, corners, np.zeros(3), RATE, float(squat.time[0]), forces, np.zeros((count, 3)))
    with pytest.raises(InputError, match="both feet stand on force plate 1"):
        reaction_from_plates([plate], model, squat)


FEET = """<OpenSimDocument Version="40000"><Model name="feet"><BodySet><objects>{bodies}</objects></BodySet>
<JointSet><objects>{joints}</objects></JointSet></Model></OpenSimDocument>"""
FOOT = '<Body name="calcn_{s}"><mass>1</mass><mass_center>0 0 0</mass_center><inertia>1 1 1 0 0 0</inertia></Body>'
JOINT = """<FreeJoint name="j_{s}"><socket_parent_frame>/ground</socket_parent_frame>
<socket_child_frame>/bodyset/calcn_{s}</socket_child_frame><coordinates>{coordinates}</coordinates></FreeJoint>"""


def test_a_real_c3d_goes_to_the_feet_that_its_markers_show(test_data, tmp_path):
    """Two free feet follow heel and toe markers of a Plug-in-Gait recording; each steps on one plate."""
    trial = read_c3d(test_data / "c3d/PiG_Motion-FlatFoot-Full.c3d")
    path = tmp_path / "feet.osim"
    names = {s: [f"{s}_{c}" for c in ("rx", "ry", "rz", "tx", "ty", "tz")] for s in "rl"}
    joints = [JOINT.format(s=s, coordinates="".join(f'<Coordinate name="{n}"/>' for n in names[s])) for s in "rl"]
    path.write_text(FEET.format(bodies="".join(FOOT.format(s=s) for s in "rl"), joints="".join(joints)))
    feet = OsimModel.from_file(path)
    values = np.zeros((len(trial.time), 12))
    for start, side in ((0, "R"), (6, "L")):
        heel, toe = (trial.markers[:, trial.marker_names.index(f"{side}{what}")] for what in ("HEE", "TOE"))
        ahead = toe - heel
        values[:, start + 1] = np.arctan2(-ahead[:, 2], ahead[:, 0])
        values[:, start + 2] = np.arctan2(ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
        values[:, start + 3 : start + 6] = heel
    order = [*names["r"], *names["l"]]
    kinds = tuple("translational" if n[2] == "t" else "rotational" for n in order)
    seen = np.isfinite(values).all(axis=1)
    motion = Motion("steps", trial.time[seen], values[seen], tuple(order), kinds)
    reaction = reaction_from_plates(trial.force_plates, feet, motion)
    on = [reaction.time[foot.force[:, 1] > 100.0][[0, -1]] for foot in reaction.feet]
    steps = sorted([(2.55, 3.16), (3.05, 3.66)])
    assert sorted(tuple(span) for span in on) == [pytest.approx(step, abs=0.1) for step in steps]
    for foot in reaction.feet:
        assert foot.force[:, 1].max() > 450.0
        index = feet.body_names.index(foot.body)
        middle = reaction.time[np.argmax(foot.force[:, 1])]
        k = int(np.argmin(np.abs(motion.time - middle)))
        place = foot.point[np.argmax(foot.force[:, 1])]
        assert np.linalg.norm((motion.coordinates[k, [3, 5] if index == 0 else [9, 11]]) - place[[0, 2]]) < 0.25


def test_swapped_feet_are_noticed(folder, model, walk):
    reaction = read_grf_mot(folder / "ID/walking1_grf.mot", model, walk)
    assert misplaced(reaction, model, walk) == ()
    right, left = reaction.feet
    swapped = replace(reaction, feet=(replace(right, body="calcn_l"), replace(left, body="calcn_r")))
    said = misplaced(swapped, model, walk)
    assert len(said) == 2
    assert "swapped" in said[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d * 1e-3, "give newtons"),
        (lambda d: d * 1e3, "give newtons"),
        (lambda d: np.where(np.arange(len(d))[:, None] == 50, np.nan, d), "not a number"),
    ],
)
def test_garbage_forces_are_refused(table, tmp_path, change, message):
    names = tuple(n.replace("force_1", "force_r").replace("force_2", "force_l") for n in table.names)
    data = table.data.copy()
    columns = [i for i, n in enumerate(names) if re.search(r"_v[xyz]$", n)]
    data[:, columns] = change(data[:, columns])
    write_sto(tmp_path / "g.mot", Table("g", table.time, names, data))
    with pytest.raises(InputError, match=message):
        read_grf_mot(tmp_path / "g.mot")


def test_points_in_millimetres_are_refused(table, tmp_path):
    names = tuple(n.replace("force_1", "force_r").replace("force_2", "force_l") for n in table.names)
    data = table.data.copy()
    columns = [i for i, n in enumerate(names) if re.search(r"_p[xyz]$", n)]
    data[:, columns] *= 1e3
    write_sto(tmp_path / "g.mot", Table("g", table.time, names, data))
    with pytest.raises(InputError, match="give metres, not millimetres"):
        read_grf_mot(tmp_path / "g.mot")


def test_times_that_do_not_overlap_and_empty_plates_are_refused(model, walk, table):
    plates = plates_from(table)
    with pytest.raises(InputError, match="force and motion of the same recording"):
        reaction_from_plates([replace(p, start=100.0) for p in plates], model, walk)
    with pytest.raises(InputError, match="no foot steps on a plate"):
        reaction_from_plates([replace(p, forces=0 * p.forces) for p in plates], model, walk)
    with pytest.raises(InputError, match="has no force plates"):
        reaction_from_plates([], model, walk)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ground_force_1_v<", "ground_farce_1_v<", "fits 0 columns"),
        ("<force_expressed_in_body>ground", "<force_expressed_in_body>talus_r", "expressed in 'talus_r'"),
        ("<datafile>walking1_grf.mot", "<datafile>lost.mot", "which are not there"),
        ("<point_identifier>ground_force_1_p", "<point_identifier>", "names no point"),
    ],
)
def test_bad_loads_are_refused(folder, tmp_path, old, new, message):
    text = (folder / "ID/walking1_external_forces.xml").read_text()
    (tmp_path / "walking1_grf.mot").write_bytes((folder / "ID/walking1_grf.mot").read_bytes())
    assert old in text
    (tmp_path / "loads.xml").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_loads(tmp_path / "loads.xml")
