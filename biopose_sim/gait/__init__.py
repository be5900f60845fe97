"""Events and cycles of gait, spatiotemporal parameters, and how people usually walk."""
