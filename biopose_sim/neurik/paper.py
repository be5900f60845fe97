"""The paper's numbers, to stand beside ours: BioPose, Table 2; measured from video, on data sets we do not use."""

from __future__ import annotations

from dataclasses import dataclass

NOTE = "the paper's, measured on other data, from video"


@dataclass(frozen=True)
class Published:
    """A line of the table: MAE_body [mm], MPBLPE [mm] and MAE_angle [deg], None where none is given."""

    method: str
    dataset: str
    body: float | None
    landmarks: float | None
    angle: float | None


PUBLISHED = (
    Published("D3KE", "BML-MoVi", 5.90, 36.98, 3.54),
    Published("D3KE", "BEDLAM", 8.26, 39.45, 6.72),
    Published("D3KE", "OpenCap", 7.15, 38.62, 5.92),
    Published("OpenCap, several cameras", "OpenCap", None, None, 4.50),
    Published("HMR2.0 + NeurIK", "BML-MoVi", 5.86, 35.90, 3.31),
    Published("HMR2.0 + NeurIK", "BEDLAM", 6.01, 36.62, 3.85),
    Published("HMR2.0 + NeurIK", "OpenCap", 5.89, 36.07, 3.41),
    Published("MQ-HMR + NeurIK", "BML-MoVi", 5.26, 28.39, 3.87),
    Published("MQ-HMR + NeurIK", "BEDLAM", 5.62, 30.12, 4.16),
    Published("MQ-HMR + NeurIK", "OpenCap", 5.42, 32.17, 4.02),
    Published("MQ-HMR + NeurIK with 2D refinement", "BML-MoVi", 3.97, 25.76, 2.84),
    Published("MQ-HMR + NeurIK with 2D refinement", "BEDLAM", 4.28, 26.54, 3.14),
    Published("MQ-HMR + NeurIK with 2D refinement", "OpenCap", 4.87, 26.34, 3.19),
)
