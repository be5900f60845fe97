"""Training on a handful of windows: the same again, gone on with after a kill, validated, refused where it must be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.errors import InputError
from biopose_sim.neurik.batches import Batches, ahead
from biopose_sim.neurik.config import load_config
from biopose_sim.neurik.evaluate import Answer, by, evaluate
from biopose_sim.neurik.frame import moved
from biopose_sim.neurik.train import CHECKPOINT, LOG, Trainer
from biopose_sim.neurik.validate import Validation
from biopose_sim.neurik.weights import load_network, read_card, save_network
from ik_pipeline.shards import ShardData, write_shards

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = (
    *("network.window=8", "network.hidden=16", "network.width=8", "network.heads=2", "network.layers=1"),
    *("network.marker_width=2", "network.refinements=1", "batch=2", "log_steps=2", "validation_steps=4"),
    *("warm_up=0", "validation_windows=6", "steps=9"),
)
CONFIG = load_config("base", SETTINGS)
RUN = """
import sys, torch
from pathlib import Path
from biopose_sim.neurik.config import load_config
from biopose_sim.neurik.train import Trainer
torch.set_num_threads(1)
shards, output, *settings = sys.argv[1:]
trainer = Trainer(Path(shards), Path(output), load_config("base", settings))
trainer.run(lambda text: print(text, flush=True), lambda text: print(text, flush=True), every=0.0)
"""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(tmp_path_factory.mktemp("run"), lengths=(40, 24), rate=30.0, splits=["train", "val", "test"])
    from ik_pipeline.shards import ShardConfig

    return write_shards(run, config=ShardConfig(window=8, stride=8)).folder


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    trainer = Trainer(shards, output, CONFIG)
    trainer.run()
    return trainer


def entries(output: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (output / LOG).read_text().splitlines()]
    return [{key: value for key, value in entry.items() if key != "time"} for entry in found]


def assert_same_weights(one, other):
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_the_same_seed_gives_the_same(undisturbed, shards, tmp_path):
    said = []
    trainer = Trainer(shards, tmp_path, CONFIG)
    trainer.run(said.append, said.append)
    assert entries(tmp_path) == entries(undisturbed.output)
    assert_same_weights(undisturbed.best, trainer.best)
    assert_same_weights(undisturbed.network, trainer.network)
    assert [entry["step"] for entry in entries(tmp_path) if "total" in entry] == [2, 4, 6, 8, 9]
    assert [entry["step"] for entry in entries(tmp_path) if "val_angle" in entry] == [4, 8, 9]
    assert "step 9 of 9, loss " in said[-1]
    assert "°" in said[-1]
    other = Trainer(shards, tmp_path / "other", replace(CONFIG, seed=1, steps=1))
    other.run()
    assert entries(tmp_path / "other")[0]["total"] != entries(tmp_path)[0]["total"]


def test_stopped_by_ctrl_c_it_goes_on_as_if_nothing_was(undisturbed, shards, tmp_path):
    trainer = Trainer(shards, tmp_path, CONFIG)

    def stop(text: str) -> None:
        if "step 4 " in text:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainer.run(stop, stop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = Trainer(shards, tmp_path, CONFIG)
    assert 4 <= again.step <= 5
    again.run()
    assert_same_weights(undisturbed.best, again.best)
    assert again.metrics == undisturbed.metrics
    assert Trainer(shards, tmp_path, CONFIG).step == 9


def test_killed_it_goes_on_as_if_nothing_was(undisturbed, shards, tmp_path):
    words = [sys.executable, "-c", RUN, str(shards), str(tmp_path), *SETTINGS]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step 6 "):
                break
        process.kill()
    with open(tmp_path / LOG, "a") as file:
        file.write('{"step": 7, "total"')  # as a kill may leave it
    again = Trainer(shards, tmp_path, CONFIG)
    assert 4 <= again.step < 9
    again.run()
    assert_same_weights(undisturbed.best, again.best)
    assert entries(tmp_path)[-1] == entries(undisturbed.output)[-1]
    steps = [entry["step"] for entry in entries(tmp_path)]
    assert steps == sorted(steps)


def test_training_begins_from_weights_where_layers_are_the_same(undisturbed, shards, tmp_path):
    weights = save_network(tmp_path / "weights", undisturbed.best, {})
    given = replace(CONFIG, steps=1)
    same = Trainer(shards, tmp_path / "same", given, start=weights)
    assert_same_weights(undisturbed.best, same.network)
    assert_same_weights(undisturbed.best, same.average)
    numbers = sum(value.numel() for value in same.network.state_dict().values())
    assert same.begun.startswith("weights (sha256 ")
    assert same.begun.endswith(f"{numbers:,} of {numbers:,} numbers")
    same.run()
    assert Trainer(shards, tmp_path / "same", given).begun == same.begun
    assert Trainer(shards, tmp_path / "same", given, start=weights).begun == same.begun
    elsewhere = save_network(tmp_path / "elsewhere", same.best, {})
    with pytest.raises(InputError, match=r"began from weights .*, not from .*elsewhere"):
        Trainer(shards, tmp_path / "same", given, start=elsewhere)
    wider = replace(given, network=replace(given.network, width=16))
    other = Trainer(shards, tmp_path / "other", wider, start=weights)
    assert torch.equal(other.network.first.weight, undisturbed.best.first.weight)
    assert other.network.to_time.weight.shape != undisturbed.best.to_time.weight.shape
    with pytest.raises(InputError, match="holds no weights"):
        Trainer(shards, tmp_path / "none", given, start=tmp_path / "nothing")


def test_batches_do_not_depend_on_those_before(undisturbed, shards):
    batches = undisturbed.train
    assert len(batches) > 3
    late = next(batches.epoch(1, 3))
    all_of_it = list(batches.epoch(1))
    torch.testing.assert_close(late.framed.markers, all_of_it[3].framed.markers, rtol=0, atol=0)
    torch.testing.assert_close(late.truth.markers, all_of_it[3].truth.markers, rtol=0, atol=0)
    assert not torch.equal(late.framed.markers, all_of_it[2].framed.markers)


def test_a_batch_says_the_truth(undisturbed, shards):
    """Markers of the encoded pose, sizes and offsets are the shards' model markers, whatever is done to the size."""
    for augment in (None, load_config("paper", ["augment.noise_share=0", "augment.missing_share=0"]).augment):
        batches = Batches(shards, "train", undisturbed.skeleton, size=3, augment=augment, shuffle=False)
        batch = next(batches.epoch(0))
        apart = (batch.framed.markers - batch.truth.markers).norm(dim=-1)
        gone = ~batch.framed.seen
        assert float(apart[~gone].median()) < 0.012  # markers lie 5 mm from the model's; sizes are means of groups
        in_its_own = moved(batch.truth.pose, batch.framed, batch.framed)
        torch.testing.assert_close(in_its_own.root_position, batch.truth.pose.root_position, atol=1e-5, rtol=0)


def test_validation_is_evaluation(undisturbed, shards):
    """A network's errors are those of `evaluate`, where it sees trials as windows side by side."""
    data = ShardData(shards, "val")
    model = undisturbed.skeleton.model
    framer = undisturbed.train.framer

    def method(markers, rates):
        q, sizes = [], []
        for m in markers:
            framed = framer(torch.from_numpy(np.array(m)).unflatten(0, (-1, 8)))
            with torch.no_grad():
                estimate = undisturbed.best(framed)[-1]
            own = undisturbed.skeleton.decode(estimate.pose, framed.heading, framed.origin)
            q.append(own.flatten(0, 1).double().numpy())
            sizes.append(estimate.sizes)
        mean = torch.cat(sizes).mean(dim=0)
        offsets = undisturbed.best.marker_offsets(mean).double().numpy()
        return Answer(q, undisturbed.skeleton.scales(mean).double().numpy(), offsets)

    validation = Validation(shards, undisturbed.skeleton, window=8, most=1000, size=4, device=torch.device("cpu"))
    every = validation(undisturbed.best)
    scores = by(evaluate(data, model, method), "all")["all"]
    assert every["val_angle"] == pytest.approx(scores.mean_angle, rel=1e-3)
    assert every["val_landmarks"] == pytest.approx(scores.landmarks, rel=0.05)  # sizes by window, not by person


@pytest.mark.parametrize("kind", ["paper", "base"])
@pytest.mark.parametrize("output", ["all", "last"])
def test_all_kinds_train(shards, tmp_path, kind, output):
    config = load_config(kind, [*SETTINGS, f"network.output={output}", "steps=2", "precision=bfloat16"])
    trainer = Trainer(shards, tmp_path, config)
    network = trainer.run()
    assert np.isfinite(trainer.metrics["val_angle"])
    save_network(tmp_path / "w", network, {})
    again = load_network(tmp_path / "w", trainer.skeleton.model)
    assert_same_weights(network, again)
    assert read_card(tmp_path / "w")["network"]["frame"] == ("window" if kind == "paper" else "person")


def test_losses_that_are_no_number_end_it(shards, tmp_path):
    trainer = Trainer(shards, tmp_path, replace(CONFIG, rate=1e30, clip=0.0, optimiser="adam"))
    with pytest.raises(InputError, match=r"no number any more; nothing was kept; try a smaller rate"):
        trainer.run()
    assert not (tmp_path / CHECKPOINT).exists()


def test_other_trainings_are_refused(undisturbed, shards, tmp_path):
    output = Path(shutil.copytree(undisturbed.output, tmp_path / "out"))
    with pytest.raises(InputError, match=r"another configuration: augment\.noise, seed; give another output"):
        Trainer(shards, output, replace(CONFIG, seed=3, augment=replace(CONFIG.augment, noise=0.1)))
    other = Path(shutil.copytree(shards, tmp_path / "shards"))
    card = json.loads((other / "card.json").read_text())
    (other / "card.json").write_text(json.dumps({**card, "notices": ["another"]}))
    with pytest.raises(InputError, match="on other shards"):
        Trainer(other, output, CONFIG)
    (output / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        Trainer(shards, output, CONFIG)
    with pytest.raises(InputError, match="'train' has no window of 512 frames"):
        Trainer(shards, tmp_path / "new", replace(CONFIG, network=replace(CONFIG.network, window=512)))


def test_what_a_thread_raises_is_raised_here():
    def items():
        yield 1
        raise InputError("shards", "are gone")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(InputError, match="are gone"):
        next(found)
    endless = ahead(iter(range(10**9)))
    assert next(endless) == 0
    endless.close()  # waits for the end of the thread
