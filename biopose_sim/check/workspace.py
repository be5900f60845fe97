"""The files of one check, read once each, and what is found of each alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from biopose_sim.check.document import TOOLS, Document, read_document, resolved
from biopose_sim.check.finding import Finding, finding
from biopose_sim.check.loads import LoadsFile, check_loads
from biopose_sim.check.model import ModelFile, check_model
from biopose_sim.check.setup import SetupFile, check_setup, check_written
from biopose_sim.check.storage import StorageFile, read_storage
from biopose_sim.check.trcfile import TrcFile, read_trc_file
from biopose_sim.check.trcmarkers import check_markers
from biopose_sim.errors import InputError

SUFFIXES = (".osim", ".mot", ".sto", ".trc", ".xml")
MANIFEST = "manifest.json"


@dataclass
class Workspace:
    """Files by path, each of its kind."""

    models: dict[Path, ModelFile] = field(default_factory=dict)
    storages: dict[Path, StorageFile] = field(default_factory=dict)
    recordings: dict[Path, TrcFile] = field(default_factory=dict)
    loads: dict[Path, LoadsFile] = field(default_factory=dict)
    setups: dict[Path, SetupFile] = field(default_factory=dict)
    others: dict[Path, Document] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    order: list[Path] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Read a file, once, and check it alone; files that a setup or a loads file names come along.

        Raises:
            InputError: it is not there or cannot be read.
        """
        key = _key(path)
        if key in self.order:
            return
        self.order.append(key)
        suffix = path.suffix.lower()
        if " " in path.name:
            self.findings.append(finding("F09", path, repr(path.name)))
        if suffix in (".mot", ".sto"):
            self.storages[key] = storage = read_storage(path)
            self.findings += storage.findings
        elif suffix == ".trc":
            self.recordings[key] = recording = read_trc_file(path)
            self.findings += recording.findings + check_markers(recording)
        elif suffix in (".osim", ".xml"):
            self._add_document(path, key)
        else:
            self.findings.append(finding("F10", path, f"'{suffix or path.name}' is not checked"))

    def _add_document(self, path: Path, key: Path) -> None:
        document = read_document(path)
        if document.kind == "Model":
            self.models[key] = model = check_model(document)
            self.findings += model.findings
        elif document.kind == "ExternalLoads":
            self.loads[key] = loads = check_loads(document)
            self.findings += loads.findings
            self._add_named(document)
        elif document.kind in TOOLS:
            self.setups[key] = setup = check_setup(document)
            self.findings += setup.findings
            for file in setup.inputs:
                if file.path.is_file():
                    self.add(file.path)
        else:
            self.others[key] = document
            self.findings += document.findings

    def _add_named(self, document: Document) -> None:
        """The data of external loads."""
        from biopose_sim.check.document import named_files

        for file in named_files(document, ("datafile",)):
            self.findings += check_written(document, file)
            if file.path.is_file():
                self.add(file.path)
            else:
                self.findings.append(self.absent(document.path, file.tag, file.written))

    def absent(self, path: Path, tag: str, written: str) -> Finding:
        """A finding for a file that is named and does not exist: made by another setup, or lost."""
        wanted = resolved(path, written)
        for setup in self.setups.values():
            made = _key(wanted) in [_key(output) for output in setup.outputs]
            if made or _is_result(wanted, setup):
                message = f"{written} is made by {setup.path.name}"
                return finding("S11", path, message, f"<{tag}>")
        near = self.lookalike(wanted)
        remedy = f"such a file lies at {near}" if near else None
        return finding("S01", path, f"{written} does not exist", f"<{tag}>", remedy=remedy)

    def lookalike(self, wanted: Path) -> Path | None:
        """A file of the same name among those that are checked, or nearby; None where there is none."""
        known = [key for key in self.order if key.name == wanted.name]
        places = [wanted.parent.parent / wanted.name, *(p / wanted.name for p in list(wanted.parents)[1:3])]
        return next((p for p in [*known, *places] if p.is_file()), None)

    def model(self, path: Path) -> ModelFile | None:
        """The model that a path means, or one of its name."""
        found = self.models.get(_key(path))
        return found or next((m for k, m in self.models.items() if k.name == path.name), None)


def _is_result(wanted: Path, setup: SetupFile) -> bool:
    """Whether a file will lie in the folder of a setup's results."""
    if setup.results is None or not _key(wanted).is_relative_to(_key(setup.results)):
        return False
    if _key(setup.results) != _key(setup.path.parent):
        return True
    return wanted.suffix == ".sto" and wanted.name.startswith(f"{setup.content.get('name')}_")


def _key(path: Path) -> Path:
    return path.resolve()


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that can be checked, hidden ones left out.

    Raises:
        InputError: it holds none.
    """
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (path.suffix.lower() in SUFFIXES or path.name == MANIFEST)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise InputError(folder, "holds no file to check", f"there should be {', '.join(SUFFIXES)} files")
    return found
