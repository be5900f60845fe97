"""The shipped table of Anny against Anny itself, and what it promises by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.anny import PHENOTYPES, AnnyBody, anny_package_vertices
from biopose_sim.bodies.anny_build import require_anny, table_arrays
from biopose_sim.bodies.anny_table import ANNY_FILE, load_anny_data, phenotype_coefficients
from biopose_sim.bodies.skin import evaluate
from biopose_sim.errors import InputError
from biopose_sim.paths import models_dir

MOST_OFF = 2e-4  # [m]


@pytest.fixture(scope="module")
def body():
    return AnnyBody()


def people(count, youngest=1 / 3, seed=0):
    values = np.random.default_rng(seed).uniform(0, 1, (count, len(PHENOTYPES)))
    values[:, 1] = youngest + (1 - youngest) * values[:, 1]
    on_anchors = values[: count // 3]  # errors are largest there
    on_anchors[:, 1] = np.maximum((on_anchors[:, 1] * 3).round() / 3, 1 / 3)
    on_anchors[:, [0, 2, 3, 4, 5]] = on_anchors[:, [0, 2, 3, 4, 5]].round()
    return torch.tensor(values)


def poses(body, count, spread=0.3, seed=0):
    """Each bone turned a little relative to its parent: world rotations (count, J, 3, 3) and heads of the root."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, spread, (len(body.parents), count, 3))
    world = []
    for vector, parent in zip(vectors, body.parents):
        own = Rotation.from_rotvec(vector)
        world.append(own if parent < 0 else world[parent] * own)
    matrices = np.stack([rotation.as_matrix() for rotation in world], axis=1)
    return torch.tensor(matrices), torch.tensor(rng.normal(0, 1, (count, 3)))


def test_shipped_table_equals_anny(body):
    """One test for all that needs Anny: it takes two minutes where it was never made before."""
    model = require_anny().Anny(skinning_method="lbs")
    count = 12
    shape, (rotations, root) = people(count), poses(body, count)
    assert body.faces.tolist() == model.faces.tolist()
    assert body.joint_names == tuple(model.bone_labels)
    with torch.no_grad():
        expected, joints = anny_package_vertices(model, rotations, root, shape)
        vertices, same_joints = body.vertices(rotations, root, shape)
        single, _ = body.vertices(rotations.float(), root.float(), shape.float())
        rest = model(phenotype_kwargs=shape)
        still = torch.eye(3, dtype=torch.float64).expand(count, len(body.parents), 3, 3)
        unposed, _ = body.vertices(still, rest["rest_bone_heads"][:, 0], shape)
    assert (vertices - expected).norm(dim=-1).max() < MOST_OFF
    assert (single - expected).norm(dim=-1).max() < MOST_OFF
    assert (same_joints - joints).norm(dim=-1).max() < 1e-6
    assert (unposed - rest["rest_vertices"]).norm(dim=-1).max() < MOST_OFF

    shape.requires_grad_()
    direction = torch.zeros(6, dtype=torch.float64)
    direction[4] = 1.0
    slope = (
        torch.autograd.grad(body.vertices(rotations[-1], root[-1], shape[-1])[0][:, 2].sum(), shape)[0][-1] @ direction
    )
    reference = torch.autograd.grad(
        anny_package_vertices(model, rotations[-1], root[-1], shape[-1])[0][:, 2].sum(), shape
    )
    assert slope == pytest.approx(float(reference[0][-1] @ direction), rel=1e-3)

    with np.load(models_dir() / "bodies" / ANNY_FILE) as shipped:
        built = table_arrays(model)
        assert set(built) == set(shipped.files)
        for name in (
            "rest",
            "rest_heads",
            "weight_values",
            "weight_joints",
            "mirror_vertices",
            "mirror_joints",
            "parents",
        ):
            np.testing.assert_allclose(built[name], shipped[name], atol=1e-6, err_msg=name)


def test_points_equal_the_mesh(body):
    shape, (rotations, root) = people(3), poses(body, 3)
    vertices, joints = body.vertices(rotations, root, shape)
    corners, shares = [[5000], [1, 2, 3]], [[1.0], [0.5, 0.25, 0.25]]
    table = body.table(corners, shares, dtype=torch.float64)
    points, same_joints = evaluate(table, rotations, root, body.coefficients(shape))
    torch.testing.assert_close(points[:, 0], vertices[:, 5000], atol=1e-7, rtol=0)
    mixed = 0.5 * vertices[:, 1] + 0.25 * vertices[:, 2] + 0.25 * vertices[:, 3]
    torch.testing.assert_close(points[:, 1], mixed, atol=1e-7, rtol=0)
    torch.testing.assert_close(same_joints, joints, atol=1e-7, rtol=0)
    torch.testing.assert_close(joints[:, 0], root)


def test_axes_and_size(body):
    """A man stands along z, faces -y, and his left is +x; 1.7 to 2 m tall at a height of 0.5 (ANCHORS)."""
    shape = torch.tensor([0.0, 0.75, 0.5, 0.5, 0.5, 0.5], dtype=torch.float64)
    still = torch.eye(3, dtype=torch.float64).expand(len(body.parents), 3, 3)
    vertices, joints = body.vertices(still, torch.zeros(3, dtype=torch.float64), shape)
    assert 1.7 < float(vertices[:, 2].max() - vertices[:, 2].min()) < 2.0
    names = body.joint_names
    assert joints[names.index("wrist.L"), 0] > 0.2 > -0.2 > joints[names.index("wrist.R"), 0]
    assert joints[names.index("toe2-1.L"), 1] < joints[names.index("foot.L"), 1] - 0.05
    assert joints[names.index("head"), 2] > 0.4


def test_mirror_tables(body):
    data = load_anny_data()
    shape = people(4)[1:2]
    still = torch.eye(3, dtype=torch.float64).expand(len(body.parents), 3, 3)
    vertices, joints = body.vertices(still, torch.zeros(3, dtype=torch.float64), shape[0])
    flip = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert ((vertices * flip)[data.mirror_vertices] - vertices).norm(dim=-1).max() < MOST_OFF
    # Anny's own joints of the neck lie up to 1.5 mm beside the middle.
    assert ((joints * flip)[data.mirror_joints] - joints).norm(dim=-1).max() < 4e-3


def test_phenotype_gradient_lives_on_the_anchors():
    shape = torch.tensor([0.0, 2 / 3, 0.5, 0.5, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(phenotype_coefficients, shape)
    assert (jacobian.abs().sum(dim=0) > 0).all()
    outside = torch.tensor([2.0, 5.0, 0.5, 0.5, 0.5, 0.5], dtype=torch.float64)
    nearest = torch.tensor([1.0, 1.0, 0.5, 0.5, 0.5, 0.5], dtype=torch.float64)
    torch.testing.assert_close(phenotype_coefficients(outside), phenotype_coefficients(nearest))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5] * 5, r"has shape \(5,\); give \(\.\.\., 6\): gender, age"),
        ([0.5, 0.2, 0.5, 0.5, 0.5, 0.5], r"age is 0\.2; give a value from 1/3 \(no babies\) to 1"),
        ([1.5, 0.7, 0.5, 0.5, 0.5, 0.5], r"gender is 1\.5; give a value from 0 to 1"),
    ],
)
def test_wrong_phenotypes_are_refused(body, values, text):
    with pytest.raises(InputError, match=text):
        body.coefficients(torch.tensor(values))


def test_a_file_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_anny_data(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", rest=np.zeros(3))
    with pytest.raises(InputError, match="no table of Anny bodies"):
        load_anny_data(tmp_path / "other.npz")
