"""Several cameras: one clock, points in space, a model fitted to them."""
