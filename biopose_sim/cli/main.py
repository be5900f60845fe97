"""Entry of the command line: which commands there are, and how errors reach the user."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from biopose_sim import __version__
from biopose_sim.cli.console import complain, shown_warnings
from biopose_sim.cli.lazy import LazyGroup
from biopose_sim.errors import BioposeError

DEBUG = "--debug"
INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended
TERMINATED = 143  # and of one that was asked to end
COMMANDS = {
    "demo": "biopose_sim.cli.demo",
    "fit": "biopose_sim.cli.fit",
    "predict": "biopose_sim.cli.predict",
    "video": "biopose_sim.cli.video",
    "ik": "biopose_sim.cli.ik",
    "simulate": "biopose_sim.cli.simulate",
    "report": "biopose_sim.cli.report",
    "view": "biopose_sim.cli.view",
    "evaluate": "biopose_sim.cli.evaluate",
    "groundtruth": "biopose_sim.cli.groundtruth",
    "train": "biopose_sim.cli.train",
    "ablate": "biopose_sim.cli.ablate",
    "info": "biopose_sim.cli.info",
    "check": "biopose_sim.cli.check",
    "model": "biopose_sim.cli.model",
    "markers": "biopose_sim.cli.markers",
    "body": "biopose_sim.cli.body",
    "bench": "biopose_sim.cli.bench",
}


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with 'biopose demo'. 'biopose COMMAND --help' explains a command.",
)
@click.version_option(__version__, prog_name="biopose")
@click.option(DEBUG, is_flag=True, expose_value=False, help="Show where an error comes from.")
def cli() -> None:
    """From markers and body meshes to OpenSim: scaled models (.osim) and motions (.mot)."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run the command line; returns 0, 1 for a failure of ours, 2 for bad input, 130 for Ctrl-C."""
    debug = DEBUG in argv
    words = [word for word in argv if word != DEBUG]
    _end_tidily_when_asked_to()
    with shown_warnings(everything=debug):
        try:
            code = cli.main(args=words, prog_name="biopose", standalone_mode=False)
        except click.exceptions.Abort:
            complain("interrupted")
            return INTERRUPTED
        except click.ClickException as error:
            complain(_usage(error))
            return error.exit_code
        except BioposeError as error:
            if debug:
                raise
            complain(str(error))
            return error.exit_code
    return code if isinstance(code, int) else 0


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    text = error.format_message().rstrip(".")
    return f"{text} (see '{context.command_path} --help')" if context is not None else text


def _end_tidily_when_asked_to() -> None:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that unfinished files are removed."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    try:
        signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: somebody else's process, which keeps its handler
        return
