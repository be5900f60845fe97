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
