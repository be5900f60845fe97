"""Differentiable forward kinematics of OpenSim models in torch."""
