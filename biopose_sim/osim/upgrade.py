"""Old .osim files, upgraded by OpenSim itself in a process of its own: a crash of it must not end ours."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.osim.digits import restore_digits
from biopose_sim.osim.process import OpenSimError, run_script

TIME_LIMIT = 300.0  # seconds; the largest models take about three
_PROCESS = Path(__file__).with_name("_upgrade_process.py")
_REMEDY = "install it (pip install opensim), or open the model in the OpenSim GUI and save it again"


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
        target = Path(folder, "upgraded.osim")
        job = {"source": str(path.resolve()), "target": str(target)}
        try:
            run_script(_PROCESS, job, Path(folder), subject=path, doing="upgrading", timeout=TIME_LIMIT)
        except OpenSimError as error:
            raise InputError(
                path,
                f"the file is of version {version}, and OpenSim failed to upgrade it: {error.reason[:300]}",
                "open the model in the OpenSim GUI, mend what it reports and save it again",
            ) from error
        return restore_digits(path.read_bytes(), target.read_bytes())
