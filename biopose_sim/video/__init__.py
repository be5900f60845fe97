"""From video to motion of the OpenSim model.

``footage`` (clips, the detector), ``points`` (2D key points) → ``lifter`` (one camera), ``triangulation`` (several) or
``mqhmr`` (networks that see body meshes) → ``refine`` (by the key points). ``synthetic`` renders people to learn from.
"""
