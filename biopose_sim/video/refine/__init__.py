"""Refinement by 2D key points: as BioPose published it, and of all frames together on the OpenSim model."""
