"""How a network is trained, read from TOML: ``models/training/paper.toml``, ``base.toml`` or the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from biopose_sim.errors import InputError, near_matches
from biopose_sim.neurik.augment import AugmentConfig
from biopose_sim.neurik.losses import LossWeights
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.paths import models_dir

OPTIMISERS = ("adam", "adamw")
FALLS = ("exponential", "cosine")
PRECISIONS = ("auto", "float32", "bfloat16")
_TYPES = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
_OTHERS = ("lifter", "mqhmr_")
T = TypeVar("T")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        network: its sizes.
        losses: their weights.
        augment: how markers are disturbed.
        seed: of weights, order and disturbances.
        batch: windows of a batch.
        epochs: how often all windows are seen.
        steps: of the optimiser, instead of epochs; None: as epochs say.
        rate: first learning rate.
        last_rate: last one.
        fall: of the rate between them: ``"exponential"``, or ``"cosine"``, which stays high for longer.
        warm_up: steps over which the rate rises at first.
        optimiser: ``"adam"``, its weight decay part of the gradient, or ``"adamw"``, decoupled.
        weight_decay: of the optimiser.
        beta2: share of the optimiser's mean square that stays in each step.
        clip: largest norm of a gradient; 0: any.
        average: share of the moving average of the weights that stays in each step; 0 takes the last weights.
        precision: of the network's products: ``"float32"``, ``"bfloat16"``, or ``"auto"``, the latter on a GPU alone.
        log_steps: between entries of the log.
        validation_steps: between validations.
        validation_windows: that a validation looks at, spread over the split.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0
    batch: int = 128
    epochs: float = 25.0
    steps: int | None = None
    rate: float = 1e-3
    last_rate: float = 5e-6
    fall: str = "exponential"
    warm_up: int = 200
    optimiser: str = "adamw"
    weight_decay: float = 1e-3
    beta2: float = 0.99
    clip: float = 1.0
    average: float = 0.0
    precision: str = "auto"
    log_steps: int = 20
    validation_steps: int = 500
    validation_windows: int = 256

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: an unknown optimiser, fall or precision, a number out of its range.
        """
        check_values(
            self,
            words={"optimiser": OPTIMISERS, "fall": FALLS, "precision": PRECISIONS},
            counts=("batch", "log_steps", "validation_steps", "validation_windows"),
            positive=("epochs", "rate", "last_rate"),
            shares=("average", "beta2"),
            amounts=("seed", "warm_up", "weight_decay", "clip"),
        )
        if self.steps is not None and self.steps < 1:
            raise InputError("steps", f"is {self.steps}", "one at least is needed")


def config_names() -> list[str]:
    """Names of the configurations that are shipped for NeurIK; the other networks' have names of their own."""
    names = (path.stem for path in (models_dir() / "training").glob("*.toml"))
    return sorted(name for name in names if not name.startswith(_OTHERS))


def load_config(name: str | Path, settings: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration.

    Args:
        name: ``"paper"``, ``"base"``, or a TOML file; what it leaves out is as `TrainConfig` has it.
        settings: changes of it, as ``"network.window=32"``.

    Raises:
        InputError: no such file, no TOML, an unknown key, a value of another type or out of its range.
    """
    path = _find(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(path, f"cannot be read as TOML ({error})") from error
    read(TrainConfig, content, path)
    for setting in settings:
        _change(content, setting)
    return read(TrainConfig, content, "--set" if settings else path)


def read(kind: type[T], table: Mapping[str, Any], source: str | Path, inside: str = "") -> T:
    """Make a dataclass of a table, its fields that are dataclasses of tables inside.

    Raises:
        InputError: an unknown key, or a value of another type.
    """
    kinds = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        name = f"{inside}{key}"
        if key not in kinds:
            there = near_matches(key, kinds) or f"; there are {', '.join(kinds)}"
            raise InputError(source, f"has an unknown key '{name}'{there}")
        if is_dataclass(kinds[key]):
            if not isinstance(value, Mapping):
                raise InputError(source, f"'{name}' is {value!r}", f"a table [{name}] is needed")
            values[key] = read(kinds[key], value, source, f"{name}.")
        else:
            values[key] = _typed(kinds[key], value, source, name)
    return kind(**values)


def check_values(
    config: object,
    *,
    words: Mapping[str, Sequence[str]] = MappingProxyType({}),
    counts: Sequence[str] = (),
    positive: Sequence[str] = (),
    shares: Sequence[str] = (),
    amounts: Sequence[str] = (),
) -> None:
    """Refuse values of a training's configuration that make no sense.

    Args:
        config: whose attributes are looked at.
        words: valid ones of texts, by name.
        counts: names of whole numbers from one on.
        positive: names of finite numbers above zero.
        shares: names of numbers from 0 to below 1.
        amounts: names of numbers from zero on.

    Raises:
        InputError: an unknown word, or a number out of its range.
    """
    for name, valid in words.items():
        if (word := getattr(config, name)) not in valid:
            raise InputError(name, f"{word!r}{near_matches(word, valid)}", f"give {' or '.join(valid)}")
    rules: tuple[tuple[Sequence[str], Callable[[float], bool], str], ...] = (
        (counts, lambda value: value >= 1, "one at least is needed"),
        (positive, lambda value: 0.0 < value < float("inf"), "give a positive number"),
        (shares, lambda value: 0.0 <= value < 1.0, "give a number from 0 to below 1"),
        (amounts, lambda value: value >= 0, "give 0 or more"),
    )
    for names, right, remedy in rules:
        for name in names:
            if not right(value := getattr(config, name)):
                raise InputError(name, f"is {value}", remedy)


def differences(one: Mapping[str, Any], other: Mapping[str, Any], inside: str = "") -> list[str]:
    """Return the names of values that differ between two configurations as dicts."""
    found = []
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{inside}{key}.")
        elif a != b:
            found.append(f"{inside}{key}")
    return found


def toml_of(config: TrainConfig) -> str:
    """Return a configuration as TOML, all of its values."""
    content = asdict(config)
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lines = [_line(key, value) for key, value in content.items() if key not in tables and value is not None]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(_line(key, value) for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"


def _find(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise InputError(path, "no such file", f"give a TOML file or one of {', '.join(config_names())}")
        return path
    names = config_names()
    if str(name) not in names:
        raise InputError(name, f"is no configuration{near_matches(str(name), names)}", f"there are {', '.join(names)}")
    return models_dir() / "training" / f"{name}.toml"


def _change(content: dict[str, Any], setting: str) -> None:
    """Set one value of a table of tables."""
    name, given, text = setting.partition("=")
    parts = name.strip().split(".")
    if not given or not all(parts):
        raise InputError("--set", f"{setting!r} sets nothing", "give KEY=VALUE, as network.window=32")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a text without quotes
    for part in parts[:-1]:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise InputError("--set", f"'{part}' in {setting!r} is no table", "give KEY=VALUE, as network.window=32")
    content[parts[-1]] = value


def _typed(kind: Any, value: Any, source: str | Path, name: str) -> Any:
    wanted = next((k for k in get_args(kind) if k is not NoneType), kind)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) is not (wanted is bool) or not isinstance(value, wanted) or value != value:
        raise InputError(source, f"'{name}' is {value!r}", f"{_TYPES[wanted]} is needed")
    return value
