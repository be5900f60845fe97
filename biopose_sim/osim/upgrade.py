"""Old .osim files, upgraded by OpenSim itself in a process of its own: a crash of it must not end ours."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.osim.xml import parse_document

TIME_LIMIT = 300.0  # seconds; the largest models take about three
_REMEDY = "install it (pip install opensim), or open the model in the OpenSim GUI and save it again"
# OpenSim prints about missing bones; what matters comes after the marker, on stderr.
_SCRIPT = """
import sys
import opensim
opensim.Logger.setLevelString("Error")
opensim.Logger.removeFileSink()
try:
    model = opensim.Model(sys.argv[1])
    model.finalizeFromProperties()
    model.finalizeConnections()
    done = model.printToXML(sys.argv[2])
except Exception as error:
    sys.exit("UPGRADE FAILED " + " ".join(str(error).split()))
sys.exit(0 if done else "UPGRADE FAILED nothing was written")
"""


def upgraded_document(path: str | Path, version: int) -> bytes:
    """Return the document as the installed OpenSim re-saves it.

    Args:
        path: the old file.
        version: its document version, for messages.

    Raises:
        InputError: OpenSim is not installed, refuses the file, dies of it, or does not end.
    """
    path = Path(path)
    if importlib.util.find_spec("opensim") is None:
        raise InputError(path, f"the file is of version {version}, which only OpenSim can upgrade", _REMEDY)
    with tempfile.TemporaryDirectory(prefix="biopose-upgrade-") as folder:
        target = Path(folder) / "upgraded.osim"
        command = [sys.executable, "-c", _SCRIPT, str(path.resolve()), str(target)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise _refused(path, version, f"did not end within {TIME_LIMIT:.0f} s") from None
        if done.returncode != 0 or not target.is_file():
            raise _refused(path, version, _reason(done))
        return restore_digits(path.read_bytes(), target.read_bytes())


def restore_digits(original: bytes, saved: bytes) -> bytes:
    """Give the functions of a document that OpenSim saved the digits of the original.

    OpenSim writes the points and coefficients of functions with six digits only. A list of numbers in
    ``saved`` that is a list of ``original``, rounded so, becomes that list again.
    """
    exact: dict[tuple[str, ...], str] = {}
    for element in _number_lists(parse_document(original, "the original")):
        exact.setdefault(_six_digits(element), str(element.text))
    root = parse_document(saved, "the saved document")
    for element in _number_lists(root):
        element.text = exact.get(_six_digits(element), element.text)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _number_lists(root: ET.Element) -> Iterator[ET.Element]:
    for tag in ("x", "y", "coefficients"):
        yield from (element for element in root.iter(tag) if element.text and element.text.strip())


def _six_digits(element: ET.Element) -> tuple[str, ...]:
    try:
        return tuple(f"{float(value):g}" for value in str(element.text).split())
    except ValueError:
        return (str(element.text),)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """What OpenSim said of the failure, in one line."""
    _, marker, said = done.stderr.rpartition("UPGRADE FAILED ")
    if marker:
        return f"refused it: {said.strip()[:300]}"
    if done.returncode < 0:
        return f"died of it (signal {-done.returncode})"
    return f"failed: {' '.join(done.stderr.split())[-300:] or f'exit code {done.returncode}'}"


def _refused(path: Path, version: int, reason: str) -> InputError:
    return InputError(
        path,
        f"the file is of version {version}, and OpenSim, which was to upgrade it, {reason}",
        "open the model in the OpenSim GUI, mend what it reports and save it again",
    )
