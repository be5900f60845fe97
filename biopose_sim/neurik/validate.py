"""Validation in the course of training: errors of single windows of persons that are not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.neurik.batches import Windows, ahead, windows_of
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.metrics import angle_errors, landmark_distances
from biopose_sim.neurik.network import NeurIKNetwork
from biopose_sim.neurik.scoring import counts
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardData

ANGLE, LANDMARKS = "val_angle", "val_landmarks"


class Validation:
    """Measures a network on the same windows each time, as `evaluate` measures whole trials.

    Args:
        folder: of the shards.
        skeleton: of the shards' model.
        window: frames of a window.
        most: windows, spread over the split.
        size: windows at a time.
        device: where the network is.

    Raises:
        InputError: no shards there, or a validation split without trials.
    """

    def __init__(
        self, folder: Path, skeleton: Skeleton, *, window: int, most: int, size: int, device: torch.device
    ) -> None:
        quantities = ("markers", "coordinates", "model_markers")
        self.data = ShardData(folder, "val", window=window, quantities=quantities)
        if not len(self.data):  # frames beyond a trial's end are in the window and do not count
            self.data = ShardData(folder, "val", window=window, pad=True, quantities=quantities)
        if not len(self.data):
            raise InputError(folder, "its split 'val' holds no trials", "give shards of more persons")
        self.skeleton, self.framer, self.device = skeleton, Framer(skeleton), device
        card = self.data.card
        about = card.content["model"]
        self._turning = np.array([counts(c) for c in about["coordinates"]])
        self._root = card.names["bodies"].index(about["root_body"])
        self._landmarks = [card.names["markers"].index(name) for name in about["landmarks"]]
        rows = np.unique(np.linspace(0, len(self.data) - 1, min(most, len(self.data))).astype(int))
        self._parts = [rows[k : k + size] for k in range(0, len(rows), size)]

    @torch.no_grad()
    def __call__(self, network: NeurIKNetwork) -> dict[str, float]:
        """Return MAE_angle [deg] and MPBLPE [mm] of the frames that the network says."""
        network.eval()
        angles = np.zeros((2, len(self._turning)))
        landmarks = np.zeros(2)
        for windows, found in ahead((windows_of(found), found) for found in map(self.data.batch, self._parts)):
            q, markers, root = self._predicted(network, windows)
            frames = slice(windows.valid.shape[1] - q.shape[1], None)
            valid = found["valid"][:, frames]
            of = valid[..., None] & (self._turning & found["coordinates_free"])[:, None]
            apart = angle_errors(q, found["coordinates"][:, frames])
            angles += np.array([(apart * of).sum(axis=(0, 1)), of.sum(axis=(0, 1))])
            true_root = self._roots(windows)[:, frames]
            true = found["model_markers"][:, frames][..., self._landmarks, :]
            far = landmark_distances(markers[valid], true[valid], root[valid], true_root[valid])
            landmarks += [far.sum(), far.size]
        known = angles[1] > 0
        return {
            ANGLE: float((angles[0][known] / angles[1][known]).mean()),
            LANDMARKS: float(landmarks[0] / max(landmarks[1], 1.0)),
        }

    def _predicted(self, network: NeurIKNetwork, windows: Windows) -> tuple[NDArray[Any], ...]:
        """Coordinates, landmarks and the root's place in ground, of the frames that the network says."""
        framed = self.framer(windows.on(self.device).markers)
        estimate = network(framed)[-1]
        of = slice(framed.heading.shape[1] - estimate.pose.joints.shape[1], None)
        q = self.skeleton.decode(estimate.pose, framed.heading[:, of], framed.origin[:, of])
        scales = self.skeleton.scales(estimate.sizes)[:, None].expand(*q.shape[:2], -1, -1)
        offsets = network.marker_offsets(estimate.sizes)[:, None].expand(*q.shape[:2], -1, -1)
        found = self.skeleton.model(q, scales, offsets)
        parts = (q, found.markers[..., self._landmarks, :], found.transforms[..., self._root, :3, 3])
        return tuple(part.cpu().numpy() for part in parts)

    def _roots(self, windows: Windows) -> NDArray[Any]:
        scales = windows.scales[:, None].expand(*windows.coordinates.shape[:2], -1, -1)
        return self.skeleton.model(windows.coordinates, scales).transforms[..., self._root, :3, 3].numpy()
