"""OsimModel: an OpenSim model as a differentiable torch module."""

from __future__ import annotations

import copy
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from biopose_sim.errors import InputError
from biopose_sim.kinematics.fast import FastKinematics, Mode, What, check_mode, default_mode, is_fast
from biopose_sim.kinematics.forward import BodyPoses, TreeKinematics
from biopose_sim.kinematics.tree import KinematicTree
from biopose_sim.kinematics.tree_builder import build_tree
from biopose_sim.osim import schema
from biopose_sim.osim.parser import read_osim


class ForwardKinematics:
    """Result of one forward pass; each part is computed when it is first asked for.

    Positions are in metres in OpenSim's ground frame (Y up).
    """

    def __init__(
        self,
        kinematics: TreeKinematics,
        q: Tensor,
        scales: Tensor | None,
        offsets: Tensor | None,
        fast: FastKinematics | None = None,
    ) -> None:
        self._kinematics, self._fast, self._batch = kinematics, fast, q.shape[:-1]
        self._given = (
            q.reshape(self._batch.numel(), q.shape[-1]),
            _batch_first(scales, self._batch),
            _batch_first(offsets, self._batch),
        )

    @cached_property
    def _rows(self) -> Tensor:
        return self._given[0].movedim(0, -1)

    @cached_property
    def _scales(self) -> Tensor | None:
        s = _batch_last(self._given[1])
        return None if s is None else torch.cat([s.new_ones(1, 3, s.shape[-1]), s])

    @cached_property
    def _offsets(self) -> Tensor | None:
        return _batch_last(self._given[2])

    @cached_property
    def _completed(self) -> Tensor:
        return self._kinematics.complete(self._rows, self._scales)

    @cached_property
    def _poses(self) -> BodyPoses:
        return self._kinematics.poses(self._completed, self._scales)

    def _leading(self, values: Tensor) -> Tensor:
        """Move the batch from the last to the leading dimensions, as a view."""
        values = values.expand(*values.shape[:-1], int(np.prod(self._batch))) if values.shape[-1] == 1 else values
        return self._unflattened(values.movedim(-1, 0))

    def _unflattened(self, values: Tensor) -> Tensor:
        return values.unflatten(0, self._batch) if self._batch else values[0]

    @cached_property
    def coordinates(self) -> Tensor:
        """All coordinates with dependent and locked ones filled in, shape (..., n_q) [rad | m]."""
        return self._leading(self._completed)

    @cached_property
    def transforms(self) -> Tensor:
        """Ground <- body, shape (..., n_bodies, 4, 4) [m]."""
        if self._fast is not None:
            return self._unflattened(self._fast.compute("transforms", *self._given))
        poses = self._poses
        rows: list[Tensor] = []
        for r in range(3):
            rows += [poses.rotation[:, r], poses.position[:, r, None]]
        rows.append(self._kinematics.last_row.expand(poses.rotation.shape[0], 4, poses.rotation.shape[-1]))
        return self._leading(torch.cat(rows, dim=1).unflatten(1, (4, 4)))

    @cached_property
    def markers(self) -> Tensor:
        """Marker positions in ground, shape (..., n_markers, 3) [m]."""
        if self._fast is not None:
            return self._unflattened(self._fast.compute("markers", *self._given))
        return self._leading(self._kinematics.marker_positions(self._poses, self._scales, self._offsets))

    @cached_property
    def joint_centers(self) -> Tensor:
        """Origins of the joints' child frames in ground, shape (..., n_joints, 3) [m]."""
        if self._fast is not None:
            return self._unflattened(self._fast.compute("joint_centers", *self._given))
        return self._leading(self._kinematics.joint_centers(self._poses, self._scales))


class OsimModel(nn.Module):
    """Differentiable forward kinematics of an OpenSim model.

    ``model(q)`` takes coordinates in the model's own order (``coordinate_names``), radians and metres, with any
    leading batch dimensions, in float32 or float64, on any device. Dependent coordinates are computed from their
    couplers and locked ones stay at their default, whatever ``q`` holds for them. A model is never changed:
    :meth:`scale` returns a new one.

    Attributes:
        tree: the kinematic tree that the tensors were made from.
        scales: factors already applied relative to the file, shape (n_bodies, 3).
        marker_offsets: offsets already applied to the scaled marker locations, in body axes [m], (n_markers, 3).
        fast: whether compiled kernels compute on a CPU: "auto" (for batches where it pays), "never" or "always"
            (for any batch). The environment variable ``BIOPOSE_FAST`` sets the default. Inputs that only torch
            can handle (other devices, ``torch.func``, ``torch.compile``) go to torch in any case.
    """

    def __init__(
        self,
        tree: KinematicTree,
        scales: np.ndarray | None = None,
        marker_offsets: np.ndarray | None = None,
        fast: Mode | None = None,
    ) -> None:
        super().__init__()
        self.fast = default_mode() if fast is None else fast
        self.tree = tree
        self.scales = np.ones((len(tree.body_names), 3)) if scales is None else scales
        self.marker_offsets = np.zeros((len(tree.marker_names), 3)) if marker_offsets is None else marker_offsets
        self._variants: dict[tuple[torch.dtype, torch.device], TreeKinematics] = {}

    @property
    def fast(self) -> Mode:
        """When compiled kernels compute: "auto", "never" or "always"."""
        return self._fast_mode

    @fast.setter
    def fast(self, mode: Mode) -> None:
        self._fast_mode: Mode = check_mode(mode, "OsimModel.fast")

    @classmethod
    def from_file(cls, path: str | Path) -> OsimModel:
        """Read an .osim file.

        Raises:
            InputError: as :func:`biopose_sim.osim.parser.read_osim`, or joints that do not make a tree.
        """
        return cls(build_tree(read_osim(path)))

    @property
    def model(self) -> schema.Model:
        """The parsed (unscaled) file."""
        return self.tree.model

    @property
    def path(self) -> Path | None:
        """The file it came from."""
        return self.tree.model.path

    @property
    def name(self) -> str:
        """The model's name."""
        return self.tree.model.name

    @property
    def body_names(self) -> tuple[str, ...]:
        """Body names, in the order of ``transforms``."""
        return self.tree.body_names

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Coordinate names, in the order of ``q``."""
        return self.tree.coordinate_names

    @property
    def motion_types(self) -> tuple[schema.MotionType, ...]:
        """Per coordinate "rotational", "translational" or "coupled"."""
        return tuple(c.motion_type for c in self.tree.model.coordinates)

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Marker names, in the order of ``markers``."""
        return self.tree.marker_names

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names, in the order of ``joint_centers``."""
        return self.tree.joint_names

    @property
    def default_coordinates(self) -> Tensor:
        """Default values of the coordinates, shape (n_q,), float64 [rad | m]."""
        return torch.from_numpy(self.tree.defaults)

    def kinematics(self, dtype: torch.dtype, device: torch.device) -> TreeKinematics:
        """The tables in the given precision on the given device (made once each)."""
        key = (dtype, device)
        if key not in self._variants:
            base = self._variants.get((torch.float64, torch.device("cpu")))
            if base is None:
                base = TreeKinematics(self.tree)
                self._variants[torch.float64, torch.device("cpu")] = base
            if key not in self._variants:
                self._variants[key] = copy.deepcopy(base).to(dtype=dtype, device=device)
        return self._variants[key]

    def forward(
        self, q: Tensor, scales: Tensor | None = None, marker_offsets: Tensor | None = None
    ) -> ForwardKinematics:
        """Forward kinematics.

        Args:
            q: coordinates, shape (..., n_q) [rad | m].
            scales: factors per body and axis, shape (n_bodies, 3) or (..., n_bodies, 3), on top of this model's.
            marker_offsets: added to the scaled marker locations, in body axes [m], shape (n_markers, 3) or
                (..., n_markers, 3).

        Raises:
            InputError: shapes that do not fit the model.
        """
        self._check("q", q, (len(self.coordinate_names),))
        if scales is not None:
            self._check("scales", scales, (len(self.body_names), 3))
            scales = scales.to(q)
        if marker_offsets is not None:
            self._check("marker_offsets", marker_offsets, (len(self.marker_names), 3))
            marker_offsets = marker_offsets.to(q)
        fast = None
        if is_fast(self.fast, q.shape[:-1].numel(), q, scales, marker_offsets):
            fast = self._fast_kinematics
        return ForwardKinematics(self.kinematics(q.dtype, q.device), q, scales, marker_offsets, fast)

    @cached_property
    def _fast_kinematics(self) -> FastKinematics:
        return FastKinematics(self.tree, self._reference)

    def _reference(self, what: What, q: Tensor, scales: Tensor | None, marker_offsets: Tensor | None) -> Tensor:
        """One result by torch operations."""
        result = ForwardKinematics(self.kinematics(q.dtype, q.device), q, scales, marker_offsets)
        return cast(Tensor, getattr(result, what))

    def _check(self, what: str, value: Tensor, expected: tuple[int, ...]) -> None:
        if tuple(value.shape[-len(expected) :]) != expected:
            raise InputError(
                self.name, f"{what} has shape {tuple(value.shape)}", f"its last dimensions must be {expected}"
            )

    def scale(self, scales: Tensor | np.ndarray, marker_offsets: Tensor | np.ndarray | None = None) -> OsimModel:
        """Return the model scaled as OpenSim's ``Model.scale`` does it, with markers moved by the offsets.

        Args:
            scales: factors per body and axis, shape (n_bodies, 3).
            marker_offsets: added to the scaled marker locations, in body axes [m], shape (n_markers, 3).
        """
        s = np.asarray(torch.as_tensor(scales).detach().cpu(), dtype=float)
        self._check("scales", torch.as_tensor(s), (len(self.body_names), 3))
        if not np.all(np.isfinite(s)) or np.any(s <= 0.0):
            raise InputError(self.name, "scale factors must be positive numbers")
        offsets = None
        if marker_offsets is not None:
            offsets = np.asarray(torch.as_tensor(marker_offsets).detach().cpu(), dtype=float)
            self._check("marker_offsets", torch.as_tensor(offsets), (len(self.marker_names), 3))
        on_body = np.concatenate([np.ones((1, 3)), s])[self.tree.marker_body + 1]
        moved = self.marker_offsets * on_body + (0.0 if offsets is None else offsets)
        return OsimModel(self.tree.scaled(s, offsets), self.scales * s, moved, self.fast)


def _batch_first(value: Tensor | None, batch: torch.Size) -> Tensor | None:
    """(..., n, 3) to (B, n, 3), or (n, 3) as it is."""
    if value is None or value.dim() == 2:
        return value
    return value.expand(*batch, *value.shape[-2:]).reshape(batch.numel(), *value.shape[-2:])


def _batch_last(value: Tensor | None) -> Tensor | None:
    """(B, n, 3) to (n, 3, B), or (n, 3) to (n, 3, 1)."""
    if value is None:
        return None
    return value.unsqueeze(-1) if value.dim() == 2 else value.movedim(0, -1)
