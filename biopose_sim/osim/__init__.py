"""Reading and writing OpenSim models."""
