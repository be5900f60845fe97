"""A BVH motion as the text of a file."""

from __future__ import annotations

from biopose_sim.io.bvh import Bvh


def bvh_text(bvh: Bvh) -> str:
    """Lengths in the unit of ``bvh``; joints without children end in an End Site 5 cm below."""
    columns, first = [], 0
    for names in bvh.channels:
        columns.append(range(first, first + len(names)))
        first += len(names)
    order: list[int] = []
    lines = ["HIERARCHY", *_joint(bvh, 0, order), "MOTION", f"Frames: {bvh.n_frames}"]
    lines.append(f"Frame Time: {bvh.frame_time:.8f}")
    written = [column for joint in order for column in columns[joint]]
    lines += [" ".join(f"{value:.6f}" for value in row[written]) for row in bvh.values]
    return "\n".join(lines) + "\n"


def _joint(bvh: Bvh, joint: int, order: list[int]) -> list[str]:
    order.append(joint)
    children = [child for child, parent in enumerate(bvh.parents) if parent == joint]
    lines = [f"{'JOINT' if joint else 'ROOT'} {bvh.joint_names[joint]}", "{"]
    lines.append("OFFSET " + " ".join(f"{value:.6f}" for value in bvh.offsets[joint]))
    lines.append(f"CHANNELS {len(bvh.channels[joint])} {' '.join(bvh.channels[joint])}")
    for child in children:
        lines += _joint(bvh, child, order)
    if not children:
        lines += ["End Site", "{", "OFFSET 0 -0.05 0", "}"]
    return [*lines, "}"]
