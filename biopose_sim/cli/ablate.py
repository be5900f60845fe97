"""``biopose ablate``: what each part of NeurIK brings, in a table from real runs."""

from __future__ import annotations

from pathlib import Path

import click

from biopose_sim.cli import options
from biopose_sim.cli.train import device, settings

# Those of biopose_sim.neurik.ablations, which takes too long to import for a help page.
TABLES = ("losses", "output", "window", "changes")


@click.command("ablate", short_help="What each part of NeurIK brings: trained and measured, in a table.")
@click.argument("table", type=click.Choice(TABLES), metavar="|".join(TABLES))
@click.argument("data", type=options.PATH, metavar="DATA")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="OUT", help="Folder for tables and networks.")
@click.option("--config", default="base", show_default=True, metavar="CONFIG", help="What is varied: a name or a file.")
@settings
@click.option("--steps", type=click.IntRange(min=1), default=2000, show_default=True, metavar="N", help="Of each row.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The same for all rows.")
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Of each test person; all if not given.")
@device
@options.threads
def command(
    table: str,
    data: Path,
    output: Path,
    config: str,
    settings: tuple[str, ...],
    steps: int,
    seed: int | None,
    trials: int | None,
    device: str,
    threads: int,
) -> None:
    """Train each row of a table with the same budget on the shards in DATA and evaluate it on their test persons.

    \b
    losses   all; without joints, markers, scales, angles; angles alone
    output   last frame, all frames
    window   16, 32, 64, 128 frames, as many frames in each step
    changes  from the configuration 'paper' to CONFIG, one change after the other

    Writes <table>.csv, .json and .md into OUT. Rows that are done are not done again: the same command goes on.
    """
    from biopose_sim.cli.console import Progress, print_table
    from biopose_sim.cli.training import prepare, wanted
    from biopose_sim.neurik.ablations import METRICS, PAPER_NOTE, make_rows, paper_rows, run_table
    from biopose_sim.neurik.config import load_config

    rows = make_rows(table, wanted(load_config(config, settings), steps, seed), load_config("paper"))
    place = prepare(device, threads)
    with Progress() as progress:
        found = run_table(table, data, output, rows, trials=trials, device=place, progress=progress, tell=progress.tell)
    head = ["", *(f"{name} [{unit}]" for name, unit in METRICS.items()), "parameters", "minutes"]
    lines = [
        [r["name"], *(f"{r[name]:.2f}" for name in METRICS), f"{r['parameters']:,}", f"{r['seconds'] / 60:.1f}"]
        for r in found
    ]
    lines += [[f"{r['name']} *", *(f"{r[name]:.2f}" for name in METRICS), "", ""] for r in paper_rows()]
    click.echo()
    print_table(head, lines)
    click.echo(f"\n* {PAPER_NOTE}\n{output / table}.md, .csv, .json")
