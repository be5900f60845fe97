"""OpenSim's own pipelines through ``simulate``, against OpenSim. ``biopose bench simulate``."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.cases import data_folder
from bench.simulate_cases import (
    INVERSE_DYNAMICS,
    REACTION,
    STATIC,
    percent_of_peak,
    stage,
    stage_gait2392,
    tightened,
)
from biopose_sim.cli.console import print_table
from biopose_sim.forces import running
from biopose_sim.forces.existing import config_of_setup
from biopose_sim.forces.simulate import simulate
from biopose_sim.io import Table, read_sto, write_sto

SPAN = (0.5, 0.8)  # [s] of Gait2392 that the default run covers; --whole takes all of it
Row = tuple[str, str, str, str, str]
_STEP = 1e-5  # [s] beyond the last frame, so that OpenSim takes it


def inverse_dynamics(pipelines: Path, work: Path) -> list[Row]:
    """Against the results that the pipelines ship."""
    rows = []
    for name, (setup, reference) in INVERSE_DYNAMICS.items():
        folder = stage(pipelines, name, work)
        config = config_of_setup(folder / setup, work / "simulated" / name)
        simulation = simulate(config)
        ours = read_sto(config.folder / simulation.files["inverse_dynamics"])
        off = percent_of_peak(ours, read_sto(pipelines / name / "OutputReference" / reference))
        rows.append(_row(f"{name}: inverse dynamics", "shipped results", off))
    return rows


def muscles(pipelines: Path, work: Path, span: tuple[float, float]) -> list[Row]:
    """Gait2392: static optimization and joint reaction, against fresh runs of OpenSim with the shipped setups."""
    folder = stage_gait2392(pipelines, work)
    fresh = _opensim(folder, STATIC, span)
    tight = _opensim(folder, tightened(folder / STATIC).name, span)
    config = replace(config_of_setup(folder / REACTION, work / "simulated"), start=span[0], end=span[1])
    start = time.perf_counter()
    simulation = simulate(config)
    seconds = time.perf_counter() - start
    rows = []
    for key, kind in (("activation", "activation"), ("muscle_force", "force")):
        ours = read_sto(config.folder / simulation.files[key])
        for said, tables in (("OpenSim, converged to 1e-9", tight), ("OpenSim as shipped, 1e-4", fresh)):
            theirs = _ending(tables, f"{kind}.sto")
            rows.append(_row(f"Gait2392: {key}", said, percent_of_peak(ours, theirs)))
            if key == "muscle_force":
                off = percent_of_peak(ours, theirs, largest=True)
                rows.append(_row(f"Gait2392: {key}, % of the largest", said, off))
    # The same setup by OpenSim's own optimizer, in one range: each frame starts where the last one stopped.
    own = replace(
        config_of_setup(folder / STATIC, work / "by_opensim"),
        start=span[0],
        end=span[1],
        engine="opensim",
        workers=1,
    )
    by_opensim = simulate(own)
    ours = read_sto(own.folder / by_opensim.files["muscle_force"])
    off = percent_of_peak(ours, _ending(fresh, "force.sto"))
    rows.append(_row("Gait2392: muscle_force, --engine opensim", "OpenSim as shipped, 1e-4", off))
    theirs = _ending(fresh, "activation.sto")
    ours = read_sto(config.folder / simulation.files["activation"])
    for said, table in (("1e-9", _ending(tight, "activation.sto")), ("1e-4", theirs)):
        off = float(np.abs(ours.columns(table.names) - table.data).max())
        effort = [float((t.data**2).sum()) for t in (ours, table)]
        more = 100.0 * (effort[1] / effort[0] - 1.0)
        print(f"OpenSim at {said}: controls differ by at most {off:.2g}; its effort is {more:.2g} % above ours")
    off = percent_of_peak(_ending(fresh, "activation.sto"), _ending(tight, "activation.sto"))
    rows.append(_row("OpenSim as shipped: activation", "OpenSim, converged to 1e-9", off))
    # Joint reactions from the converged forces, where OpenSim's tool looks for them.
    results = folder / "ResultsStaticOptimization"
    results.mkdir(exist_ok=True)
    write_sto(results / "subject01_StaticOptimization_force.sto", _ending(tight, "force.sto"))
    reaction = _ending(_opensim(folder, REACTION, span), "ReactionLoads.sto")
    rows.append(_row("Gait2392: joint reaction", "OpenSim's tool", joint_differences(config.folder, reaction)))
    print(f"\n{len(theirs.time)} results of Gait2392 by simulate in {seconds:.1f} s (both tools)\n")
    return rows


def joint_differences(folder: Path, theirs: Table) -> dict[str, float]:
    """Differences of the three loads of the shipped setup; the third is on the parent: ours, turned round."""
    ground, child, parent = (
        read_sto(folder / f"joint_reaction_{frame}.sto") for frame in ("ground", "child", "parent")
    )
    found: dict[str, float] = {}
    for table, own, name, sign in (
        (ground, "ground_pelvis_on_pelvis_in_ground", "ground_pelvis_on_pelvis_in_ground", 1.0),
        (child, "hip_r_on_femur_r_in_femur_r", "hip_r_on_femur_r_in_femur_r", 1.0),
        (parent, "hip_l_on_femur_l_in_pelvis", "hip_l_on_pelvis_in_pelvis", -1.0),
    ):
        axes = [f"_{kind}{axis}" for kind in "fm" for axis in "xyz"]
        data = sign * table.columns([own + axis for axis in axes])
        ours = Table("", table.time, tuple(name + axis for axis in axes), data)
        whole = [f"{name}_{kind}" for kind in "fm"]
        off = _vectors(ours, theirs, name)
        found |= dict(zip(whole, off))
    return found


def _vectors(ours: Table, theirs: Table, name: str) -> list[float]:
    """Largest difference of force and of moment as vectors, in percent of the largest; none where there is no load."""
    rows = [int(np.argmin(np.abs(theirs.time - t))) for t in ours.time]
    found = []
    for kind in "fm":
        columns = [f"{name}_{kind}{axis}" for axis in "xyz"]
        expected = theirs.columns(columns)[rows]
        peak = float(np.linalg.norm(expected, axis=1).max())
        off = float(np.linalg.norm(ours.columns(columns) - expected, axis=1).max())
        found.append(100.0 * off / max(peak, 1e-6))
    return found


def _opensim(folder: Path, setup: str, span: tuple[float, float]) -> dict[str, Table]:
    ends = (span[0] + _STEP, span[1] + _STEP)
    return running.opensim_tool(folder, setup, trial=setup, doing="a fresh run", task="analyze", span=ends)


def _ending(tables: dict[str, Table], end: str) -> Table:
    return next(table for name, table in tables.items() if name.endswith(end))


def _row(quantity: str, against: str, off: dict[str, float]) -> Row:
    worst = max(off, key=lambda name: off[name])
    return quantity, against, f"{off[worst]:.3g}", worst, f"{sum(v > 1.0 for v in off.values())} of {len(off)}"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench simulate", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--whole", action="store_true", help="all 1.5 s of Gait2392 (minutes)")
    options = parser.parse_args(argv)
    pipelines = data_folder(options.data) / "pipelines"
    with tempfile.TemporaryDirectory(prefix="biopose-bench-") as folder:
        work = Path(folder)
        rows = inverse_dynamics(pipelines, work / "id") + muscles(
            pipelines, work / "so", (0.5, 1.999) if options.whole else SPAN
        )
    print_table(("quantity", "against", "largest difference [% of its own peak]", "of", "beyond 1 %"), rows)


if __name__ == "__main__":
    main()
