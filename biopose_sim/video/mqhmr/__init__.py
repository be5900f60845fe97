"""MQ-HMR and HMR2.0: networks from pictures to body meshes, their data, training and metrics."""
