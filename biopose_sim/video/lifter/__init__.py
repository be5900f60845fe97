"""From 2D key points of one view to a motion of the OpenSim model, by a trained network."""
