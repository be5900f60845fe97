"""WHAM (yohanshin/WHAM, ``demo.py``): joblib ``wham_output.pkl``, SMPL in the camera and in an upright world.

``{track: {pose (T, 72), trans (T, 3), pose_world, trans_world, betas (T, 10), verts (T, 6890, 3), frame_ids (T,)}}``;
``verts`` and the names without ``_world`` are in camera axes. No frame rate is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InputError
from ..types import LEVEL_CAMERA, Y_UP, BodySequence
from .checks import betas_of, floats, from_axis_angle
from .clip import Clip, Format, Options, Track, check_frame_option, finish, frame_rate, same_length
from .content import Content

_WHAT = "WHAM's result"
# Vertices over the four spines of the pelvis (LASI, RASI, LPSI, RPSI; bittnerma/Direct3DKinematicEstimation,
# smplh_vertex_index.py): their middle stands for the pelvis joint, which only the body model's file would tell.
_PELVIS = (1799, 5262, 3097, 6521)


def _matches(content: Content) -> bool:
    data = content.data
    if content.kind != "pickle" or not isinstance(data, Mapping) or not data:
        return False
    return all(isinstance(person, Mapping) and {"pose", "frame_ids"} <= person.keys() for person in data.values())


def _tracks(content: Content) -> list[Track]:
    return [Track(str(key), len(person["frame_ids"])) for key, person in content.data.items()]


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    source = content.path
    person = next(p for key, p in content.data.items() if str(key) == track.key)
    sides = ("world", "camera") if {"pose_world", "trans_world"} <= person.keys() else ("camera",)
    world = check_frame_option(source, options, sides, _WHAT) == "world"
    if missing := [key for key in ("trans", "betas") if key not in person]:
        raise InputError(source, f"track '{track.key}' lacks {', '.join(missing)}")
    suffix = "_world" if world else ""
    rotations = from_axis_angle(source, f"pose{suffix}", person[f"pose{suffix}"], (72,))
    translation = floats(source, f"trans{suffix}", person[f"trans{suffix}"], (None, 3))
    frames = floats(source, "frame_ids", person["frame_ids"], (None,))
    same_length(source, pose=len(rotations), trans=len(translation), frame_ids=len(frames))
    notes = ["WHAM's results are for the neutral body."]
    vertices = _mesh(content, person, len(frames))
    if world:
        notes.append(
            "WHAM's world is taken to be upright, its y axis up. It has no floor; its translation, of the middle of "
            "the hips, is taken for that of the body model, which puts the whole body about 0.3 m lower."
        )
        if vertices is not None:
            vertices = _mesh_in_world(content, person, vertices, rotations[:, 0], translation)
            notes.append("The mesh is turned from the camera into the world about the pelvis, to within centimetres.")
    clip = Clip(
        source=source,
        name=f"{source.stem}_{track.key}",
        body="smpl",
        rate=frame_rate(source, options, None, notes, _WHAT),
        frames=frames,
        rotations=rotations,
        translation=translation,
        shape=betas_of(source, person["betas"], len(frames)),
        gender="neutral",
        to_ground=Y_UP if world else LEVEL_CAMERA,
        vertices=vertices,
        topology=None if vertices is None else "smpl",
        camera=not world,
        notes=notes,
    )
    return finish(clip, options)


def _mesh(content: Content, person: Mapping[str, Any], n_frames: int) -> np.ndarray | None:
    """The mesh in camera axes (T, 6890, 3), in its own precision, or None."""
    if person.get("verts") is None:
        return None
    vertices = np.asarray(person["verts"])
    if vertices.shape != (n_frames, 6890, 3) or not np.issubdtype(vertices.dtype, np.floating):
        raise InputError(content.path, f"verts has shape {vertices.shape}", f"expected ({n_frames}, 6890, 3)")
    return vertices


def _mesh_in_world(
    content: Content, person: Mapping[str, Any], vertices: np.ndarray, root: np.ndarray, translation: np.ndarray
) -> np.ndarray:
    """Turn the mesh (T, 6890, 3) from camera to world axes.

    A body model gives v = R (x - j) + j + t with the pelvis joint j of the person at rest, so
    v_world = R_world R_camera^T (v_camera - j - t_camera) + j + t_world; j is estimated from the mesh.
    """
    camera_root = from_axis_angle(content.path, "pose", person["pose"], (72,))[:, 0]
    camera_translation = floats(content.path, "trans", person["trans"], (len(root), 3))
    joint = np.nanmedian(vertices[:, _PELVIS].mean(axis=1) - camera_translation, axis=0)
    turn = root @ np.swapaxes(camera_root, 1, 2)
    centred = vertices - (joint + camera_translation)[:, None]
    return (centred @ np.swapaxes(turn, 1, 2) + (joint + translation)[:, None]).astype(vertices.dtype)


FORMATS = (Format("WHAM", _matches, _tracks, _read),)
