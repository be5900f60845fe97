"""How MQ-HMR is trained, read from TOML: ``models/training/mqhmr_{paper,scratch,ci}.toml`` or the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...errors import InputError, near_matches
from ...neurik.config import OPTIMISERS, PRECISIONS, check_values, read
from ...paths import models_dir
from .augment import HmrAugment
from .losses import HmrLossWeights
from .network import MqHmrConfig

FALLS = ("constant", "cosine")
_PREFIX = "mqhmr_"


@dataclass(frozen=True)
class HmrTraining:
    """How a network is trained; the defaults are the paper's where it gives them.

    Attributes:
        network: its sizes.
        losses: their weights.
        augment: how images are changed.
        seed: of weights, order and augmentation.
        batch: images of a batch.
        steps: of the optimiser.
        rate: learning rate, after the warm-up.
        last_rate: at the end of the cosine.
        fall: of the rate: ``"constant"`` or ``"cosine"``.
        warm_up: steps over which the rate rises at first.
        optimiser: ``"adam"``, its weight decay part of the gradient, or ``"adamw"``, decoupled.
        weight_decay: of the optimiser.
        beta2: share of the optimiser's mean square that stays in each step.
        clip: largest norm of a gradient; 0: any.
        average: share of the moving average of the weights that stays in each step; 0 takes the last weights.
        precision: of the network's products: ``"float32"``, ``"bfloat16"``, or ``"auto"``, the latter on a GPU alone.
        pretrained: whether the encoder's weights must come from elsewhere: the recipe makes no sense without them.
        markers: weight of each virtual marker beside the key points' 1, where the data have markers.
        dense: weight of what the encoder's map says of points by itself, see `mqhmr.dense`.
        dense_steps: of the beginning, in which only the encoder learns, and by that alone.
        reuse: how often each synthetic image is shown, each time changed in another way, before it is gone.
        log_steps: between entries of the log.
        validation_steps: between validations.
        validation_images: that a validation looks at.
        checkpoint_seconds: after which a checkpoint is written at the next entry of the log.
    """

    network: MqHmrConfig = field(default_factory=MqHmrConfig)
    losses: HmrLossWeights = field(default_factory=HmrLossWeights)
    augment: HmrAugment = field(default_factory=HmrAugment)
    seed: int = 0
    batch: int = 48
    steps: int = 100_000
    rate: float = 1e-5
    last_rate: float = 1e-6
    fall: str = "constant"
    warm_up: int = 0
    optimiser: str = "adam"
    weight_decay: float = 0.0
    beta2: float = 0.999
    clip: float = 0.0
    average: float = 0.0
    precision: str = "auto"
    pretrained: bool = True
    markers: float = 0.0
    dense: float = 0.0
    dense_steps: int = 0
    reuse: int = 1
    log_steps: int = 50
    validation_steps: int = 1000
    validation_images: int = 512
    checkpoint_seconds: float = 120.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: an unknown optimiser, fall or precision, a number out of its range.
        """
        check_values(
            self,
            words={"optimiser": OPTIMISERS, "fall": FALLS, "precision": PRECISIONS},
            counts=("batch", "steps", "reuse", "log_steps", "validation_steps", "validation_images"),
            positive=("rate", "last_rate"),
            shares=("average", "beta2"),
            amounts=(
                "seed",
                "warm_up",
                "weight_decay",
                "clip",
                "markers",
                "dense",
                "dense_steps",
                "checkpoint_seconds",
            ),
        )
        if self.dense_steps and not self.dense:
            raise InputError("dense_steps", f"is {self.dense_steps} and dense is 0", "give a weight of dense points")

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "network": self.network.record()}


def hmr_config_names() -> list[str]:
    """Names of the configurations that are shipped: ``"ci"``, ``"cpu"``, ``"paper"``, ``"scratch"``."""
    found = (models_dir() / "training").glob(f"{_PREFIX}*.toml")
    return sorted(path.stem.removeprefix(_PREFIX) for path in found)


def load_hmr_training(name: str | Path) -> HmrTraining:
    """Read a configuration.

    Args:
        name: ``"paper"``, ``"scratch"``, ``"cpu"``, ``"ci"``, or a TOML file, which may leave out what is as in
            `HmrTraining`.

    Raises:
        InputError: no such file, no TOML, an unknown key, a value of another type or out of its range.
    """
    path, names = Path(name), hmr_config_names()
    if path.suffix != ".toml":
        if str(name) not in names:
            problem = f"is no configuration{near_matches(str(name), names)}"
            raise InputError(str(name), problem, f"there are {', '.join(names)}, or give a TOML file")
        path = models_dir() / "training" / f"{_PREFIX}{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(path, f"cannot be read as TOML ({error})") from error
    network = _network(path, content.pop("network", {}))
    return replace(read(HmrTraining, content, path), network=network)


def _network(path: Path, table: Any) -> MqHmrConfig:
    """Sizes by the name of an encoder and what differs from its preset."""
    if not isinstance(table, Mapping):
        raise InputError(path, f"'network' is {table!r}", "a table [network] is needed")
    names = {one.name for one in fields(MqHmrConfig)} | {"stem", "encoder_heads"}
    if unknown := [key for key in table if key not in names]:
        there = near_matches(unknown[0], names) or f"; there are {', '.join(sorted(names))}"
        raise InputError(path, f"has an unknown key 'network.{unknown[0]}'{there}")
    values = dict(table)
    for key, value in values.items():
        text = key in ("encoder", "stem", "body")
        whole = [value] if key != "scales" else value if isinstance(value, Sequence) else [None]
        if not (isinstance(value, str) if text else all(type(number) is int for number in whole)):
            wanted = "a text in quotes" if text else "a list of whole numbers" if key == "scales" else "a whole number"
            raise InputError(path, f"'network.{key}' is {value!r}", f"{wanted} is needed")
    if "scales" in values:
        values["scales"] = tuple(values["scales"])
    return MqHmrConfig.preset(values.pop("encoder", "H"), **values)
