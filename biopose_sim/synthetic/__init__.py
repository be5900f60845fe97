"""Synthetic people who walk: for the demonstration, the tests and wherever the truth must be known."""

from __future__ import annotations

from biopose_sim.synthetic.anthropometry import random_anthropometry
from biopose_sim.synthetic.body_gait import body_motion, motion_as_bvh
from biopose_sim.synthetic.curves import GaitCurve, normative_curves
from biopose_sim.synthetic.gait import Gait, frame_times, gait_coordinates, solve_gait, static_pose
from biopose_sim.synthetic.markers import markers_from_coordinates, recorded

__all__ = [
    "Gait",
    "GaitCurve",
    "body_motion",
    "frame_times",
    "gait_coordinates",
    "markers_from_coordinates",
    "motion_as_bvh",
    "normative_curves",
    "random_anthropometry",
    "recorded",
    "solve_gait",
    "static_pose",
]
