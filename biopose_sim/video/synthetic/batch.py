"""What a network learns from: images of synthetic people cut out as a detector would, with all that is true of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PeopleBatch:
    """B square images of one person each; all numbers are of the cut-out image, as it is seen.

    The camera's axes point right, down and forward, its pinhole is the origin. The image is what an ideal camera with
    ``focal`` and ``centre`` sees: u = focal x / z + centre (`io.camera.Camera`, pixels from the upper left corner,
    middle of the first pixel at 0.5). ``AnnyBody.vertices(rotations, translation, phenotypes)`` is the body in the
    camera's axes. Mirrored motion is mirrored before it is drawn: left is the person's left everywhere.

    Attributes:
        image: (B, S, S, 3) uint8, red, green, blue.
        mask: (B, S, S) uint8, share of the pixel that the person covers, 0 to 255, occluders taken off.
        focal: (B,) of the cut-out [pixel of the image].
        centre: (B, 2) where the camera's axis meets the image, often outside of it [pixel of the image].
        box: (B, 3) middle across and down and side of the square in the full picture [pixel of the full picture];
            focal of the full picture = focal * side / S.
        picture: (B, 2) width and height of the full picture [pixel]; its principal point is its middle.
        key_points: (B, 23, 2) the points of `keypoints.COMMON` [pixel of the image], also those outside of it.
        visible: (B, 23) whether the point is inside the image and neither the body nor an occluder hides it.
        key_points_3d: (B, 23, 3) the same points in the camera's axes [m].
        markers: (B, 142, 3) virtual markers (`bodies.markers.read_body_markers("anny")`) in the camera's axes [m].
        rotations: (B, 104, 3, 3) of Anny's bones, from rest in Anny's axes to the axes of the camera.
        translation: (B, 3) head of the root bone in the camera's axes [m].
        phenotypes: (B, 6) in the order of ``anny.PHENOTYPES``.
        index: (B,) number of the image in the stream; the same seed and number give the same image.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    focal: Array
    centre: Array
    box: Array
    picture: Array
    key_points: Array
    visible: NDArray[np.bool_]
    key_points_3d: Array
    markers: Array
    rotations: Array
    translation: Array
    phenotypes: Array
    index: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of images B."""
        return len(self.image)
