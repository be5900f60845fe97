"""Ground truth at scale: OpenSim's own tools in worker processes, and the runs built on them."""
