"""From motion to forces: ground reactions measured or estimated, and OpenSim's tools that follow from them."""
