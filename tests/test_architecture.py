"""Rooms of the house: which package may import which, where OpenSim may be imported, how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("biopose_sim", "ik_pipeline")
# What each room may import, besides itself and what all may import.
FOR_ALL = {"biopose_sim", "errors", "paths"}
ROOMS = {
    "errors": set(),
    "paths": set(),
    "io": set(),
    "osim": {"io"},
    "bodies": {"io"},
    "kinematics": {"io", "osim"},
    "ik": {"io", "osim", "kinematics"},
    "synthetic": {"io", "osim", "kinematics", "bodies"},
    "gait": {"io", "osim", "kinematics"},
    "check": {"io", "osim", "kinematics"},
    "forces": {"io", "osim", "kinematics", "gait"},
    "video": {"io", "osim", "kinematics", "ik", "bodies", "ik_pipeline", "neurik"},
    "viz": {"io", "osim", "kinematics", "ik", "bodies", "gait", "forces"},
    "ik_pipeline": {"io", "osim", "kinematics", "ik", "bodies"},
    "neurik": {"io", "osim", "kinematics", "ik", "ik_pipeline"},
    "cli": {"io", "osim", "kinematics", "ik", "bodies", "synthetic", "viz", "ik_pipeline", "neurik"}
    | {"gait", "check", "forces", "video"},
    "__main__": {"cli"},
    # The public names, each imported when it is first used.
    "biopose_sim": set(),
}
# Functions of osim that take an OsimModel, and so stand above kinematics.
ABOVE_KINEMATICS = {"osim/markerset.py", "osim/ranges.py", "osim/writer.py", "osim/info.py"}
# The start of processes that use OpenSim.
WITH_OPENSIM = {"osim/_opensim_process.py"}
MOST_LINES = 400


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    if parts[0] == "ik_pipeline":
        return "ik_pipeline"
    return "biopose_sim" if parts[1] == "__init__" else parts[1]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each imported module, relative ones resolved."""
    package = path.relative_to(REPOSITORY).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def target_room(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] == "ik_pipeline":
        return "ik_pipeline"
    if parts[0] != "biopose_sim":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "biopose_sim"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way(path):
    room = room_of(path)
    assert room in ROOMS, f"new room {room!r}: say in this test what it may import"
    allowed = ROOMS[room] | FOR_ALL | {room}
    if path.relative_to(REPOSITORY / path.relative_to(REPOSITORY).parts[0]).as_posix() in ABOVE_KINEMATICS:
        allowed |= {"kinematics"}
    wrong = [(line, name) for line, name in imported(path) if target_room(name) not in {None, *allowed}]
    assert not wrong


def test_opensim_is_imported_in_few_places():
    for path in sources():
        inside = path.relative_to(REPOSITORY)
        if inside.parts[0] == "ik_pipeline" or "/".join(inside.parts[1:]) in WITH_OPENSIM:
            continue
        assert not [name for _, name in imported(path) if name.split(".")[0] == "opensim"], path


def test_only_the_command_line_prints():
    for path in sources():
        if room_of(path) == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert not [call.lineno for call in calls if call.func.id == "print"], path


def test_no_broad_except():
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                names = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {""}
                assert not names & {"", "Exception", "BaseException"}, f"{path}:{node.lineno}"


def test_files_can_be_read_in_one_go():
    folders = (*PACKAGES, "tests", "examples", "bench")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    assert not {path.name: n for path in files if (n := len(path.read_text().splitlines())) > MOST_LINES}


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import biopose_sim", {"numpy", "torch", "numba", "scipy", "pandas", "matplotlib", "opensim"}),
        ("import biopose_sim.io", {"torch", "numba", "matplotlib", "opensim", "ezc3d"}),
        ("import biopose_sim.ik.fit", {"matplotlib", "opensim"}),
        ("import biopose_sim.viz.report, ik_pipeline.opensim_tools", {"opensim"}),
    ],
)
def test_imports_are_light(statement, heavy):
    code = f"import sys\n{statement}\nfound = {heavy!r} & set(sys.modules)\nassert not found, found"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_path_of_one_machine_or_registry_is_written_down():
    """Nothing names the folders of the machine it was made on."""
    home = f"{Path.home()}/"
    places = [home] if len(home) > 2 else []
    if REPOSITORY.parent != Path("/"):
        places.append(f"{REPOSITORY.parent}/")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    files = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    text_files = [p for p in files if p.is_file() and p.suffix in {".py", ".md", ".toml", ".csv", ".osim", ".xml", ""}]
    for path in text_files:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [place for place in places if place in text], path
