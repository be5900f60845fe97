"""Muscles of the default model against Rajagopal2016: moment arms and lengths by OpenSim. ``biopose bench muscles``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases import data_folder
from biopose_sim.osim.parser import read_osim
from biopose_sim.osim.process import run_script
from biopose_sim.paths import default_model_path

REFERENCE = "Rajagopal2016.osim"
JOINTS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle")
LARGEST = 20
TARGET = 2.0  # [mm] RMS of the moment arms of the largest muscles
_SCRIPT = Path(__file__).with_name("_muscle_process.py")


@dataclass(frozen=True, eq=False)
class Comparison:
    """A muscle about a coordinate, in our model (row 0) and in the reference (row 1).

    Attributes:
        muscle: name.
        coordinate: name.
        force: maximum isometric force [N].
        angles: (n,) of the sweep [rad]; other coordinates are zero.
        lengths: (2, n) of muscle and tendon along the sweep [m].
        arms: (2, n) moment arms along the sweep [m].
        posed_arms: (2, m) moment arms in poses of all joints at once [m].
    """

    muscle: str
    coordinate: str
    force: float
    angles: np.ndarray
    lengths: np.ndarray
    arms: np.ndarray
    posed_arms: np.ndarray

    @property
    def rms(self) -> tuple[float, float, float]:
        """RMS difference [mm] of moment arm and length along the sweep, and of the moment arm in whole poses."""
        pairs = (self.arms, self.lengths, self.posed_arms)
        arm, length, posed = (1e3 * float(np.sqrt(np.mean((ours - theirs) ** 2))) for ours, theirs in pairs)
        return arm, length, posed


def compare(ours: Path, theirs: Path, *, values: int = 25, poses: int = 40, seed: int = 0) -> list[Comparison]:
    """Compare every muscle about each coordinate of the legs that it crosses in either model, the strongest first.

    Angles cover the range that the coordinate has in both models; a muscle or coordinate is found by its name.
    """
    ranges = _common_ranges(ours, theirs)
    sweeps = {name: np.linspace(*limits, values) for name, limits in ranges.items()}
    rng = np.random.default_rng(seed)
    whole = [{name: rng.uniform(*limits) for name, limits in ranges.items()} for _ in range(poses)]
    ran = [_run(path, sweeps, whole) for path in (ours, theirs)]
    found = []
    for name, angles in sweeps.items():
        for muscle in {**ran[0]["sweeps"][name], **ran[1]["sweeps"][name]}:
            (lengths, arms), (_, posed) = (
                np.array([one[kind][name][muscle] for one in ran]).swapaxes(0, 1) for kind in ("sweeps", "poses")
            )
            force = ran[1]["muscles"][muscle]
            found.append(Comparison(muscle, name, force, angles, lengths, arms, posed))
    return sorted(found, key=lambda c: (-c.force, c.muscle))


def _common_ranges(ours: Path, theirs: Path) -> dict[str, tuple[float, float]]:
    both = [{c.name: c.range for c in read_osim(path).coordinates} for path in (ours, theirs)]
    names = [f"{joint}_{side}" for side in "rl" for joint in JOINTS]
    return {n: (max(r[n][0] for r in both), min(r[n][1] for r in both)) for n in names}


def _run(model: Path, sweeps: dict[str, np.ndarray], poses: list[dict[str, float]]) -> dict[str, Any]:
    coupled: dict[str, list[str]] = {}
    for coupler in read_osim(model).couplers:
        coupled.setdefault(coupler.independents[0], []).append(coupler.dependent)
    lists = {name: values.tolist() for name, values in sweeps.items()}
    with tempfile.TemporaryDirectory(prefix="biopose-") as folder:
        job = {"model": str(model.resolve()), "sweeps": lists, "poses": poses, "coupled": coupled}
        return run_script(_SCRIPT, job, Path(folder), subject=model, doing="moving its muscles", timeout=600.0)


def table(found: Sequence[Comparison]) -> list[str]:
    """Lines of a table: a muscle about a joint with the RMS differences [mm], the worse of both sides."""
    sides: dict[tuple[str, str], list[Comparison]] = {}
    for c in found:
        sides.setdefault((c.muscle[:-2], c.coordinate[:-2]), []).append(c)
    head = f"{'muscle':12}{'force':>8} {'joint':16}{'largest arm':>12}{'RMS arm':>12}{'RMS length':>12}"
    lines = [f"{head}{'RMS arm, poses':>16}  [N, mm]"]
    for (muscle, joint), both in sides.items():
        reach = 1e3 * max(np.abs(c.arms[1]).max() for c in both)
        rms = np.max([c.rms for c in both], axis=0)
        cells = "".join(f"{value:>{width}.5f}" for value, width in zip(rms, (12, 12, 16)))
        lines.append(f"{muscle:12}{both[0].force:8.0f} {joint:16}{reach:12.1f}{cells}")
    return lines


def strongest(found: Sequence[Comparison], count: int = LARGEST) -> list[str]:
    """Names, without the side, of the muscles of largest isometric force."""
    return list(dict.fromkeys(c.muscle[:-2] for c in found))[:count]


def write_plots(found: Sequence[Comparison], folder: Path) -> list[Path]:
    """Write a picture per joint: moment arms of the strongest right muscles that cross it, ours on the reference's."""
    from biopose_sim.viz.style import house_style, new_figure

    folder.mkdir(parents=True, exist_ok=True)
    names, paths = strongest(found), []
    for joint in JOINTS:
        shown = [c for c in found if c.coordinate == f"{joint}_r" and c.muscle[:-2] in names]
        if not shown:
            continue
        columns = min(4, len(shown))
        rows = -(-len(shown) // columns)
        with house_style():
            figure = new_figure(2.3 * columns, 1.75 * rows + 0.5)
            panels = figure.subplots(rows, columns, squeeze=False, sharex=True)
            for axes, c in zip(panels.flat, shown):
                _panel(axes, c)
            for axes in panels.flat[len(shown) :]:
                axes.set_visible(False)
            for axes in panels.flat[len(shown) - columns : len(shown)]:
                axes.tick_params(labelbottom=True)
            figure.supxlabel(f"{joint} [deg]")
            figure.supylabel("moment arm [mm]")
            handles, labels = panels.flat[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=2)
            paths.append(folder / f"moment_arms_{joint}.png")
            figure.savefig(paths[-1], dpi=110)
    return paths


def _panel(axes: Any, c: Comparison) -> None:
    from biopose_sim.viz.style import REFERENCE as GREY
    from biopose_sim.viz.style import RIGHT

    angles = np.degrees(c.angles)
    axes.plot(angles, 1e3 * c.arms[1], color=GREY, linewidth=4.0, alpha=0.5, label=Path(REFERENCE).stem)
    axes.plot(angles, 1e3 * c.arms[0], color=RIGHT, linewidth=1.2, label=default_model_path().stem)
    axes.set_title(c.muscle[:-2])


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench muscles``."""
    parser = argparse.ArgumentParser("biopose bench muscles", description=__doc__)
    parser.add_argument("--model", type=Path, default=default_model_path(), help="instead of the default model")
    parser.add_argument("--values", type=int, default=25, help="angles over the range of a coordinate")
    parser.add_argument("--poses", type=int, default=40, help="random poses of both legs' joints at once")
    parser.add_argument("--seed", type=int, default=0, help="of the poses")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write pictures of the moment arms there")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    reference = data_folder(options.data) / "models" / REFERENCE
    found = compare(options.model, reference, values=options.values, poses=options.poses, seed=options.seed)
    print("\n".join(table(found)))
    large = [c for c in found if c.muscle[:-2] in strongest(found)]
    for what, chosen in ((f"the {LARGEST} largest muscles", large), (f"all {len({c.muscle for c in found})}", found)):
        arm, length, posed = np.max([c.rms for c in chosen], axis=0)
        print(f"{what}: largest RMS difference of a moment arm {max(arm, posed):.5f} mm, of a length {length:.5f} mm")
    arm = max(max(c.rms[0], c.rms[2]) for c in large)
    print(f"target for the {LARGEST} largest: {TARGET:g} mm, {'met' if arm <= TARGET else 'missed'}")
    if options.plots:
        print("\n".join(str(path) for path in write_plots(found, options.plots)))


if __name__ == "__main__":
    main()
