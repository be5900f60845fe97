"""Mesh networks by the rules of the benchmarks: MPJPE, PA-MPJPE and MVE on pictures with known people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ...errors import InputError
from ..points.keypoints import Array
from .augment import NONE
from .layouts import BodyPointsOf
from .losses import Predicted
from .metrics import PROTOCOLS, PoseScores, joints_from_mesh, pose_scores
from .network import HmrOutput
from .streams import truth_of_pictures
from .truth import Truth
from .weak_camera import CropCamera

if TYPE_CHECKING:
    from ...bodies.smpl import SmplBody
    from .evaluation_files import EmdbSequence


def predicted(output: HmrOutput, points: BodyPointsOf) -> Predicted:
    """Return what a network said of a batch as losses take it."""
    own = points(output.body)
    pixels = output.crop.project(own + output.translation[:, None])
    return Predicted(output.rotations, output.shape, own, pixels)


def evaluate_network(
    network: nn.Module,
    data: Iterable[Truth],
    protocol: str,
    points: BodyPointsOf,
    *,
    mesh: bool = False,
    device: torch.device | str = "cpu",
) -> PoseScores:
    """Compare a network with the truth of images.

    Args:
        network: `MqHmr` or another that takes the same; put to evaluation mode meanwhile.
        data: batches: `mqhmr.streams.truths` of pictures, or validation data of a stream.
        protocol: of `metrics.PROTOCOLS`; its points are the first ones of ``points``.
        points: which points of the network's body are compared.
        mesh: whether whole meshes are compared too: the network's own body in the true pose and shape, where known.
        device: where the network is.

    Raises:
        InputError: an unknown protocol, a body without its points, no data.
    """
    rules = PROTOCOLS.get(protocol)
    if rules is None or len(points.layout.points) < rules.points:
        raise InputError("protocol", f"{protocol!r} is none for the body '{points.layout.name}'")
    rows: dict[str, list[Array]] = {name: [] for name in ("ours", "true", "confidence", "mesh", "true_mesh")}
    with evaluating(network):
        for batch in data:
            truth = batch.to(device)
            output = network(truth.images, truth.crop, vertices=mesh or points.whole_mesh)
            known = truth.points_3d[:, : rules.points]
            _add(rows, "ours", points(output.body)[:, : rules.points])
            _add(rows, "true", known[..., :3])
            _add(rows, "confidence", known[..., 3])
            if mesh:
                _add(rows, "mesh", output.body.vertices)
                _add(rows, "true_mesh", _true_mesh(network, points, truth))
    if not rows["ours"]:
        raise InputError("evaluation", "has no images", "give one at least")
    ours, true, confidence = (np.concatenate(rows[name]) for name in ("ours", "true", "confidence"))
    meshes = [np.concatenate(rows[name]) for name in ("mesh", "true_mesh")] if mesh else [None, None]
    return pose_scores(protocol, ours, true, confidence, *meshes)


def evaluate_emdb(
    network: nn.Module,
    sequences: Iterable[EmdbSequence],
    bodies: Mapping[str, SmplBody],
    points: BodyPointsOf,
    *,
    intrinsics: bool = False,
    batch: int = 32,
    device: torch.device | str = "cpu",
) -> PoseScores:
    """Compare a network of SMPL with EMDB: 24 joints regressed from meshes, and the meshes.

    EMDB's own program takes the joints that move the mesh instead of regressed ones, which differ by millimetres.

    Args:
        network: of the body SMPL.
        sequences: of EMDB 1, which meshes are compared on.
        bodies: SMPL by gender, ``"neutral"`` among them.
        points: of the network's body.
        intrinsics: whether the network is told EMDB's cameras; published figures are of networks that are not.
        batch: images at a time.
        device: where the network is.

    Raises:
        InputError: no body of a sequence's gender; a picture that cannot be read; no frames.
    """
    scores = []
    for sequence in sequences:
        for gender in ("neutral", sequence.gender):
            if gender not in bodies:
                raise InputError(sequence.name, f"needs the model of gender '{gender}'", "give its file too")
        for start in range(0, len(sequence.frames), batch):
            frames = sequence.frames[start : start + batch]
            chance = np.random.default_rng(0)
            truth = truth_of_pictures([(sequence[int(frame)], chance) for frame in frames], points, NONE).to(device)
            with evaluating(network):
                crop = truth.crop if intrinsics else CropCamera.unknown(truth.focal)
                vertices = network(truth.images, crop, vertices=True).body.vertices
            assert vertices is not None
            mesh = vertices.float().cpu().numpy().astype(float)
            joints = joints_from_mesh(mesh, bodies["neutral"].arrays.joint_regressor)
            true, true_mesh = sequence.truth(bodies[sequence.gender], frames)
            scores.append(pose_scores("emdb", joints, true, None, mesh, true_mesh))
    if not scores:
        raise InputError("EMDB", "has no frames that count", "give a sequence at least")
    return joined(scores)


def joined(scores: list[PoseScores]) -> PoseScores:
    """Return the scores of several sets of frames as of one."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in scores]) for name in ("mpjpe", "pa_mpjpe", "mve", "failed")
    }
    return PoseScores(scores[0].protocol, **arrays)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network to evaluation mode without gradients, and back."""
    before = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(before)


def _add(rows: dict[str, list[Array]], name: str, values: torch.Tensor | None) -> None:
    assert values is not None
    rows[name].append(values.detach().double().cpu().numpy())


def _true_mesh(network: nn.Module, points: BodyPointsOf, truth: Truth) -> torch.Tensor:
    """The network's body in the true pose and shape, NaN where they are unknown, at the place of the true points."""
    body: Any = network.body
    whole = body.forward(truth.rotations, truth.shape, vertices=True)
    pelvis = points.layout.pelvis
    shift = truth.points_3d[:, pelvis, :3] - points(whole)[:, pelvis]
    known = (truth.rotations_known > 0) & (truth.shape_known > 0)
    return torch.where(known[:, None, None], whole.vertices + shift[:, None], torch.full_like(whole.vertices, np.nan))
