"""From video: body meshes by MQ-HMR, key points, and refinement by both."""
