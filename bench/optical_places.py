"""Where optical markers lie on Anny: makes ``models/markersets/optical.csv`` and ``optical_opencap.csv``.

A marker's place is given on a segment of the default OpenSim model; the model is fitted to the virtual markers of Anny
adults in CMU motion, and the place is carried to the skin that moves with the segment. So a body that is fitted to
markers of a person gives, through its virtual markers, the angles that a model with those places gives. Run it with
``python -m bench.optical_places FOLDER_OF_BVH [OUTPUT]``; it takes a minute.
"""

# ruff: noqa: E501
from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.anny_table import load_anny_data
from biopose_sim.bodies.body import mesh
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.retarget_rig import rest_vertices
from biopose_sim.bodies.types import BodySequence
from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers
from biopose_sim.ik.fit import fit
from biopose_sim.io import atomic_write
from biopose_sim.paths import markerset_path
from ik_pipeline.calibration_data import read_takes, sample_poses
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

TAKES = ("02_01", "08_01", "13_26", "13_31", "07_01")
PEOPLE, SEED, FRAMES = 8, 11, 60
# As for the virtual markers: distance against the share of skinning weight (models/markersets/README.md).
_NEAR, _SHARE = 0.010, 6.0
COLUMNS = ("name", "vertices", "barycentric", "segment", "kind", "weight", "shift", "aliases", "source")
_BONES = {
    "pelvis": ("root", "pelvis", "spine05"), "femur": ("upperleg",), "tibia": ("lowerleg",), "calcn": ("foot",),
    "toes": ("toe",), "lumbar": ("spine04", "spine03"), "thorax": ("spine02", "spine01"), "head": ("head",),
    "scapula": ("clavicle", "shoulder01"), "humerus": ("upperarm",), "ulna": ("lowerarm",), "radius": ("lowerarm",),
    "hand": ("wrist", "finger", "metacarpal"),
}  # fmt: skip
# Names of Plug-in-Gait, of OpenCap and of other laboratories; S stands for either side.
ALIASES = {
    "SASI": "SASIS S.ASIS S_ASIS SFWT", "SPSI": "SPSIS S.PSIS S_PSIS SBWT", "SLFC": "SKNE S_knee SLKNE SKNEL SKNELAT",
    "SMFC": "SKNM S_mknee SMKNE SKNEM SKNEMED", "SLMAL": "SANK S_ankle SLANK SANKL SANKLAT", "SMMAL": "SANM S_mankle SMANK SANKM SANKMED",
    "SCAL": "SHEE S_calc SHEEL", "STOE": "S_toe STOE2", "SMT5": "S_5meta SMTP5", "SMT1": "SMTP1", "SACR": "SSHO S_Shoulder SSHOULDER SACROM",
    "SLEL": "SELB S_elbow_lat SELBL", "SMEL": "SELBM S_elbow_med SMELB", "SFAradius": "SWRA S_wrist_radius SWRR", "SFAulna": "SWRB S_wrist_ulna SWRU",
    "SHMC3": "SFIN",
}  # fmt: skip
# The marker set of the OpenCap validation study: landmarks where LaiArnoldModified2017 (Lai, Arnold & Wakeling 2017 Ann
# Biomed Eng 45:2762; model of the study) has them, whose segments are those of the default model; clusters by eye.
_LAI = "LaiArnoldModified2017 as in the OpenCap validation study"
_EYE = "to the cm as on one person with this cluster; offsets are free within 3 cm"
OPENCAP = (
    ("C7", "thorax:C7", "landmark", 1.0, ""), ("S_Shoulder", "thorax:SACR", "landmark", 0.5, ""), ("S_Sternum", "thorax:SCLV", "landmark", 1.0, ""),
    ("S.ASIS", "pelvis 0.028 0.010 0.128", "landmark", 3.0, _LAI), ("S.PSIS", "pelvis -0.154 0.025 0.050", "landmark", 3.0, _LAI),
    ("S_knee", "femur 0.008 -0.404 0.055", "landmark", 2.0, _LAI), ("S_mknee", "femur 0.011 -0.401 -0.055", "landmark", 2.0, _LAI),
    ("S_ankle", "tibia -0.017 -0.385 0.047", "landmark", 2.0, _LAI), ("S_mankle", "tibia 0.006 -0.380 -0.038", "landmark", 2.0, _LAI),
    ("S_toe", "calcn 0.180 0.018 0.001", "landmark", 2.0, _LAI), ("S_5meta", "calcn 0.136 0.001 0.061", "landmark", 2.0, _LAI),
    ("S_calc", "calcn -0.031 0.015 -0.010", "landmark", 2.0, _LAI),
    ("S_elbow_lat", "humerus 0.010 -0.273 0.042", "landmark", 1.0, _LAI), ("S_elbow_med", "humerus 0.006 -0.278 -0.046", "landmark", 1.0, _LAI),
    ("S_wrist_radius", "radius:SFAradius", "landmark", 1.0, ""), ("S_wrist_ulna", "ulna:SFAulna", "landmark", 1.0, ""),
    ("S_humerus", "humerus 0.02 -0.12 0.05", "tracking", 0.5, _EYE), ("S_forearm", "radius 0.00 -0.03 0.05", "tracking", 0.5, _EYE),
    ("r_thigh1", "femur 0.07 -0.10 0.07", "tracking", 1.0, _EYE), ("r_thigh2", "femur 0.07 -0.21 0.06", "tracking", 1.0, _EYE),
    ("r_thigh3", "femur 0.02 -0.24 0.09", "tracking", 1.0, _EYE), ("r_thigh4", "femur -0.05 -0.11 0.09", "tracking", 1.0, _EYE),
    ("r_thigh5", "femur -0.03 -0.22 0.08", "tracking", 1.0, _EYE),
    ("L_thigh1", "femur 0.08 -0.12 0.06", "tracking", 1.0, _EYE), ("L_thigh2", "femur 0.08 -0.26 0.04", "tracking", 1.0, _EYE),
    ("L_thigh3", "femur -0.02 -0.14 0.10", "tracking", 1.0, _EYE), ("L_thigh4", "femur -0.02 -0.27 0.07", "tracking", 1.0, _EYE),
    ("r_shank_antsup", "tibia 0.04 -0.08 0.05", "tracking", 1.0, _EYE), ("r_sh2", "tibia 0.04 -0.19 0.05", "tracking", 1.0, _EYE),
    ("r_sh3", "tibia -0.02 -0.08 0.09", "tracking", 1.0, _EYE), ("r_sh4", "tibia -0.03 -0.19 0.09", "tracking", 1.0, _EYE),
    ("L_shank_antsup", "tibia 0.04 -0.07 0.05", "tracking", 1.0, _EYE), ("L_sh2", "tibia -0.04 -0.06 0.09", "tracking", 1.0, _EYE),
    ("L_sh3", "tibia -0.05 -0.18 0.09", "tracking", 1.0, _EYE),
)  # fmt: skip
# Lower-case r: as the study writes it.
_LOWER = ("ASIS", "PSIS", "knee", "mknee", "ankle", "mankle", "toe", "5meta", "calc")


@dataclass(frozen=True)
class Place:
    """A marker on a segment of the default model, in its frame [m]."""

    name: str
    segment: str
    position: tuple[float, float, float]
    kind: str
    weight: float
    aliases: str
    source: str


@dataclass(frozen=True, eq=False)
class Moved:
    """A person in motion: meshes, bones' rotations and the fitted model's segments (Anny's axes)."""

    vertices: np.ndarray
    rotations: np.ndarray
    transforms: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]


def common_places() -> list[Place]:
    """The names of the default model's markers, where anatomy has them."""
    found = []
    for m in read_virtual_markers(markerset_path("virtual_anatomy")):
        side = m.name[0] if m.segment[-2:] in ("_r", "_l") or m.name[:2] in ("RA", "LA", "RP", "LP", "RI", "LI") else ""
        names = ALIASES.get("S" + m.name[1:] if side and m.name != "SACR" else m.name, "")
        if m.name == "SACR":
            names = "SACRUM"
        weight = 2.0 if m.kind == "landmark" else 0.5
        aliases = " ".join(a.replace("S", side, 1) if a.startswith("S") and side else a for a in names.split())
        found.append(Place(m.name, m.segment, m.position, m.kind, weight, aliases, m.description))
    return found


def opencap_places() -> list[Place]:
    """The set of the OpenCap validation study."""
    anatomy = {m.name: m for m in read_virtual_markers(markerset_path("virtual_anatomy"))}
    found = []
    for name, place, kind, weight, source in OPENCAP:
        sides = ("R", "L") if name.startswith("S") else ({"r": "R", "L": "L"}.get(name[0], ""),)
        for side in sides:
            own = name
            if name.startswith("S"):
                letter = "r" if side == "R" and name[2:] in _LOWER else side
                own = letter + name[1:]
            segment, position, why = _segment_place(place, side, anatomy)
            found.append(Place(own, segment, position, kind, weight, "", source or why))
    return found


def _segment_place(
    place: str, side: str, anatomy: dict[str, VirtualMarker]
) -> tuple[str, tuple[float, float, float], str]:
    if ":" in place:
        marker = anatomy[place.split(":")[1].replace("S", side, 1) if side else place.split(":")[1]]
        return marker.segment, marker.position, f"as {marker.name}: {marker.description}"
    segment, x, y, z = place.split()
    outward = -1.0 if side == "L" else 1.0
    name = segment if segment in ("pelvis", "thorax") else f"{segment}_{side.lower()}"
    return name, (float(x), float(y), outward * float(z)), ""


def moved_people(takes: Path) -> list[Moved]:
    """People in CMU motion, with the default model fitted to their virtual markers."""
    model, config, body = virtual_model(), virtual_fit_config(), AnnyBody()
    found = []
    for shape in sample_adults(PEOPLE, SEED):
        poses: BodySequence = sample_poses(read_takes(takes, list(TAKES), shape, 30.0), FRAMES)
        done = fit(model, [virtual_markers(poses)], config)
        with torch.no_grad():
            transforms = done.model(torch.from_numpy(done.results[0].coordinates)).transforms.numpy()
        turn = poses.to_ground.T
        transforms = np.concatenate([turn @ transforms[..., :3, :3], (turn @ transforms[..., :3, 3:])], axis=-1)
        by_name = {name: transforms[:, k] for k, name in enumerate(model.body_names)}
        scales = dict(zip(model.body_names, done.scales))
        found.append(Moved(mesh(body, poses).astype(float), poses.rotations, by_name, scales))
    return found


def carried(place: Place, people: list[Moved], weights: np.ndarray, near: np.ndarray) -> tuple[int, np.ndarray]:
    """Vertex, and the marker's place from there at rest (3,) [m], for one marker."""
    points = []
    for person in people:
        frame = person.transforms[place.segment]
        points.append(frame[:, :, :3] @ (person.scales[place.segment] * place.position) + frame[:, :, 3])
    # Distances over all frames and people, of the vertices that may be meant.
    names = load_anny_data().joint_names
    base = place.segment.removesuffix("_r").removesuffix("_l")
    side = {"_r": ".R", "_l": ".L"}.get(place.segment[-2:], "")
    bones = [k for k, n in enumerate(names) if n.startswith(_BONES[base]) and (not side or n.endswith(side))]
    away = np.sqrt(
        np.mean(
            [((p.vertices[::6, near] - q[::6, None]) ** 2).sum(axis=2).mean(axis=0) for p, q in zip(people, points)],
            axis=0,
        )
    )
    share = weights[bones][:, near].sum(axis=0)
    best = int(near[np.argmin((away / _NEAR) ** 2 + _SHARE * (1 - share) ** 2)])
    shifts = []
    for person, q in zip(people, points):
        blended = np.einsum("b,tbij->tij", weights[:, best], person.rotations)
        shifts.append(np.linalg.solve(blended, (q - person.vertices[:, best])[..., None])[..., 0].mean(axis=0))
    return best, np.mean(shifts, axis=0)


def table(places: list[Place], people: list[Moved]) -> str:
    """The marker set as CSV; both sides mirror each other where both have the place."""
    data = load_anny_data()
    weights = data.weights(range(data.n_vertices))
    everything = np.arange(data.n_vertices)
    rest = rest_vertices(np.array([0.5, 0.7, 0.5, 0.5, 0.365, 0.5]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    done: dict[tuple[object, ...], tuple[int, np.ndarray]] = {}
    for place in places:
        limb = place.segment[-2:] in ("_r", "_l")
        outward = place.position[2] * (-1.0 if place.segment.endswith("_l") else 1.0)
        key = (place.segment[:-2] if limb else place.segment, *place.position[:2], outward if limb else abs(outward))
        if key in done:
            vertex, shift = done[key]
            vertex, shift = int(data.mirror_vertices[vertex]), shift * [-1.0, 1.0, 1.0]
        else:
            vertex, shift = carried(place, people, weights, everything)
            if place.position[2] == 0.0 and not limb:
                shift = shift * [0.0, 1.0, 1.0] - [rest[vertex, 0], 0.0, 0.0]
            done[key] = vertex, shift
        moved = " ".join(f"{1e3 * v:.0f}" for v in shift)
        writer.writerow([place.name, vertex, "", place.segment, place.kind, f"{place.weight:g}", moved, place.aliases, place.source])  # fmt: skip
    return text.getvalue()


def main() -> None:
    """Write both marker sets."""
    people = moved_people(Path(sys.argv[1]))
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else markerset_path("anny").parent
    for name, places in (("optical", common_places()), ("optical_opencap", opencap_places())):
        sys.stdout.write(f"{atomic_write(folder / f'{name}.csv', table(places, people))}\n")


if __name__ == "__main__":
    main()
