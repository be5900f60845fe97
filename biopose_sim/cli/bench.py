"""``biopose bench``: how fast and how exact, measured on this machine; needs a checkout of the repository."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from biopose_sim.errors import InputError

_REPOSITORY = Path(__file__).resolve().parents[2]
_CONTEXT = {"ignore_unknown_options": True, "help_option_names": []}


@click.command("bench", short_help="Measure speed and accuracy on this machine.", context_settings=_CONTEXT)
@click.argument("what", default="", metavar="[all|fk|ik|fit|neurik]")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, what: str, arguments: tuple[str, ...]) -> None:
    """Run the benchmarks of the repository's folder 'bench'; each explains itself with --help.

    \b
    biopose bench fk --help
    biopose bench all
    """
    if what in ("", "-h", "--help"):
        click.echo(ctx.get_help())
        click.echo(f"\nHere: {', '.join(available()) or 'none (run it from a checkout of the repository)'}")
        return
    names = available()
    if not names:
        raise InputError(_REPOSITORY / "bench", "holds no benchmarks", "run it from a checkout of the repository")
    if what != "all" and what not in names:
        raise click.UsageError(f"no benchmark '{what}'; there are {', '.join(names)}", ctx)
    sys.path.insert(0, str(_REPOSITORY))
    for name in names if what == "all" else [what]:
        importlib.import_module(f"bench.{name}").main(list(arguments))


def available() -> list[str]:
    """Names of the benchmarks: the modules of ``bench`` that have a ``main``."""
    files = sorted((_REPOSITORY / "bench").glob("*.py"))
    return [file.stem for file in files if "\ndef main(" in file.read_text(encoding="utf-8")]
