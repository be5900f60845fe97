"""What a simulation is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from biopose_sim.errors import InputError, near_matches
from biopose_sim.forces.filtering import CUTOFF_HZ
from biopose_sim.forces.setups import FRAMES
from biopose_sim.forces.types import GroundReaction

TOOLS = ("id", "so", "ma", "jr")
ENGINES = ("auto", "fast", "opensim")
Engine = Literal["auto", "fast", "opensim"]
ESTIMATE: Literal["estimate"] = "estimate"


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """What is simulated, and how.

    Attributes:
        model: .osim file.
        motion: .mot or .sto of its coordinates.
        folder: where ``simulation.json`` and all else goes; made, or replaced where it holds a simulation.
        trial: name; the motion's by default.
        grf: ground reaction: external loads (.xml), a table of forces (.mot), a recording with force plates (.c3d),
            "estimate" for one from the motion, or None.
        filter_hz: cut-off of the coordinates [Hz]; None for no filter.
        filter_by: who filters: "biopose" (zero-lag, fourth order) or "opensim" (its tools' own filter, to repeat
            what a laboratory's setup gave).
        grf_filter_hz: cut-off of the ground's forces [Hz]; None leaves them as measured.
        tools: of "id", "so", "ma", "jr"; what they need of one another is added.
        joints: of the joint reactions; None for hips, knees and ankles.
        frames: in which they are expressed, of "ground", "child", "parent".
        arms: coordinates of the moment arms; None for those of hips, knees and ankles.
        step: results of every so many frames in all but inverse dynamics.
        start: [s]; None for the motion's.
        end: [s]; None for the motion's.
        force_sets: files of actuators that join the model (.xml).
        replace_forces: whether they replace the model's own.
        reserves: whether coordinates without an actuator get one.
        reserve_force: optimal force of a reserve [N m | N]; small, so that it costs more than a muscle.
        residual_force: the same of the residuals, on the joint to the ground.
        exponent: of the activations in what is minimised.
        physiology: whether muscles' strength depends on length and speed.
        excluded: forces that inverse dynamics leaves out, as OpenSim names them.
        engine: of the static optimization: "fast" (ours, OpenSim's equations solved to 1e-9), "opensim", or "auto",
            which is fast where that can be.
        convergence: criterion of OpenSim's optimizer in the setup file and with engine "opensim"; its default, 1e-4,
            leaves small muscles off by 0.01 and more in activation.
        workers: processes; 0 for one per processor.
    """

    model: Path
    motion: Path
    folder: Path
    trial: str | None = None
    grf: Path | GroundReaction | Literal["estimate"] | None = None
    filter_hz: float | None = CUTOFF_HZ
    filter_by: Literal["biopose", "opensim"] = "biopose"
    grf_filter_hz: float | None = None
    tools: tuple[str, ...] = TOOLS
    joints: tuple[str, ...] | None = None
    frames: tuple[str, ...] = FRAMES
    arms: tuple[str, ...] | None = None
    step: int = 1
    start: float | None = None
    end: float | None = None
    force_sets: tuple[Path, ...] = ()
    replace_forces: bool = False
    reserves: bool = True
    reserve_force: float = 1.0
    residual_force: float = 100.0
    exponent: float = 2.0
    physiology: bool = True
    excluded: tuple[str, ...] = ("Muscles",)
    engine: Engine = "auto"
    convergence: float = 1e-8
    workers: int = 0

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.trial or self.motion.stem

    @property
    def processes(self) -> int:
        """How many processes run at a time."""
        return self.workers or os.cpu_count() or 1

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tools with those that they need, in order."""
        given = set(self.tools) | ({"so"} if "jr" in self.tools else set())
        return tuple(tool for tool in TOOLS if tool in given)

    def check(self) -> None:
        """Raise InputError for wishes that make no sense, and for files that are not there."""
        for path, remedy in (
            (self.model, "name an .osim file"),
            (self.motion, "name a motion (.mot or .sto)"),
            *((path, "name a force set (.xml)") for path in self.force_sets),
        ):
            if not path.is_file():
                raise InputError(path, "no such file", remedy)
        _check_words("--tools", self.tools, TOOLS)
        _check_words("--frames", self.frames, FRAMES)
        _check_words("--engine", (self.engine,), ENGINES)
        for option, value, sound in (
            ("--step", self.step, self.step >= 1),
            ("--filter", self.filter_hz, self.filter_hz is None or self.filter_hz > 0.0),
            ("convergence", self.convergence, self.convergence > 0.0),
            ("--exponent", self.exponent, self.exponent > 1.0),
            ("--reserve", self.reserve_force, self.reserve_force > 0.0),
            ("--residual", self.residual_force, self.residual_force > 0.0),
        ):
            if not sound:
                raise InputError(option, f"cannot be {value:g}")
        if self.filter_by == "opensim" and self.engine == "fast":
            raise InputError("engine 'fast'", "takes a motion that is filtered already", "choose engine 'opensim'")


def _check_words(option: str, given: tuple[str, ...], valid: tuple[str, ...]) -> None:
    if not given:
        raise InputError(option, "names nothing", f"choose from {', '.join(valid)}")
    for word in given:
        if word not in valid:
            near = near_matches(word, valid)
            raise InputError(option, f"knows no '{word}'{near}", f"choose from {', '.join(valid)}")
