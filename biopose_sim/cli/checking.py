"""The work of ``biopose check``: running it, and findings for people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click

from biopose_sim.check.codes import CODES
from biopose_sim.check.finding import Finding
from biopose_sim.check.fix import Mended, fix_files
from biopose_sim.check.together import Report, check_files
from biopose_sim.cli.console import Progress, print_table
from biopose_sim.errors import InputError

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def run(
    paths: Sequence[Path],
    *,
    fix: bool,
    output: Path | None,
    in_place: bool,
    notes: bool,
    ask: bool,
    as_json: bool,
) -> int:
    """Check, mend and print; returns 1 where errors were found, else 0.

    Raises:
        InputError: a path that is not there or cannot be read; files that cannot be written.
    """
    for path in paths:
        if not path.exists():
            raise InputError(path, "no such file or folder", "name files or folders to check")
    with Progress() as progress:
        report = check_files(paths, progress)
        if ask:
            progress("asking OpenSim")
            report = _asked(report)
    mended = fix_files(report, output, in_place=in_place) if fix else []
    if as_json:
        click.echo(json.dumps(_as_json(report, mended), indent=2))
    else:
        _print_findings(report, notes)
        _print_mended(mended)
        _print_summary(report, notes, fixed=fix)
    return 1 if report.count("error") else 0


def _asked(report: Report) -> Report:
    from biopose_sim.check.asked import ask_opensim

    findings = [*report.findings, *ask_opensim(report.files)]
    return replace(report, findings=tuple(sorted(findings, key=lambda f: (str(f.file), f.rank))))


def print_codes(as_json: bool) -> None:
    """Print the table of codes."""
    if as_json:
        table = {code: vars(known) for code, known in CODES.items()}
        click.echo(json.dumps(table, indent=2))
        return
    rows = []
    for code, known in CODES.items():
        rows.append(f"{code}  {known.severity:<7}  {'fix' if known.fixable else '   '}  {known.title}; {known.remedy}")
    click.echo("\n".join(rows))


def _as_json(report: Report, mended: Sequence[Mended]) -> dict[str, object]:
    return {
        "files": [str(path) for path in report.files],
        "findings": [f.as_json() for f in report.findings],
        "counts": {severity: report.count(severity) for severity in _COLOURS},
        "mended": [
            {
                "source": str(m.source),
                "target": str(m.target),
                "backup": None if m.backup is None else str(m.backup),
                "codes": list(m.codes),
            }
            for m in mended
        ],
    }


def _print_findings(report: Report, notes: bool) -> None:
    shown = [f for f in report.findings if notes or f.severity != "note"]
    for file, group in groupby(shown, key=lambda f: f.file):
        click.echo(click.style(_short(file), bold=True))
        for f in group:
            click.echo(f"  {click.style(f.severity, fg=_COLOURS[f.severity])} {f.code}  {_line(f)}")
            if f.remedy:
                click.echo(f"      {f.remedy}{' (--fix)' if f.fixable else ''}")
        click.echo()


def _line(f: Finding) -> str:
    title = CODES[f.code].title
    where = f"{f.where}: " if f.where else ""
    return f"{title}: {where}{f.message}"


def _short(path: Path) -> str:
    """The path from here, where that is shorter."""
    here = Path.cwd()
    whole = path.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def _print_mended(mended: Sequence[Mended]) -> None:
    rows = [(_short(m.source), _short(m.target), ", ".join(m.codes)) for m in mended]
    if rows:
        print_table(("mended", "written to", "codes"), rows)
        kept = [m.backup for m in mended if m.backup is not None]
        if kept:
            click.echo(f"  the inputs are kept: {', '.join(_short(path) for path in kept[:3])}{' …' * (len(kept) > 3)}")
        click.echo()


def _print_summary(report: Report, notes: bool, *, fixed: bool) -> None:
    counts = [_count(report.count(severity), severity) for severity in _COLOURS]
    fixable = sum(f.fixable for f in report.findings if f.severity != "note")
    text = f"{_count(len(report.files), 'file')}: {', '.join(counts)}"
    if fixable and not fixed:
        text += f"; --fix mends {fixable}"
    if report.count("note") and not notes:
        text += "; --notes prints the notes"
    click.echo(text)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
