"""Where ``biopose video`` starts from body meshes: a network that the user brings, or a file of a tool's results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from biopose_sim.cli.bodies import Reading, parse_upright, read_person
from biopose_sim.cli.console import Progress
from biopose_sim.cli.video_sources import Sight
from biopose_sim.errors import InputError
from biopose_sim.video.types import Estimate

if TYPE_CHECKING:
    from biopose_sim.bodies.types import BodySequence
    from biopose_sim.bodies.upright import Upright
    from biopose_sim.cli.videoing import Wishes


def estimate_from_file(wishes: Wishes, sight: Sight, progress: Progress) -> Estimate:
    """Return the motion of the meshes of a file, placed by the key points.

    Raises:
        InputError: the file, or its body model, cannot be used.
    """
    from biopose_sim.video.refine.from_meshes import hmr_estimate

    assert wishes.hmr is not None  # asked before
    progress(f"reading {wishes.hmr.name}")
    fps = wishes.fps or sight.view.key_points.fps
    reading = Reading(fps=fps, track=wishes.track, frame="camera", upright=_upright(wishes, sight))
    try:
        recorded = read_person([wishes.hmr], reading, wishes.body_models)
    except InputError as error:
        if "--frame" not in error.remedy:
            raise
        raise InputError(error.source, error.problem, "give meshes in the axes of the clip's camera") from error
    progress("NeurIK sees the meshes")
    return hmr_estimate(recorded.sequences[0], sight.view, stature=wishes.stature, body=recorded.body)


def estimate_from_network(wishes: Wishes, sight: Sight, progress: Progress) -> Estimate:
    """Return the motion that a mesh network sees in the clip.

    Raises:
        InputError: the weights cannot be used, or there is no clip to look at.
    """
    from biopose_sim.video.mqhmr.files import open_network, warning_of
    from biopose_sim.video.mqhmr.predict import PredictConfig, predict_clip
    from biopose_sim.video.refine.from_meshes import hmr_estimate
    from biopose_sim.video.refine.paper import PaperConfig

    assert wishes.checkpoint is not None  # asked before
    if sight.clip is None:
        raise InputError(sight.name, "is key points without a clip", "a mesh network needs the pictures: name the CLIP")
    progress(f"reading {wishes.checkpoint.name}")
    network = open_network(wishes.checkpoint, wishes.body_models)
    refine = PaperConfig() if wishes.refine == "paper" else None

    def tell(done: int, of: int) -> None:
        progress(f"the network looks at {sight.name}: {done} of {of} frames")

    config = PredictConfig(refine=refine, device=device())
    found = predict_clip(network, sight.clip.frames(), sight.view, config, progress=tell)
    sequence = _turned(found.sequence, _upright(wishes, sight))
    progress("NeurIK sees the meshes")
    estimate = hmr_estimate(sequence, sight.view, stature=wishes.stature, model_folder=wishes.body_models)
    warning = warning_of(wishes.checkpoint)
    return replace(estimate, notes=(warning, *estimate.notes)) if warning else estimate


def _upright(wishes: Wishes, sight: Sight) -> Upright | None:
    """How the vertical lies before the camera, as calibration or user say; None where neither does."""
    if sight.placed:
        x, y, z = sight.view.camera.rotation @ (0.0, 1.0, 0.0)
        return float(np.degrees(np.arcsin(-z))), float(np.degrees(np.arctan2(-x, -y)))
    return parse_upright(None if wishes.up == "auto" else wishes.up)


def _turned(sequence: BodySequence, way: Upright | None) -> BodySequence:
    """A network's motion with the vertical found; before a level camera where the person never stands."""
    from biopose_sim.bodies.upright import turn_upright

    if way is not None:
        return turn_upright(sequence, way)
    # How a standing body shows the vertical is known of the SMPL family's joints alone.
    try:
        return turn_upright(sequence, "level" if sequence.body == "anny" else "body")
    except InputError:
        return turn_upright(sequence, "level")


def device() -> str:
    """Return where networks compute: on a GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
