"""A clip through a mesh network: crops of the person, batches, a body motion that the camera of the clip sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...bodies.types import BodySequence
from ...errors import InputError
from ..points.keypoints import Array
from ..refine.paper import PaperConfig
from ..types import View
from .body import Clip
from .crops import PADDING, boxes_of, cut_out, to_crop
from .hmr2 import Hmr2
from .network import HmrOutput, MqHmr
from .weak_camera import CropCamera

Progress = Callable[[int, int], None]
UNSEEN, PLAIN = "unseen", "unrefined"


@dataclass(frozen=True)
class PredictConfig:
    """How a clip goes through a network.

    Attributes:
        batch: crops at once.
        device: of the network; on a GPU it computes in bfloat16 but for its head.
        padding: side of the box by the larger side of what was seen of the person.
        refine: the paper's refinement by the key points; none by default. For MQ-HMR only.
        queries: whether that changes the decoder's input queries rather than its output tokens.
    """

    batch: int = 16
    device: str = "cpu"
    padding: float = PADDING
    refine: PaperConfig | None = None
    queries: bool = False


@dataclass(frozen=True, eq=False)
class ClipPrediction:
    """What a network says of a clip.

    Attributes:
        sequence: the motion; its ``to_ground`` takes it to the frame of the camera, so that the camera of the view sees
            its virtual markers where the person is. Frames that were not seen hold the pose of the last one seen.
        boxes: (T, 3) middle across and down and side [pixel]; NaN where the person was not seen.
        weak: (T, 3) s, tx, ty in the crops; NaN where the person was not seen.
        flags: for each frame ``"ok"``, ``"unseen"``, ``"unrefined"`` (not asked for), ``"few_points"``, ``"no_better"``
            or ``"behind"``; see `refine.paper.PaperRefined`.
    """

    sequence: BodySequence
    boxes: Array
    weak: Array
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Frames of one pass: their numbers, crops, boxes in the ideal picture and their cameras."""

    numbers: list[int]
    images: Tensor
    boxes: Array
    crop: CropCamera


def predict_clip(
    network: MqHmr | Hmr2,
    frames: Iterable[NDArray[np.uint8]],
    view: View,
    config: PredictConfig = PredictConfig(),
    boxes: Array | None = None,
    progress: Progress | None = None,
) -> ClipPrediction:
    """Say how a person moves in a clip, frame by frame.

    Args:
        network: MQ-HMR or HMR2.0; it is moved to the device.
        frames: (H, W, 3) uint8 each, red, green, blue; as many as the view has times.
        view: the camera of the clip, with true intrinsics wherever they are known, and the person's key points.
        config: how.
        boxes: (T, 3) see `crops`; from the key points if none are given. NaN: not seen.
        progress: told how many of how many frames are done.

    Raises:
        InputError: fewer or more frames than times, boxes of another shape, the person nowhere, or a refinement asked
            for of HMR2.0.
    """
    points = view.key_points
    where, count = points.source or points.name, len(points.time)
    if config.refine is not None and not isinstance(network, MqHmr):
        raise InputError("refinement", "HMR2.0 has no query tokens to refine", "take MQ-HMR, or --refine joint")
    boxes = boxes_of(points, config.padding) if boxes is None else np.asarray(boxes, dtype=float)
    if boxes.shape != (count, 3):
        raise InputError(where, f"boxes of shape {boxes.shape}", f"give ({count}, 3)")
    seen = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0)
    if not seen.any():
        raise InputError(where, "shows the person in no frame", "choose another person or clip")
    network = network.to(config.device).eval()
    found = _Found(count, network.body.n_shape)
    for batch in _batches(frames, view, boxes, seen, config, where):
        output, flags = _passed(network, batch, view, config)
        found.take(batch.numbers, output, flags)
        if progress is not None:
            progress(min(batch.numbers[-1] + 1, count), count)
    return _prediction(network, view, boxes, seen, found)


def _batches(
    frames: Iterable[NDArray[np.uint8]],
    view: View,
    boxes: Array,
    seen: NDArray[np.bool_],
    config: PredictConfig,
    where: str,
) -> Iterator[_Batch]:
    """The frames in which the person is, cut out; all others are read and let go."""
    # Boxes of the picture that an ideal lens would show: of these the camera says where they look.
    ideal = boxes.copy()
    ideal[seen, :2] = view.camera.undistorted(boxes[seen, :2])
    known = ((number, frame) for number, frame in _counted(frames, len(seen), where) if seen[number])
    while part := list(islice(known, max(config.batch, 1))):
        numbers = [number for number, _ in part]
        images = [cut_out(frame, boxes[[number]]) for number, frame in part]
        crop = CropCamera.of(view.camera, torch.from_numpy(ideal[numbers]).float())
        yield _Batch(numbers, torch.cat(images).to(config.device), ideal[numbers], crop.to(config.device))


def _counted(frames: Iterable[NDArray[np.uint8]], count: int, where: str) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    number = -1
    for number, frame in enumerate(frames):
        if number >= count:
            break
        yield number, frame
    if number + 1 != count:
        more = "more than " if number >= count else ""
        problem = f"has key points of {count} frames, and {more}{min(number + 1, count)} pictures"
        raise InputError(where, problem, "take both from the same clip")


def _passed(network: MqHmr | Hmr2, batch: _Batch, view: View, config: PredictConfig) -> tuple[HmrOutput, list[str]]:
    device = torch.device(config.device)
    faster = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
    with torch.no_grad(), faster:
        if config.refine is None or not isinstance(network, MqHmr):
            return network(batch.images, batch.crop), [PLAIN] * len(batch.numbers)
        maps = network.cells(batch.images)
        output = network.said(network.decoder(maps), batch.crop)
    points = view.key_points
    pixels = to_crop(view.camera.undistorted(points.points[batch.numbers]), batch.boxes)
    confidence = points.confidence[batch.numbers]
    targets, shares = (torch.from_numpy(values).float().to(device) for values in (pixels, confidence))
    refined, said = network.refine(output, targets, shares, config.refine, maps if config.queries else None)
    return refined, list(said.flags)


class _Found:
    """What was said of each frame, on the CPU."""

    def __init__(self, count: int, n_shape: int) -> None:
        self.rotations = torch.full((count, 24, 3, 3), torch.nan)
        self.shape = torch.full((count, n_shape), torch.nan)
        self.pelvis = torch.full((count, 3), torch.nan)
        self.weak = torch.full((count, 3), torch.nan)
        self.flags = [UNSEEN] * count

    def take(self, numbers: list[int], output: HmrOutput, flags: list[str]) -> None:
        """Note a batch."""
        values = (output.rotations, output.shape, output.translation, output.weak)
        for kept, said in zip((self.rotations, self.shape, self.pelvis, self.weak), values, strict=True):
            kept[numbers] = said.detach().float().cpu()
        for number, flag in zip(numbers, flags, strict=True):
            self.flags[number] = flag


def _prediction(
    network: MqHmr | Hmr2, view: View, boxes: Array, seen: NDArray[np.bool_], found: _Found
) -> ClipPrediction:
    points, camera = view.key_points, view.camera
    # The last frame seen, or the first one where none was before.
    held = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), -1))
    held[held < 0] = int(np.argmax(seen))
    clip = Clip(points.name, points.time, seen, None, points.assumptions)
    motion = network.body.to_sequence(clip, found.rotations[held], found.shape[held], found.pelvis[held])
    # So that turning it to the ground also brings it to its place there.
    moved = motion.translation + camera.rotation @ camera.position
    motion = replace(motion, translation=moved, to_ground=camera.rotation.T)
    return ClipPrediction(motion, boxes, found.weak.double().numpy(), tuple(found.flags))
