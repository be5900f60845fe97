"""Sizes and kinds of networks."""

from __future__ import annotations

from dataclasses import dataclass

from biopose_sim.errors import InputError, near_matches

NETWORKS = ("paper", "base")
FRAMES = ("person", "window")
CORRECTIONS = ("learned", "gauss-newton")
OUTPUTS = ("all", "last")


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network.

    Attributes:
        kind: ``"paper"`` or ``"base"``.
        window: frames that are seen together.
        hidden: width of the frame encoder (base).
        width: of the temporal transformer.
        heads: of its attention.
        layers: of the temporal transformer.
        blocks: of the frame encoder (base).
        refinements: how often the estimate is corrected by what its model's markers are off (base).
        marker_width: numbers a marker is embedded in (paper).
        convolutions: over the markers (paper).
        output: ``"all"`` frames of a window, or the ``"last"`` one.
        frame: what markers are seen in: ``"person"``, a frame that follows pelvis and heading, or ``"window"``, one for
            all frames of a window, the heading kept.
        correction: ``"learned"`` from what markers are off, or ``"gauss-newton"``: by how much of a step of the engine,
            smoothed over time as the network sees fit, and something learned besides (base).
    """

    kind: str = "base"
    window: int = 64
    hidden: int = 256
    width: int = 192
    heads: int = 4
    layers: int = 2
    blocks: int = 2
    refinements: int = 2
    marker_width: int = 16
    convolutions: int = 3
    output: str = "all"
    frame: str = "person"
    correction: str = "learned"

    def __post_init__(self) -> None:
        """Refuse what is no network.

        Raises:
            InputError: an unknown kind, output or frame, a size below one, a width that its heads do not divide.
        """
        valid_names = {"kind": NETWORKS, "output": OUTPUTS, "frame": FRAMES, "correction": CORRECTIONS}
        for name, valid in valid_names.items():
            value = getattr(self, name)
            if value not in valid:
                raise InputError(
                    f"network.{name}", f"{value!r}{near_matches(value, valid)}", f"give {' or '.join(valid)}"
                )
        for name in _SIZES:
            if getattr(self, name) < 1:
                raise InputError(f"network.{name}", f"is {getattr(self, name)}", "one at least is needed")
        if self.width % self.heads:
            raise InputError("network.width", f"{self.width} is no multiple of heads = {self.heads}")
        if min(self.refinements, self.blocks, self.convolutions) < 0:
            raise InputError("network", "refinements, blocks or convolutions below 0", "give 0 or more")


_SIZES = ("window", "hidden", "width", "heads", "layers", "marker_width")
