"""Encoders from the checkpoints that a user brings: HMR2.0, TokenHMR, ViTPose, and ViTPose as transformers names it.

Nothing in a file is run. A ``.ckpt``, ``.pth``, ``.pt`` or ``.bin`` file goes through torch's own restricted reader;
settings that some trainers pickle beside the numbers (`_SETTINGS`) become lifeless stubs, and any other class is
refused by its name. The number of attention heads cannot be seen in a checkpoint's shapes: see `load_encoder`.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...bodies.readers.unpickle import Inert, load_pickle
from ...errors import InputError
from ...io import atomic_path
from .encoder import PRESETS, EncoderConfig, VisionTransformer, make_encoder

PICKLED = (".ckpt", ".pth", ".pt", ".bin")
SAFE = ".safetensors"
# Packages whose objects trainers leave beside the weights: settings, and numpy's numbers.
_SETTINGS = {"omegaconf", "yacs", "pytorch_lightning", "lightning", "lightning_fabric", "numpy", "typing", "pathlib"}
_SETTINGS |= {"argparse", "mmcv", "mmengine", "addict", "datetime"}
_PLAIN = {
    f"builtins.{kind.__name__}" for kind in (dict, list, tuple, set, frozenset, int, float, bool, str, bytes, slice)
}
_PLAIN |= {"_codecs.encode", "collections.defaultdict", "builtins.complex", "builtins.bytearray"}
# Dictionaries by other names: torch's reader fills only its own kinds.
_DICTIONARIES = {"CfgNode", "AttributeDict", "ConfigDict", "Dict"}
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)
# The start of what torch.save wrote before version 1.6: its magic number, pickled.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_REFUSED = re.compile(r"GLOBAL (\S+)")
# What transformers calls the parts; its query, key and value are joined apart from these.
_FROM_TRANSFORMERS = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"^layernorm\.", "last_norm."),
)
_QUERY_KEY_VALUE = re.compile(r"^(blocks\.\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)$")
_OURS, _THEIRS = "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"
_PARTS = {
    _OURS: ("patch_embed.", "pos_embed", "blocks.", "last_norm."),
    _THEIRS: ("embeddings.", "encoder.", "layernorm."),
}
# ViTPose's small encoder (configs/.../ViTPose_small_coco_256x192.py) has other heads than our preset of that size.
_PUBLISHED_HEADS = {(384, 12): 12}
_SHOWN = 4


@dataclass(frozen=True)
class EncoderReport:
    """What was read.

    Attributes:
        path: the file.
        naming: ``"HMR2.0"`` (TokenHMR's is the same), ``"ViTPose"``, ``"ViTPose with backbone."`` or
            ``"transformers"``.
        config: size of the encoder.
        tensors: how many of the file's tensors it took.
        parameters: how many numbers those are.
        unused: parts of the file that are not the encoder, e.g. ``("keypoint_head", "smpl_head")``.
        heads_from: ``"caller"``, ``"file"``, ``"publication"`` or ``"preset"``.
    """

    path: Path
    naming: str
    config: EncoderConfig
    tensors: int
    parameters: int
    unused: tuple[str, ...]
    heads_from: str


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of a file by the file's own names, and the text beside them (safetensors only)."""

    path: Path
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def load_encoder(path: str | Path, heads: int | None = None) -> tuple[VisionTransformer, EncoderReport]:
    """Read an encoder; its size is found from the shapes.

    Args:
        path: a checkpoint in one of the four namings; other parts of the network in it are left aside.
        heads: of the attention, which no checkpoint tells; default: what `convert` noted in the file, else what was
            published for an encoder of this size, else the preset's.

    Returns:
        The encoder in evaluation mode, float32 on the CPU, and what was read. Its numbers may stay mapped to the file.

    Raises:
        InputError: not a file that can be read safely, no encoder in it, or one of another architecture.
    """
    return encoder_of(read_checkpoint(path), heads)


def encoder_of(checkpoint: Checkpoint, heads: int | None = None) -> tuple[VisionTransformer, EncoderReport]:
    """Return the encoder of a checkpoint that is read already; see `load_encoder`."""
    state, naming, unused = _encoder_state(checkpoint)
    config, heads_from = _config(checkpoint, state, heads)
    encoder = make_encoder(config, "meta")
    title = f"encoder {config.name} of HMR2.0 and ViTPose"
    compare_tensors(checkpoint.path, state, encoder.state_dict(), title)
    encoder.load_state_dict({name: value.float().contiguous() for name, value in state.items()}, assign=True)
    parameters = sum(value.numel() for value in state.values())
    report = EncoderReport(checkpoint.path, naming, config, len(state), parameters, unused, heads_from)
    return encoder.eval(), report


def convert(path: str | Path, target: str | Path, heads: int | None = None) -> EncoderReport:
    """Write a checkpoint once more as safetensors: all of its tensors, by their own names.

    Args:
        path: a checkpoint with an encoder that `load_encoder` takes.
        target: the new file, ``*.safetensors``.
        heads: as for `load_encoder`; noted in the new file.

    Raises:
        InputError: as `load_encoder`, or the target has another ending or cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    goal = Path(target)
    if goal.suffix != SAFE:
        raise InputError(goal, "is not the name of a safetensors file", f"end it in {SAFE}")
    checkpoint = read_checkpoint(path)
    _, report = encoder_of(checkpoint, heads)
    # Cloned: safetensors refuses tensors that share memory.
    tensors = {name: value.clone(memory_format=torch.contiguous_format) for name, value in checkpoint.tensors.items()}
    with atomic_path(goal) as temporary:
        try:
            save_file(tensors, temporary, {"format": "pt", "encoder_heads": str(report.config.heads)})
        except (OSError, SafetensorError) as error:
            raise InputError(goal, f"cannot be written ({error})") from error
    return report


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read all tensors of a checkpoint without running anything in it.

    Args:
        path: ``.safetensors``, or ``.ckpt``, ``.pth``, ``.pt``, ``.bin`` as ``torch.save`` writes them: a dictionary of
            tensors, alone or under ``state_dict``, ``model`` or ``module``.

    Raises:
        InputError: no such file, another ending, damaged, a class in it that is not allowed, or no tensors.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(source, "is not a file", "give a checkpoint")
    if source.suffix.lower() == SAFE:
        return _read_safetensors(source)
    if source.suffix.lower() not in PICKLED:
        raise InputError(source, "is not a checkpoint", f"known endings are {SAFE}, {', '.join(PICKLED)}")
    content = _read_pickled(source)
    for key in ("state_dict", "model", "module"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    found = content.items() if isinstance(content, dict) else ()
    tensors = {name: value.detach() for name, value in found if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise InputError(source, "holds no tensors by name", "give a state_dict")
    return Checkpoint(source, tensors, {})


def _read_safetensors(source: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(source, framework="pt") as file:
            return Checkpoint(source, {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(source, f"cannot be read ({error})", "get it anew") from error


def _read_pickled(source: Path) -> Any:
    """Run torch's restricted reader, with stubs for the settings that this file names."""
    with source.open("rb") as file:
        start = file.read(len(_LEGACY))
    zipped = zipfile.is_zipfile(source)
    if not zipped and start != _LEGACY:
        return load_pickle(source)
    try:
        if zipped:
            _check_stored(source)
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(str(source)) if zipped else []
        refused = sorted(name for name in foreign if not _is_setting(name))
        if refused:
            raise _refusal(source, refused)
        with torch.serialization.safe_globals([(_stub(name), name) for name in foreign]):
            return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)
    except OSError as error:
        raise InputError(source, f"cannot be opened ({error.strerror or error})") from error
    except _DAMAGE as error:
        named = _REFUSED.search(str(error))
        if named:
            raise _refusal(source, [named[1]]) from None
        # Not the whole text: torch's ends in the advice to read the file without any restriction.
        what = str(error).rsplit("WeightsUnpickler error:", 1)[-1].strip().splitlines() or [type(error).__name__]
        raise InputError(source, f"is not a whole checkpoint ({what[0][:200]})", "get it anew") from error


def _check_stored(source: Path) -> None:
    """Refuse compressed parts, which torch never writes: it would map their bytes as numbers, or fill the memory."""
    with zipfile.ZipFile(source) as archive:
        packed = [part.filename for part in archive.infolist() if part.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise InputError(source, f"is a compressed archive ({packed[0]})", "give the file as torch.save wrote it")


def _refusal(source: Path, names: list[str]) -> InputError:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    problem = f"asks for {', '.join(map(repr, names[:_SHOWN]))}{more}, not data: it was refused and nothing was run"
    return InputError(source, problem, "save its state_dict alone, best as safetensors")


def _is_setting(name: str) -> bool:
    return name in _PLAIN or name.split(".")[0] in _SETTINGS


def _stub(name: str) -> Any:
    if name == "collections.defaultdict":
        return _empty_dictionary
    return OrderedDict if name.rsplit(".", 1)[-1] in _DICTIONARIES else Inert


def _empty_dictionary(*_unused: Any) -> OrderedDict[Any, Any]:
    return OrderedDict()


def _encoder_state(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    """The encoder's tensors by our names, the naming they came in, and the file's other parts."""
    prefix, inner = _find(checkpoint)
    state: dict[str, Tensor] = {}
    unused: set[str] = set()
    for name, value in checkpoint.tensors.items():
        inside = name.startswith(prefix) if prefix else name.startswith(_PARTS[inner])
        # A class token comes along from pre-training; ViTPose and HMR2.0 do not use it.
        if not inside or name.endswith("cls_token"):
            unused.add(name.split(".")[0] if not inside else "cls_token")
        else:
            state[name.removeprefix(prefix)] = value
    if inner == _THEIRS:
        return _from_transformers(checkpoint.path, state), "transformers", tuple(sorted(unused))
    naming = "HMR2.0" if "smpl_head" in unused else "ViTPose with backbone." if prefix else "ViTPose"
    return state, naming, tuple(sorted(unused))


def _find(checkpoint: Checkpoint) -> tuple[str, str]:
    """What stands before the encoder's names, and by which name its first layer goes."""
    for prefix in ("backbone.", ""):
        for inner in (_OURS, _THEIRS):
            if prefix + inner in checkpoint.tensors:
                return prefix, inner
    first = ", ".join(list(checkpoint.tensors)[:_SHOWN])
    known = f"the encoders of HMR2.0, TokenHMR and ViTPose have '[backbone.]{_OURS}' or '[backbone.]{_THEIRS}'"
    raise InputError(checkpoint.path, f"holds no encoder that is known; its names begin with {first}", known)


def _from_transformers(source: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names, with query, key and value (each (C, C) and (C,)) stacked in this order."""
    ours: dict[str, Tensor] = {}
    apart: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        for pattern, new in _FROM_TRANSFORMERS:
            name = re.sub(pattern, new, name)
        third = _QUERY_KEY_VALUE.match(name)
        if third:
            apart.setdefault(f"{third[1]}.attn.qkv.{third[3]}", {})[third[2]] = value
        else:
            ours[name] = value
    for name, thirds in apart.items():
        absent = {"query", "key", "value"} - set(thirds)
        shapes = {tuple(value.shape) for value in thirds.values()}
        if absent or len(shapes) > 1:
            what = f"lacks its {' and '.join(sorted(absent))}" if absent else f"mixes the shapes {sorted(shapes)}"
            raise InputError(source, f"is of another architecture: the attention of {name.rsplit('.', 3)[0]} {what}")
        ours[name] = torch.cat([thirds["query"], thirds["key"], thirds["value"]])
    return ours


def _config(checkpoint: Checkpoint, state: Mapping[str, Tensor], heads: int | None) -> tuple[EncoderConfig, str]:
    width = int(state[_OURS].shape[0])
    numbers = [int(found[1]) for name in state if (found := re.match(r"blocks\.(\d+)\.", name))]
    depth = max(numbers, default=-1) + 1
    preset = next((p for p in PRESETS.values() if (p.width, p.depth) == (width, depth)), None)
    if preset is None:
        sizes = ", ".join(f"{p.name} {p.width}/{p.depth}" for p in PRESETS.values())
        problem = f"is of another architecture: width {width}, {depth} blocks"
        raise InputError(checkpoint.path, problem, f"known sizes are {sizes}")
    noted = checkpoint.metadata.get("encoder_heads", "")
    if heads is not None:
        count, source = heads, "caller"
    elif noted.isdecimal():
        count, source = int(noted), "file"
    elif (width, depth) in _PUBLISHED_HEADS:
        count, source = _PUBLISHED_HEADS[width, depth], "publication"
    else:
        count, source = preset.heads, "preset"
    if count < 1 or width % count:
        raise InputError(checkpoint.path, f"cannot have {count} heads at width {width}", f"e.g. {preset.heads}")
    return replace(preset, heads=count), source


def compare_tensors(source: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], title: str) -> None:
    """Check that a file's tensors are those of a network, by name and shape.

    Args:
        source: the file.
        found: its tensors.
        wanted: those of the network.
        title: what the network is, for the message.

    Raises:
        InputError: they are not; says what is missing, what is too much and which shapes differ.
    """
    differences = []
    for what, names in (("lacks", wanted.keys() - found.keys()), ("has besides", found.keys() - wanted.keys())):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            differences.append(f"{what} {', '.join(sorted(names)[:_SHOWN])}{more}")
    shapes = [
        f"{name} is {tuple(found[name].shape)}, not {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    more = f" and {len(shapes) - _SHOWN} more" if len(shapes) > _SHOWN else ""
    differences += [", ".join(shapes[:_SHOWN]) + more] if shapes else []
    if differences:
        raise InputError(source, f"is of another architecture than {title}: {'; '.join(differences)}")
