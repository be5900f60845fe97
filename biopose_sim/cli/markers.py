"""``biopose markers``: the virtual markers as a table, a picture or a 3D page."""

from __future__ import annotations

from pathlib import Path

import click

from biopose_sim.cli import options

BODIES = ("anny", "smpl", "smplh", "smplx")

body_option = click.option("--body", type=click.Choice(BODIES), default="anny", show_default=True, help="Body model.")


@click.group("markers", short_help="The virtual markers: list them, look at them.")
def command() -> None:
    """The virtual markers that all body models share."""


@command.command("list")
@click.option("--body", type=click.Choice(BODIES), help="Add the vertices on this body.")
def list_markers(body: str | None) -> None:
    """Print the virtual markers: segment, place on the default model, kind, weight, description."""
    from biopose_sim.bodies.virtual import read_virtual_markers

    markers = read_virtual_markers()
    places: dict[str, str] = {}
    if body is not None:
        places = _places(body, [marker.name for marker in markers])
    width = max([len("vertices"), *map(len, places.values())]) + 2
    heading = f"{'name':12}{'segment':11}{'x':>8}{'y':>8}{'z':>8}  {'kind':10}{'weight':>6}  "
    click.echo(heading + (f"{'vertices':{width}}" if body else "") + "description")
    for marker in markers:
        x, y, z = marker.position
        row = f"{marker.name:12}{marker.segment:11}{x:8.3f}{y:8.3f}{z:8.3f}  {marker.kind:10}{marker.weight:6g}  "
        click.echo(row + (f"{places[marker.name]:{width}}" if body else "") + marker.description)


def _places(body: str, names: list[str]) -> dict[str, str]:
    """Vertices of each marker as text, with their shares where there are several."""
    from biopose_sim.bodies.body import TOPOLOGY_OF
    from biopose_sim.bodies.markers import read_body_markers

    points = read_body_markers(TOPOLOGY_OF[body]).select(names)
    texts = [
        str(corners[0]) if len(corners) == 1 else " + ".join(f"{w:g}*{v}" for v, w in zip(corners, weights))
        for corners, weights in zip(points.vertices, points.weights)
    ]
    return dict(zip(points.names, texts))


@command.command("show")
@body_option
@click.option("-o", "--output", type=options.PATH, metavar="PNG", help="Picture; markers_BODY.png if nothing is named.")
@click.option("--html", type=options.PATH, metavar="HTML", help="Page that shows both in 3D; needs no network.")
@click.option("--models", type=options.PATH, metavar="FOLDER", help="Where your files of SMPL, SMPL-H or SMPL-X lie.")
def show(body: str, output: Path | None, html: Path | None, models: Path | None) -> None:
    """Draw the virtual markers on a body and on the OpenSim model.

    The picture shows front, right side and back; each view names the markers that the body does not hide.
    SMPL, SMPL-H and SMPL-X need the model files that you have registered for.
    """
    from biopose_sim.cli.console import Progress
    from biopose_sim.io.atomic import atomic_write
    from biopose_sim.viz.body_markers import marker_scene

    with Progress() as progress:
        progress(f"placing the markers on {body}")
        scene = marker_scene(body, model_folder=models)
        written = []
        if html is not None:
            from biopose_sim.viz.marker_viewer import marker_page

            written.append(atomic_write(html, marker_page(scene)))
        if output is not None or html is None:
            from biopose_sim.viz.marker_pictures import plot_markers
            from biopose_sim.viz.style import to_png

            progress("drawing")
            written.append(atomic_write(output or Path(f"markers_{body}.png"), to_png(plot_markers(scene), 110, 256)))
    for path in written:
        click.echo(str(path))


takes_option = click.option(
    "--takes",
    type=options.PATH,
    required=True,
    metavar="FOLDER",
    help="Folder of the CMU takes as BVH files (02_02.bvh, ...).",
)


@command.command("rigidity")
@takes_option
@click.option("--people", type=click.IntRange(min=1), default=40, show_default=True, help="Random adults.")
@click.option("--poses", type=click.IntRange(min=4), default=200, show_default=True, help="Held-out poses of each.")
@click.option("--all", "every", is_flag=True, help="Print every marker, the worst first.")
@click.option("-o", "--output", type=options.PATH, metavar="PNG", help="Draw a picture too.")
def rigidity(takes: Path, people: int, poses: int, every: bool, output: Path | None) -> None:
    """Measure how rigidly the virtual markers sit on their segments, on Anny bodies in poses of recorded takes."""
    from biopose_sim.bodies.virtual import read_virtual_markers
    from biopose_sim.cli.console import Progress, print_table
    from biopose_sim.io.atomic import atomic_write
    from ik_pipeline.calibration_data import held_out_rigidity
    from ik_pipeline.calibration_report import rigidity_picture, rigidity_rows
    from ik_pipeline.rigidity import TARGETS, group_medians

    markers = read_virtual_markers()
    with Progress() as progress:
        progress("moving the people")
        found = held_out_rigidity(takes, people, poses, seed=1, markers=markers)
    rows = []
    for group, (median, worst) in group_medians(found, markers).items():
        target = f"{1000 * TARGETS[group]:.0f}" if group in TARGETS else ""
        rows.append((group, f"{1000 * median:.1f}", f"{1000 * worst:.1f}", target))
    print_table(("group", "median [mm]", "worst marker", "target"), rows)
    if every:
        listed = [(n, segment, f"{m:.1f}", f"{h:.1f}") for n, segment, _, m, h in rigidity_rows(found, markers)]
        print_table(("marker", "segment", "median [mm]", "95 %"), listed)
    if output is not None:
        click.echo(str(atomic_write(output, rigidity_picture(found, markers))))


@command.command("calibrate")
@click.option("--population", type=click.Choice(["anny"]), default="anny", show_default=True, help="Bodies to use.")
@takes_option
@click.option("--people", type=click.IntRange(min=1), default=24, show_default=True, help="Random adults.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Of fits and averages.")
@click.option("--frames", type=click.IntRange(min=8), default=60, show_default=True, help="Of each person.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed draws the same people.")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
def calibrate_markers(
    population: str, takes: Path, people: int, rounds: int, frames: int, seed: int, output: Path
) -> None:
    """Calibrate the places of the virtual markers on the default model.

    Writes virtual.csv, report.csv (how each marker behaves) and rigidity.png into FOLDER. Takes ten minutes.
    """
    from biopose_sim.bodies.virtual import read_virtual_markers
    from biopose_sim.cli.console import Progress
    from biopose_sim.cli.folder import ResultFolder
    from biopose_sim.paths import markerset_path
    from ik_pipeline.calibration import CalibrationConfig, calibrate
    from ik_pipeline.calibration_data import marker_people, varied_people
    from ik_pipeline.calibration_report import marker_table, report_table, rigidity_picture

    start = read_virtual_markers(markerset_path("virtual_anatomy"))
    with ResultFolder(output) as folder, Progress() as progress:
        progress(f"moving {people} people ({population})")
        trials = [p.trials for p in marker_people(varied_people(takes, people, seed, frames=frames))]
        found = calibrate(trials, start, CalibrationConfig(rounds=rounds, frames=frames), progress)
        folder.file("virtual.csv").write_text(marker_table(found.markers), encoding="utf-8")
        folder.file("report.csv").write_text(report_table(found), encoding="utf-8")
        folder.file("rigidity.png").write_bytes(rigidity_picture(found.rigidity, found.markers))
    click.echo("marker distance after each round: " + ", ".join(f"{1000 * v:.1f}" for v in found.rms) + " mm")
    for path in folder.files:
        click.echo(str(path))
