"""Files of external loads: OpenSim's XML with its table of forces, and tables without XML."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.forces.assignment import LEAST_LOAD, Load, added, assign_to_feet, check_units
from biopose_sim.forces.types import GroundReaction, Origin
from biopose_sim.io import Motion, Table, atomic_write, read_sto, write_sto
from biopose_sim.io.notice import listed
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.xml import Element, flag, parse_document, read_bytes, text

_ESTIMATED = "estimated"
_FORCE = re.compile(r"^(?P<stem>.*?)(?P<kind>_v|_f|f|v)x$", re.IGNORECASE)
_SIDES = {"r": "r", "right": "r", "l": "l", "left": "l"}


def read_loads(xml: Path, mot: Path | None = None) -> GroundReaction:
    """Read OpenSim's external loads with the forces that they name.

    Identifiers are prefixes of three columns each, as OpenSim takes them; forces on the same body add up.

    Args:
        xml: the ExternalLoads file.
        mot: the table of forces; None takes the data file that the XML names, beside it.

    Raises:
        InputError: a file is missing or is not what it should be; a force is not expressed in ground, names no point,
            or its columns are not there; values that are not numbers, newtons and metres.
    """
    xml = Path(xml)
    root = parse_document(read_bytes(xml), xml)
    loads = root if root.tag == "ExternalLoads" else root.find(".//ExternalLoads")
    if loads is None:
        raise InputError(xml, "holds no ExternalLoads", "name a file of external loads")
    forces = [e for e in loads.iter("ExternalForce") if not _is_off(e)]
    forces = [e for e in forces if text(e, "applied_to_body")]
    if not forces:
        raise InputError(xml, "applies no force", "its ExternalForce elements say which")
    mot = Path(mot) if mot is not None else _datafile(xml, loads)
    table = read_sto(mot, unique=False)
    by_body: dict[str, list[Load]] = {}
    for element in forces:
        body = text(element, "applied_to_body").rsplit("/", 1)[-1]
        by_body.setdefault(body, []).append(_applied(xml, element, table))
    notes = [f"{len(parts)} forces on '{body}' are added" for body, parts in by_body.items() if len(parts) > 1]
    return _reaction(loads.get("name") or xml.stem, table, by_body, str(xml), notes)


def read_grf_mot(mot: Path, model: OsimModel | None = None, motion: Motion | None = None) -> GroundReaction:
    """Read a table of ground reaction without XML, by the names of its columns.

    Known are columns with a side (``ground_force_r_vx``, ``R_ground_force_vx``, ``ground_force_calcn_l_vx``), and
    OpenSim's ``ground_force_vx`` (right) with ``1_ground_force_vx`` (left). Forces of numbered plates
    (``ground_force_1_vx``, ``FP1_vx``) belong to the foot that was there, where model and motion are given.

    Raises:
        InputError: what :func:`~biopose_sim.io.read_sto` raises; no force among the columns; feet that cannot be told;
            values that are not numbers, newtons and metres.
    """
    mot = Path(mot)
    table = read_sto(mot, unique=False)
    stems = [(m["stem"], m["kind"]) for name in table.names if (m := _FORCE.match(name)) and _is_force(table, m)]
    if not stems:
        remedy = "they are called as 'ground_force_r_vx', 'ground_force_r_px', 'ground_torque_r_x'"
        raise InputError(mot, f"holds no ground force among {listed(table.names)}", remedy)
    sides = _sides([stem for stem, _ in stems])
    loads = [_measured(table, stem, kind) for stem, kind in stems]
    if sides is not None:
        by_body: dict[str, list[Load]] = {}
        for side, load in zip(sides, loads, strict=True):
            by_body.setdefault(f"calcn_{side}", []).append(load)
        said = (f"'{load.name}' is the {'right' if s == 'r' else 'left'} foot's" for s, load in zip(sides, loads))
        return _reaction(mot.stem, table, by_body, str(mot), list(said))
    if model is None or motion is None:
        names = listed([load.name for load in loads])
        raise InputError(mot, f"does not say which foot {names} belong to", "give an ExternalLoads file (.xml) with it")
    quiet = [_threshold(load) for load in loads]
    feet, notes = assign_to_feet(quiet, model, motion, mot)
    return GroundReaction(mot.stem, table.time, feet, _origin(table), str(mot), notes)


def write_ground_reaction(reaction: GroundReaction, mot: Path, loads: Path) -> None:
    """Write a ground reaction for OpenSim: a table of forces and the ExternalLoads that apply them.

    Columns are ``ground_force_r_vx``, ``ground_force_r_px``, ``ground_torque_r_x`` and so on. Both files say whether
    the forces were measured or estimated.

    Raises:
        InputError: values that are not numbers, or paths that cannot be written.
    """
    mot, loads = Path(mot), Path(loads)
    names: list[str] = []
    columns = []
    keys = [_key(foot.body) for foot in reaction.feet]
    for foot, key in zip(reaction.feet, keys, strict=True):
        names += [f"ground_force_{key}_v{a}" for a in "xyz"] + [f"ground_force_{key}_p{a}" for a in "xyz"]
        names += [f"ground_torque_{key}_{a}" for a in "xyz"]
        columns += [foot.force, foot.point, foot.torque]
    data = np.hstack(columns)
    if not np.isfinite(data).all():
        bad = names[int(np.argmin(np.isfinite(data).all(axis=0)))]
        raise InputError(mot, f"'{bad}' would hold what is not a number", "fill the gaps of the forces first")
    write_sto(mot, Table(f"ground reaction, {reaction.origin}", reaction.time, tuple(names), data, False))
    atomic_write(loads, _loads_xml(reaction, keys, _relative(mot, loads.parent)))


def _loads_xml(reaction: GroundReaction, keys: list[str], datafile: str) -> bytes:
    root = ET.Element("OpenSimDocument", Version="40000")
    comment = f" ground reaction, {reaction.origin}: {reaction.source} "
    root.append(ET.Comment(comment.replace("--", "- -")))
    outer = ET.SubElement(root, "ExternalLoads", name=f"ground_reaction_{reaction.origin}")
    objects = ET.SubElement(outer, "objects")
    for foot, key in zip(reaction.feet, keys, strict=True):
        force = ET.SubElement(objects, "ExternalForce", name=f"ground_on_{foot.body}_{reaction.origin}")
        entries = {
            "applied_to_body": foot.body,
            "force_expressed_in_body": "ground",
            "point_expressed_in_body": "ground",
            "force_identifier": f"ground_force_{key}_v",
            "point_identifier": f"ground_force_{key}_p",
            "torque_identifier": f"ground_torque_{key}_",
        }
        for tag, value in entries.items():
            ET.SubElement(force, tag).text = value
    ET.SubElement(outer, "datafile").text = datafile
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _relative(mot: Path, folder: Path) -> str:
    """The table as the XML names it: relative to its own folder where possible."""
    return Path(os.path.relpath(mot.resolve(), folder.resolve())).as_posix()


def _key(body: str) -> str:
    """A column's part for a body: ``r``, ``l``, else its name."""
    return body[-1] if body in ("calcn_r", "calcn_l") else body


def _reaction(name: str, table: Table, by_body: dict[str, list[Load]], source: str, notes: list[str]) -> GroundReaction:
    feet = []
    for body in sorted(by_body, key=lambda b: (b.endswith("_l"), b)):
        for load in by_body[body]:
            check_units(table.source or source, load)
        feet.append(added(body, by_body[body]))
    if not any(np.linalg.norm(foot.force, axis=1).max() > LEAST_LOAD for foot in feet):
        notes.append(f"no force exceeds {LEAST_LOAD:g} N")
    return GroundReaction(name, table.time, tuple(feet), _origin(table), source, tuple(notes))


def _origin(table: Table) -> Origin:
    """What the name of a table says, as :func:`write_ground_reaction` writes it."""
    return "estimated" if _ESTIMATED in table.name.lower() else "measured"


def _is_off(force: Element) -> bool:
    return flag(force, "isDisabled") or not flag(force, "appliesForce", True)


def _datafile(xml: Path, loads: Element) -> Path:
    named = text(loads, "datafile")
    if not named or named.lower() == "unassigned":
        raise InputError(xml, "names no data file", "write the table of forces into <datafile>")
    path = xml.parent / named.replace("\\", "/")
    if not path.is_file():
        raise InputError(xml, f"names the forces '{named}', which are not there", f"put them at {path}")
    return path


def _applied(xml: Path, element: Element, table: Table) -> Load:
    name = element.get("name") or "?"
    for what in ("force", "point"):
        frame = text(element, f"{what}_expressed_in_body", "ground") or "ground"
        if frame.rsplit("/", 1)[-1] != "ground":
            text_ = f"the {what} of '{name}' is expressed in '{frame}'"
            raise InputError(xml, text_, "express it in ground")
    if not text(element, "point_identifier"):
        raise InputError(xml, f"'{name}' names no point", "give its point_identifier")
    force, point = (_triple(xml, element, what, table) for what in ("force", "point"))
    torque = _triple(xml, element, "torque", table) if text(element, "torque_identifier") else np.zeros_like(force)
    return Load(name, table.time, force, point, torque)


def _triple(xml: Path, element: Element, what: str, table: Table) -> np.ndarray:
    prefix = text(element, f"{what}_identifier")
    found = [index for index, name in enumerate(table.names) if prefix and name.startswith(prefix)]
    if len(found) != 3:
        text_ = f"{what}_identifier '{prefix}' of '{element.get('name')}' fits {len(found)} columns of {table.source}"
        raise InputError(xml, text_, f"it must fit three; there are {listed(table.names)}")
    return table.data[:, found]


def _is_force(table: Table, match: re.Match[str]) -> bool:
    """Whether a column is the first of a force's three, with a point beside."""
    stem, kind = match["stem"], match["kind"]
    return all(f"{stem}{kind}{a}" in table.names for a in "yz") and f"{stem}{_point_kind(kind)}x" in table.names


def _point_kind(kind: str) -> str:
    return ("_" if kind.startswith("_") else "") + ("p" if kind[-1].islower() else "P")


def _measured(table: Table, stem: str, kind: str) -> Load:
    force = table.columns([f"{stem}{kind}{a}" for a in "xyz"])
    point = table.columns([f"{stem}{_point_kind(kind)}{a}" for a in "xyz"])
    moments = [f"{stem.replace('force', 'torque')}_", f"{stem}_m", f"{stem}m", f"{stem}M", f"{stem}_torque_"]
    prefix = next((p for p in moments if all(f"{p}{a}" in table.names for a in "xyz")), None)
    torque = np.zeros_like(force) if prefix is None else table.columns([f"{prefix}{a}" for a in "xyz"])
    return Load(stem, table.time, force, point, torque)


def _sides(stems: list[str]) -> list[str] | None:
    """The side of each force, or None where the names do not say it."""
    named = [{_SIDES[w] for w in re.split(r"[_\W]+", stem.lower()) if w in _SIDES} for stem in stems]
    if all(len(found) == 1 for found in named):
        return [found.pop() for found in named]
    if sorted(stems) == ["1_ground_force", "ground_force"]:
        return ["l" if stem.startswith("1_") else "r" for stem in stems]
    return None


def _threshold(load: Load) -> Load:
    loaded = (load.force[:, 1] > LEAST_LOAD)[:, None]
    return Load(load.name, load.time, load.force * loaded, load.point, load.torque * loaded)
