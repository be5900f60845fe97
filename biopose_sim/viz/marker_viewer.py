"""A page that shows body, skeleton and virtual markers in 3D: one HTML file that needs no network."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.viz.body_markers import MarkerScene
from biopose_sim.viz.marker_pictures import COLOURS

_PAGE = Path(__file__).with_name("marker_viewer.html")
_PLACE = "/*SCENE*/"
_STEP = 0.0001  # [m] of a vertex coordinate in the page; 16 bits reach 3.2 m


def marker_page(scene: MarkerScene) -> str:
    """Return the page as HTML.

    Args:
        scene: see `body_markers.marker_scene`.
    """
    content: dict[str, Any] = {
        "body": scene.body,
        "step": _STEP,
        "vertices": _packed(np.round(scene.vertices / _STEP), "<i2"),
        "faces": _packed(scene.faces, "<u2"),
        "centre": [0.0, float(scene.vertices[:, 1].max() / 2), 0.0],
        "bones": np.round(scene.bones, 4).tolist(),
        "colours": COLOURS,
        "markers": [
            {
                "name": marker.name,
                "segment": marker.segment,
                "kind": marker.kind,
                "weight": marker.weight,
                "description": marker.description,
                "body": np.round(scene.on_body[index], 4).tolist(),
                "facing": np.round(scene.facing[index], 3).tolist(),
                "skeleton": np.round(scene.on_skeleton[index], 4).tolist(),
            }
            for index, marker in enumerate(scene.markers)
        ],
    }
    # "</" would end the script element.
    text = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    return _PAGE.read_text(encoding="utf-8").replace(_PLACE, text)


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")
