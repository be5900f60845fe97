"""``biopose check``: what will go wrong with OpenSim's files, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from biopose_sim.cli import options


@click.command("check", short_help="What will go wrong with these files, and how to mend it.")
@click.argument("paths", nargs=-1, type=options.PATH, metavar="FILE|FOLDER...")
@click.option("--fix", is_flag=True, help="Mend what is safe to mend, into NAME.fixed.EXT beside the input.")
@click.option("-o", "--output", type=options.PATH, metavar="FOLDER", help="For mended files, under their own names.")
@click.option("--in-place", is_flag=True, help="Mend the input itself; it is kept as NAME.EXT.bak.")
@click.option("--notes/--no-notes", default=False, help="Also print notes.")
@click.option("--opensim", "ask", is_flag=True, help="Also let OpenSim load the files, where it is installed.")
@click.option("--json", "as_json", is_flag=True, help="For programs; notes included.")
@click.option("--codes", is_flag=True, help="Print every code with its meaning and remedy, and end.")
def command(
    paths: tuple[Path, ...],
    fix: bool,
    output: Path | None,
    in_place: bool,
    notes: bool,
    ask: bool,
    as_json: bool,
    codes: bool,
) -> int:
    """Check models, motions, markers, external loads and setup files (.osim .mot .sto .trc .xml), alone and together.

    Which files belong together is found out: setups bring the files that they name, a motion and markers are
    compared with the model among the files. A result folder is checked as a whole. Needs no OpenSim.

    Exit code: 0 without errors, 1 where errors were found, 2 where a file cannot be read.

    \b
    biopose check walk.mot subject.osim
    biopose check setup_id.xml
    biopose check OUT --fix -o MENDED
    """
    from biopose_sim.cli import checking

    if codes:
        checking.print_codes(as_json)
        return 0
    if not paths:
        raise click.UsageError("name files or folders to check", click.get_current_context())
    fix = fix or in_place or output is not None
    return checking.run(paths, fix=fix, output=output, in_place=in_place, notes=notes, ask=ask, as_json=as_json)
