"""Good files to break: copies of OpenSim's Gait2354 pipeline and of a trial of subject 4, and ways to edit them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Cells = list[list[str]]

_GAIT = {
    "model.osim": "OutputReference/subject01_simbody.osim",
    "generic.osim": "gait2354_simbody.osim",
    "markers.xml": "gait2354_Scale_MarkerSet.xml",
    "actuators.xml": "gait2354_RRA_Actuators.xml",
    "tasks.xml": "gait2354_RRA_Tasks.xml",
    "walk.mot": "subject01_walk1_ik.mot",
    "walk.trc": "subject01_walk1.trc",
    "static.trc": "subject01_static.trc",
    "grf.mot": "subject01_walk1_grf.mot",
    "grf.xml": "subject01_walk1_grf.xml",
    "ik.xml": "subject01_Setup_IK.xml",
    "id.xml": "subject01_Setup_InverseDynamics.xml",
    "scale.xml": "subject01_Setup_Scale.xml",
    "rra.xml": "subject01_Setup_RRA.xml",
}
_SUBJECT = {
    "coupled.osim": "Models/manually_scaled.osim",
    "coupled.mot": "IK/walking1_manual_scaling_ik.mot",
}
_RENAMED = {
    "subject01_simbody.osim": "model.osim",
    "gait2354_simbody.osim": "generic.osim",
    "gait2354_Scale_MarkerSet.xml": "markers.xml",
    "gait2354_RRA_Actuators.xml": "actuators.xml",
    "gait2354_RRA_Tasks.xml": "tasks.xml",
    "gait2354_RRA_ControlConstraints.xml": "Unassigned",
    "subject01_walk1_ik.mot": "walk.mot",
    "subject01_walk1.trc": "walk.trc",
    "subject01_static.trc": "static.trc",
    "subject01_walk1_grf.xml": "grf.xml",
    "subject01_walk1_grf.mot": "grf.mot",
}


@dataclass
class Table:
    """A .mot or .sto, or a .trc (five header lines and a blank one), as header lines and cells."""

    header: list[str]
    labels: list[str]
    cells: Cells = field(default_factory=list)

    def column(self, name: str) -> int:
        return self.labels.index(name)

    def change(self, name: str, new: Callable[[int, float], object]) -> None:
        """Replace a column by a function of the row and its value."""
        at = self.column(name)
        for i, row in enumerate(self.cells):
            row[at] = str(new(i, float(row[at])))


class Files:
    """A folder with good files, copied when they are first named; setups name each other by their short names."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder

    def __call__(self, *names: str) -> list[Path]:
        return [self.one(name) for name in names]

    def one(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            part = _GAIT.get(name)
            base = self.data / ("pipelines/Gait2354_Simbody" if part else "opencap_lab_subject4")
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / (part or _SUBJECT[name]), target)
            if target.suffix == ".xml":
                self.edit(name, _short_names)
        return target

    def edit(self, name: str, change: Callable[[str], str]) -> Path:
        """Change the text of a file; it must differ then."""
        path = self.one(name)
        old = path.read_text(encoding="utf-8")
        new = change(old)
        if new == old and change is not _short_names:
            raise ValueError(f"nothing changed in {name}")
        path.write_text(new, encoding="utf-8")
        return path

    def replace(self, name: str, old: str, new: str, count: int = 1) -> Path:
        return self.edit(name, lambda text: text.replace(old, new, count))

    def sub(self, name: str, pattern: str, new: str) -> Path:
        return self.edit(name, lambda text: re.sub(pattern, new, text, count=1, flags=re.DOTALL))

    def table(self, name: str, change: Callable[[Table], None]) -> Path:
        """Change the cells of a .mot or .sto."""

        def work(text: str) -> str:
            lines = [line.rstrip() for line in text.splitlines()]
            end = lines.index("endheader")
            rows = [line.split() for line in lines[end + 1 :] if line]
            table = Table(lines[: end + 1], rows[0], rows[1:])
            change(table)
            return "\n".join([*table.header, *("\t".join(row) for row in (table.labels, *table.cells))]) + "\n"

        return self.edit(name, work)

    def trc(self, name: str, change: Callable[[Table], None]) -> Path:
        """Change the cells of a .trc; ``labels`` are the marker names."""

        def work(text: str) -> str:
            lines = text.splitlines()
            names = [cell for cell in lines[3].split("\t")[2:] if cell.strip()]
            rows = [line.split("\t")[: 2 + 3 * len(names)] for line in lines[5:] if line.strip()]
            table = Table(lines[:5], names, rows)
            change(table)
            table.header[3] = "Frame#\tTime\t" + "\t\t\t".join(table.labels) + "\t\t"
            return "\n".join([*table.header, "", *("\t".join(row) for row in table.cells)]) + "\n"

        return self.edit(name, work)


def _short_names(text: str) -> str:
    for old, new in _RENAMED.items():
        text = text.replace(old, new)
    return text
