"""The 3D view of results: a scene of figures in the browser (viser), or in pictures and films without a display.

Modules: :mod:`~biopose_sim.viz.viewer.scene` (what there is to see, independent of who draws it),
:mod:`~biopose_sim.viz.viewer.geometry` and :mod:`~biopose_sim.viz.viewer.anatomy` (bones from files or built in),
:mod:`~biopose_sim.viz.viewer.picture` and :mod:`~biopose_sim.viz.viewer.film` (PNG and MP4),
:mod:`~biopose_sim.viz.viewer.live` (the browser).
"""
