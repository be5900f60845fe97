"""A walk with known coordinates, and a small network that has learned a little of it."""

from __future__ import annotations

import numpy as np
import torch

from biopose_sim.io import Trial
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.losses import LossWeights, losses, make_truth
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.predict import Predictor
from biopose_sim.synthetic import frame_times, gait_coordinates

SIZES = {"window": 32, "hidden": 48, "width": 24, "heads": 2, "layers": 1, "blocks": 1}


def walk(skeleton, seconds=4.0, rate=30.0):
    """Coordinates (T, n_q) and a trial of the model's markers, walking."""
    coordinates = gait_coordinates(skeleton.model, seconds, rate)
    with torch.no_grad():
        markers = skeleton.model(torch.from_numpy(coordinates)).markers.numpy()
    times = frame_times(seconds, rate)
    return coordinates, Trial.checked("walk", times, markers, skeleton.model.marker_names)


def taught(skeleton, steps=60):
    """A predictor whose small network was trained for some seconds on the walk."""
    torch.manual_seed(0)
    network = make_network(skeleton, NetworkConfig(correction="gauss-newton", **SIZES))
    coordinates, trial = walk(skeleton)
    length = network.config.window
    q = torch.tensor(np.array([coordinates[k : k + length] for k in range(0, len(coordinates) - length, 11)])).float()
    markers = skeleton.model(q).markers
    framed = Framer(skeleton)(markers)
    pose = skeleton.encode(q, framed.heading, framed.origin)
    n = len(q)
    sizes = torch.zeros(n, skeleton.n_sizes)
    offsets = torch.zeros(n, len(trial.marker_names), 3)
    free = torch.ones(n, len(skeleton.joint_names), dtype=torch.bool)
    truth = make_truth(skeleton, pose, sizes, offsets, torch.ones(n, length, dtype=torch.bool), free)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        losses(skeleton, network(framed), truth, LossWeights(angles=1.0))["total"].backward()
        optimiser.step()
    return Predictor(network)
