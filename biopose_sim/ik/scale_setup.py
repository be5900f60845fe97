"""OpenSim's setup files of scaling, as frozen dataclasses; file names are relative to the setup file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_tasks import IKTasks, read_tasks
from biopose_sim.ik.setup_xml import (
    TimeRange,
    file_name,
    offline_set,
    read_setup,
    require_file,
    required_file,
    time_range,
)
from biopose_sim.io import Trial, read_trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.xml import Element, flag, number, text, vector

_STEPS = ("measurements", "manualScale")


@dataclass(frozen=True)
class Measurement:
    """Distances between markers that scale bodies.

    Attributes:
        name: e.g. "thigh".
        pairs: marker names two by two.
        bodies: body name and the axes (0, 1, 2) that the factor applies to.
        apply: false switches it off.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    bodies: tuple[tuple[str, tuple[int, ...]], ...]
    apply: bool = True


@dataclass(frozen=True)
class ManualScale:
    """Given factors per axis of one body."""

    body: str
    factors: tuple[float, float, float]
    apply: bool = True


@dataclass(frozen=True)
class ModelScaling:
    """The ModelScaler of a setup; ``order`` holds "measurements" and "manualScale" in their order of use."""

    apply: bool
    order: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    manual: tuple[ManualScale, ...]
    marker_file: Path | None
    time_range: TimeRange | None
    preserve_mass_distribution: bool
    output_model_file: Path | None
    output_scale_file: Path | None


@dataclass(frozen=True)
class MarkerPlacement:
    """The MarkerPlacer of a setup.

    ``max_marker_movement`` is in the unit of the marker file; without a limit it is negative.
    """

    apply: bool
    tasks: IKTasks
    marker_file: Path | None
    coordinate_file: Path | None
    time_range: TimeRange | None
    max_marker_movement: float
    output_model_file: Path | None
    output_motion_file: Path | None
    output_marker_file: Path | None


@dataclass(frozen=True)
class ScaleSetup:
    """What a setup of the ScaleTool says.

    Attributes:
        path: the setup file.
        name: name of the scaled model.
        mass: of the subject [kg]; None where the masses are to be left alone.
        height: of the subject, for information, as written (OpenSim says mm).
        model_file: the generic model; None where the setup names none.
        marker_set_file: markers that join or replace the model's.
        scaling: None without a ModelScaler.
        placement: None without a MarkerPlacer.
    """

    path: Path
    name: str
    mass: float | None
    height: float | None
    model_file: Path | None
    marker_set_file: Path | None
    scaling: ModelScaling | None
    placement: MarkerPlacement | None

    def load_model(self) -> OsimModel:
        """Read the generic model with the markers of the marker set; raise InputError if one is missing."""
        from biopose_sim.osim.markerset import read_marker_set, with_markers

        model = OsimModel.from_file(required_file(self.model_file, "model_file", self.path))
        if self.marker_set_file is None:
            return model
        path = require_file(self.marker_set_file, "marker_set_file", self.path)
        return with_markers(model, read_marker_set(path, model))

    def load_trial(self, part: ModelScaling | MarkerPlacement) -> Trial:
        """Read the whole trial that scaling or placement uses; raise InputError if it is missing."""
        return read_trial(required_file(part.marker_file, "marker_file", self.path))


def read_scale_setup(path: str | Path) -> ScaleSetup:
    """Read a setup of OpenSim's ScaleTool, of any version.

    Raises:
        InputError: missing file, not XML, a setup of another tool, or values that cannot be.
    """
    path = Path(path)
    tool = read_setup(path, "ScaleTool")
    maker, scaler, placer = (tool.find(t) for t in ("GenericModelMaker", "ModelScaler", "MarkerPlacer"))
    mass, height = (number(tool, t, path, -1.0) for t in ("mass", "height"))
    return ScaleSetup(
        path=path,
        name=tool.get("name", ""),
        mass=mass if mass > 0.0 else None,
        height=height if height > 0.0 else None,
        model_file=None if maker is None else file_name(maker, "model_file", path.parent),
        marker_set_file=None if maker is None else file_name(maker, "marker_set_file", path.parent),
        scaling=None if scaler is None else _scaling(scaler, path),
        placement=None if placer is None else _placement(placer, path),
    )


def _scaling(element: Element, source: Path) -> ModelScaling:
    order = tuple(text(element, "scaling_order").split())
    for step in order:
        if step not in _STEPS:
            raise InputError(source, f"its <scaling_order> names {step!r}", f"use {' and '.join(_STEPS)}")
    return ModelScaling(
        apply=flag(element, "apply", True),
        order=order,
        measurements=tuple(_measurement(e, source) for e in _set_members(element, "MeasurementSet", source)),
        manual=tuple(
            ManualScale(text(e, "segment"), vector(e, "scales", source, (1.0, 1.0, 1.0)), flag(e, "apply", True))
            for e in _set_members(element, "ScaleSet", source)
        ),
        marker_file=file_name(element, "marker_file", source.parent),
        time_range=time_range(element, source),
        preserve_mass_distribution=flag(element, "preserve_mass_distribution"),
        output_model_file=file_name(element, "output_model_file", source.parent),
        output_scale_file=file_name(element, "output_scale_file", source.parent),
    )


def _measurement(element: Element, source: Path) -> Measurement:
    name = element.get("name", "")
    pairs = []
    for pair in element.iterfind("MarkerPairSet/objects/MarkerPair"):
        markers = text(pair, "markers").split()
        if len(markers) != 2:
            raise InputError(source, f"a pair of the measurement {name!r} names {len(markers)} markers", "name two")
        pairs.append((markers[0], markers[1]))
    bodies = []
    for scale in element.iterfind("BodyScaleSet/objects/BodyScale"):
        axes = text(scale, "axes").upper().split()
        if any(axis not in ("X", "Y", "Z") for axis in axes):
            raise InputError(source, f"the measurement {name!r} scales the axes {' '.join(axes)!r}", "use X, Y, Z")
        bodies.append((scale.get("name", ""), tuple("XYZ".index(axis) for axis in axes)))
    return Measurement(name, tuple(pairs), tuple(bodies), flag(element, "apply", True))


def _placement(element: Element, source: Path) -> MarkerPlacement:
    folder = source.parent
    return MarkerPlacement(
        apply=flag(element, "apply", True),
        tasks=read_tasks(element, source),
        marker_file=file_name(element, "marker_file", folder),
        coordinate_file=file_name(element, "coordinate_file", folder),
        time_range=time_range(element, source),
        max_marker_movement=number(element, "max_marker_movement", source, -1.0),
        output_model_file=file_name(element, "output_model_file", folder),
        output_motion_file=file_name(element, "output_motion_file", folder),
        output_marker_file=file_name(element, "output_marker_file", folder),
    )


def _set_members(parent: Element, tag: str, source: Path) -> list[Element]:
    holder = offline_set(parent, tag, source)
    return [] if holder is None else list(holder.find("objects") or ())
