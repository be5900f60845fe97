"""Reading: borders of windows, other lengths, batches, torch, changed files."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.errors import InputError
from ik_pipeline.shards import Card, ShardData, write_shards
from ik_pipeline.shards.types import FRAME_ARRAYS
from ik_pipeline.shards.windows import window_starts


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = runs.write_run(tmp_path_factory.mktemp("run"), groups=("08",), lengths=(150, 40, 90), splits=["train"])
    return write_shards(folder).folder


@pytest.fixture
def copy(shards, tmp_path):
    return Path(shutil.copytree(shards, tmp_path / "shards"))


@pytest.mark.parametrize(
    ("frames", "window", "stride", "pad", "starts"),
    [
        (64, 64, 16, False, [0]),
        (65, 64, 16, False, [0, 1]),
        (96, 64, 16, False, [0, 16, 32]),
        (97, 64, 16, False, [0, 16, 32, 33]),
        (100, 64, 80, False, [0, 36]),
        (63, 64, 16, False, []),
        (63, 64, 16, True, [0]),
        (0, 64, 16, True, []),
        (3, 1, 1, False, [0, 1, 2]),
    ],
)
def test_windows_cover_a_trial_to_its_end(frames, window, stride, pad, starts):
    assert window_starts(frames, window, stride, pad).tolist() == starts


def test_windows_are_stretches_of_one_trial(shards):
    data = ShardData(shards, "train")
    everything = data.batch(np.arange(len(data)))
    assert everything["markers"].shape == (len(data), 64, 142, 3)
    for row in range(len(data)):
        trial = data.trial(data.window_trial[row])
        start = data.window_start[row] - data.arrays["trial_start"][data.window_trial[row]]
        for name in FRAME_ARRAYS:
            np.testing.assert_array_equal(everything[name][row], trial[name][start : start + 64])
        for name in ("scales", "marker_offsets", "coordinates_free", "coordinates_determined", "rate"):
            np.testing.assert_array_equal(everything[name][row], trial[name])
        person = data.persons[everything["person"][row]]
        assert person["id"] == data.trials[everything["trial"][row]]["person"]
    assert everything["valid"].all()
    np.testing.assert_array_equal(data.window(-1)["markers"], everything["markers"][-1])
    with pytest.raises(InputError, match=f"has no window {len(data)} in 'train'"):
        data.batch([0, len(data)])


def test_the_same_files_give_windows_of_any_length(shards):
    written = ShardData(shards, "train")
    assert [t["frames"] for t in written.trials] == [150, 90] * 2
    np.testing.assert_array_equal(ShardData(shards, "train", window=64).window_start, written.window_start)
    for length in (16, 32, 128):
        data = ShardData(shards, "train", window=length, stride=length)
        assert data.window(0)["coordinates"].shape == (length, 49)
        assert len(data) == 2 * sum(len(window_starts(n, length, length, False)) for n in (150, 90))
    padded = ShardData(shards, "train", window=128, pad=True)
    lengths = padded.batch(np.arange(len(padded)))["valid"].sum(axis=1)
    assert sorted(set(lengths.tolist())) == [90, 128]


def test_only_what_is_asked_for_is_read(shards):
    batch = ShardData(shards, "train", quantities=("markers", "coordinates")).batch([0])
    assert "markers" in batch
    assert "model_markers" not in batch
    with pytest.raises(InputError, match="has no quantity 'marker'; give some of markers"):
        ShardData(shards, "train", quantities=("marker",))
    with pytest.raises(InputError, match="has no split 'dev'; give one of train, val, test"):
        ShardData(shards, "dev")


def test_it_travels_as_the_name_of_a_folder(shards):
    data = ShardData(shards, "train", window=32)
    sent = pickle.dumps(data)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).window(3)["markers"], data.window(3)["markers"])


def test_torch_reads_whole_batches(shards):
    windows = ShardData(shards, "train").torch()
    loader = torch.utils.data.DataLoader(windows, batch_size=5, shuffle=False, collate_fn=windows.collate)
    batches = list(loader)
    assert sum(len(b["valid"]) for b in batches) == len(windows)
    torch.testing.assert_close(batches[0]["coordinates"][3], windows[3]["coordinates"])
    assert batches[0]["markers"].dtype == torch.float32
    batches[0]["markers"] += 1.0  # a batch is the reader's own


def test_changed_files_are_named(copy):
    ShardData(copy, "train").verify()
    Card.read(copy).verify()
    file = copy / "train" / "joint_centers.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match=r"joint_centers\.npy: was changed since it was written"):
        ShardData(copy, "train").verify()
    ShardData(copy, "test").verify()
    file.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=rf"joint_centers\.npy: has {len(whole) - 100} bytes where .* {len(whole)}"):
        ShardData(copy, "train")
    file.unlink()
    with pytest.raises(InputError, match=r"joint_centers\.npy: no such file"):
        ShardData(copy, "train")
    file.write_bytes(b"x" * len(whole))
    with pytest.raises(InputError, match=r"joint_centers\.npy: is not an array"):
        ShardData(copy, "train")
    card = (copy / "card.json").read_text()
    (copy / "card.json").write_text(card.replace('"format": 1', '"format": 7'))
    with pytest.raises(InputError, match="is of format 7, this version reads 1"):
        ShardData(copy, "train")
    (copy / "card.json").unlink()
    with pytest.raises(InputError, match=r"card\.json: no such file"):
        ShardData(copy, "train")


def test_files_are_plain_numpy(shards):
    for file in (shards / "train").glob("*.npy"):
        with open(file, "rb") as stream:
            assert np.lib.format.read_magic(stream) == (1, 0)
        assert np.load(file, allow_pickle=False).flags.c_contiguous
    assert np.load(shards / "val" / "markers.npy").shape == (0, 142, 3)


def test_reading_needs_numpy_alone():
    code = (
        "import sys\nfrom ik_pipeline.shards import Card, ShardConfig, ShardData\n"
        "found = {'torch', 'scipy', 'numba', 'opensim', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not found, found"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
