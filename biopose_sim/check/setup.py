"""Setup files of OpenSim's tools: the files they name, times, tasks, measurements and actuators."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from biopose_sim.check.codes import Severity
from biopose_sim.check.document import (
    UNASSIGNED,
    Document,
    NamedFile,
    is_of_one_computer,
    lines_of,
    named_files,
    resolved,
)
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.osim.xml import Element, text

INPUTS = (
    "model_file",
    "marker_file",
    "marker_set_file",
    "coordinate_file",
    "coordinates_file",
    "external_loads_file",
    "states_file",
    "controls_file",
    "speeds_file",
    "desired_kinematics_file",
    "desired_points_file",
    "task_set_file",
    "constraints_file",
    "rra_controls_file",
    "force_set_files",
    "forces_file",
    "datafile",
    "motion_file",
)
MOTIONS = ("coordinates_file", "coordinate_file", "desired_kinematics_file", "states_file", "motion_file")
_OUTPUTS = (
    "output_model_file",
    "output_motion_file",
    "output_scale_file",
    "output_marker_file",
    "output_gen_force_file",
)
_NEEDED = {
    "InverseKinematicsTool": ("marker_file",),
    "InverseDynamicsTool": ("coordinates_file",),
    "AnalyzeTool": ("coordinates_file", "states_file"),
    "RRATool": ("desired_kinematics_file", "desired_points_file"),
    "CMCTool": ("desired_kinematics_file", "desired_points_file"),
}
_DEFAULT = (-1.0, -1.0)


@dataclass
class SetupFile:
    """A setup of one of OpenSim's tools.

    Attributes:
        path: of the file.
        tool: its tag, e.g. "InverseDynamicsTool".
        content: the tool's element.
        inputs: files that it reads.
        outputs: files that it writes.
        results: folder of its results, or None.
        time: what it is to look at [s]; None where it does not say.
        findings: what is wrong with it alone.
    """

    path: Path
    tool: str
    content: Element
    inputs: list[NamedFile] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    results: Path | None = None
    time: tuple[float, float] | None = None
    findings: list[Finding] = field(default_factory=list)

    def named(self, *tags: str) -> Iterator[Path]:
        """Files that elements of these tags name."""
        for file in self.inputs:
            if file.tag in tags:
                yield file.path


def check_setup(document: Document) -> SetupFile:
    """Check a setup alone; whether its files exist is asked elsewhere."""
    root = document.content
    assert root is not None
    setup = SetupFile(document.path, document.kind, root, findings=list(document.findings))
    unused = {e for part in _switched_off(root) for e in part.iter()}
    seen: set[tuple[str, str]] = set()
    for file in named_files(document, INPUTS):
        element = next(
            (
                e
                for e in root.iter(file.tag)
                if file.written in ((e.text or ""), e.get("file")) or file.written in (e.text or "").split()
            ),
            None,
        )
        if (file.tag, file.written) not in seen and element not in unused:
            seen.add((file.tag, file.written))
            setup.inputs.append(file)
            setup.findings += check_written(document, file)
    setup.outputs = [file.path for file in named_files(document, _OUTPUTS)]
    _check_results(setup, text(root, "results_directory"))
    _check_time(setup)
    _check_data(setup)
    if document.kind == "ScaleTool" and not any(p.tag == "ModelScaler" for p in _switched_off(root)):
        _check_mass(setup)
    return setup


def _switched_off(root: Element) -> list[Element]:
    """Parts of a ScaleTool that are not applied."""
    return [p for tag in ("ModelScaler", "MarkerPlacer") for p in root.iter(tag) if text(p, "apply") == "false"]


def check_written(document: Document, file: NamedFile) -> list[Finding]:
    """How a path is written: of one computer, or with backslashes."""
    where = f"<{file.tag}> {lines_of(document, file.written)}".strip()
    if is_of_one_computer(file.written):
        bare = Path(file.written.replace("\\", "/")).name
        beside = next((p for p in (document.path.parent, document.path.parent.parent) if (p / bare).is_file()), None)
        if beside is None and file.path.is_file():
            return [finding("S02", document.path, file.written, where, severity="note", fixable=False)]
        change = None
        if beside is not None:
            change = (file.written, bare if beside == document.path.parent else f"../{bare}")
        return [finding("S02", document.path, file.written, where, fixable=change is not None, change=change)]
    if "\\" in file.written:
        change = (file.written, file.written.replace("\\", "/"))
        return [finding("S03", document.path, file.written, where, change=change)]
    return []


def _check_results(setup: SetupFile, written: str) -> None:
    if written.lower() in UNASSIGNED:
        return
    setup.results = resolved(setup.path, written)
    if is_of_one_computer(written) and not setup.results.parent.is_dir():
        setup.findings.append(finding("S07", setup.path, written, "<results_directory>"))


def _range_of(element: Element, tag: str) -> tuple[float, float] | None:
    words = text(element, tag).split()
    try:
        start, end = (float(word) for word in words)
    except ValueError:
        return None
    return None if (start, end) == _DEFAULT else (start, end)


def _check_time(setup: SetupFile) -> None:
    root = setup.content
    setup.time = _range_of(root, "time_range")
    try:
        start, end = (float(text(root, tag)) for tag in ("initial_time", "final_time"))
    except ValueError:
        pass
    else:
        setup.time = (start, end) if (start, end) != _DEFAULT else None
    ranges = [r for e in root.iter() if e.tag != "Analysis" and (r := _range_of(e, "time_range"))]
    for start, end in [*ranges, *([setup.time] if setup.time else [])]:
        if end < start and not (math.isinf(end) or end == -1.0):
            setup.findings.append(finding("S13", setup.path, f"{start:g} to {end:g} s", "time"))
            setup.time = None
            return


def _check_data(setup: SetupFile) -> None:
    needed = _NEEDED.get(setup.tool, ())
    if needed and not any(True for _ in setup.named(*needed)):
        message = f"no {' or '.join(needed)}"
        setup.findings.append(finding("S15", setup.path, message))
    if setup.tool in ("RRATool", "CMCTool") and not any(True for _ in setup.named("task_set_file")):
        setup.findings.append(finding("S16", setup.path, "no task_set_file"))


def _check_mass(setup: SetupFile) -> None:
    """Without a mass, OpenSim keeps what the scaled segments weigh in the generic model."""
    if not any(True for tag in ("Measurement", "Scale") for _ in setup.content.iter(tag)):
        return
    word = text(setup.content, "mass")
    try:
        mass = float(word)
    except ValueError:
        mass = -1.0
    if not mass > 0.0:
        setup.findings.append(finding("S09", setup.path, f"<mass> is {word or 'missing'}"))
    elif mass > 500.0:
        message = f"<mass> is {mass:g} kg"
        setup.findings.append(finding("S09", setup.path, message, severity="warning"))


def marker_tasks(content: Element) -> dict[str, float]:
    """Weights of the marker tasks that are switched on, also in a task set alone."""
    return {name: weight for _, name, weight in _tasks(content, "IKMarkerTask")}


def coordinate_tasks(content: Element) -> set[str]:
    """Coordinates of the tasks that are switched on: of inverse kinematics, RRA and CMC."""
    names = {name for _, name, _ in _tasks(content, "IKCoordinateTask")}
    for tag in ("CMC_Joint", "rdCMC_Joint"):
        for element in content.iter(tag):
            if element.get("name") != "default" and text(element, "on", "true") == "true":
                names.add(text(element, "coordinate") or element.get("name", ""))
    return names - {""}


def _tasks(content: Element, tag: str) -> Iterator[tuple[Element, str, float]]:
    for element in content.iter(tag):
        if element.get("name") in ("default", None, "") or text(element, "apply", "true") != "true":
            continue
        try:
            weight = float(text(element, "weight", "1").split()[0])
        except ValueError:
            weight = 1.0
        yield element, element.get("name", ""), weight


def check_tasks(
    path: Path, content: Element, coordinates: Iterable[str], markers: Iterable[str], recorded: Iterable[str] | None
) -> list[Finding]:
    """Tasks against a model and a recording.

    Args:
        path: of the file with the tasks.
        content: the tool or the task set.
        coordinates: of the model; empty where it is unknown.
        markers: of the model; empty where they are unknown.
        recorded: markers of the recording; None where it is unknown.
    """
    found = []
    weights, model_markers, known = marker_tasks(content), set(markers), set(coordinates)
    absent = [n for n in coordinate_tasks(content) if known and n.rsplit("/", 1)[-1] not in known]
    if absent:
        found.append(finding("S05", path, few(sorted(absent))))
    if weights and not any(weights.values()):
        found.append(finding("S06", path, f"{len(weights)} marker tasks"))
    wanted = [name for name, weight in weights.items() if weight > 0.0]
    there = {"model": model_markers or None, "recording": None if recorded is None else set(recorded)}
    for place, names in there.items():
        lost = [name for name in wanted if names is not None and name not in names]
        if lost:
            all_lost = len(lost) == len(wanted)
            usual = len(lost) <= 0.34 * len(wanted) and place == "recording"  # one set of tasks for many recordings
            severity: Severity | None = "error" if all_lost else "note" if usual else None
            found.append(finding("S04", path, f"the {place} lacks {few(lost)}", f"in the {place}", severity=severity))
    return found


def check_measurements(
    setup: SetupFile, bodies: Iterable[str], markers: Iterable[str], recorded: Iterable[str] | None
) -> list[Finding]:
    """Marker pairs and bodies of a ScaleTool's measurements."""
    found: list[Finding] = []
    known, model_markers = set(bodies), set(markers)
    seen = None if recorded is None else set(recorded)
    for measurement in setup.content.iter("Measurement"):
        if measurement.get("name") == "default" or text(measurement, "apply", "true") != "true":
            continue
        where = f"measurement {measurement.get('name')}"
        names = [name for pair in measurement.iter("MarkerPair") for name in text(pair, "markers").split()]
        for place, there in (("model", model_markers or None), ("recording", seen)):
            lost = list(dict.fromkeys(n for n in names if there is not None and n not in there))
            if lost:
                found.append(finding("S08", setup.path, f"the {place} lacks {few(lost)}", where))
        scaled = [e.get("name", "") for e in measurement.iter("BodyScale")]
        absent = [body for body in scaled if body and known and body not in known]
        if absent:
            severity: Severity | None = None if len(absent) == len(scaled) else "note"
            found.append(finding("S12", setup.path, few(absent), where, severity=severity))
    return found


def check_actuators(path: Path, content: Element, coordinates: Iterable[str], bodies: Iterable[str]) -> list[Finding]:
    """Coordinates and bodies of added actuators."""
    known, frames = set(coordinates), set(bodies)
    found = []
    for element in content.iter():
        name = element.get("name")
        if not element.tag.endswith("Actuator") or name in (None, "", "default"):
            continue
        wanted = [(text(element, "coordinate"), known)]
        wanted += [(text(element, tag), frames) for tag in ("body", "bodyA", "bodyB")]
        for word, there in wanted:
            if word and there and word.rsplit("/", 1)[-1] not in there:
                found.append(finding("S14", path, f"{word!r} is not in the model", f"{element.tag} {name}"))
    return found


def check_times(setup: SetupFile, time: tuple[float, float], data: Path) -> list[Finding]:
    """The setup's time range against that of its data [s]."""
    if setup.time is None:
        return []
    start, end = setup.time
    if start > time[1] + 1e-3 or (end < time[0] - 1e-3 and end >= start):
        message = f"{start:g} to {end:g} s, but {data.name} has {time[0]:g} to {time[1]:g} s"
        return [finding("S10", setup.path, message, "time")]
    if start < time[0] - 0.05 or (end > time[1] + 0.05 and math.isfinite(end)):
        message = f"{start:g} to {end:g} s is more than {data.name} has: {time[0]:g} to {time[1]:g} s"
        return [finding("S10", setup.path, message, "time", severity="note")]
    return []
