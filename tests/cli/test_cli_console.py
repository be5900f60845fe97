"""What the user sees: one line each, once."""

from __future__ import annotations

import warnings

from biopose_sim.cli.console import Progress, complain, print_table, shown_warnings, warn_user
from biopose_sim.io import BioposeWarning


def test_complaints_are_one_line(capsys):
    complain("a.trc: is bad;\nmend it")
    assert capsys.readouterr().err == "biopose: a.trc: is bad; mend it\n"


def test_our_warnings_are_shown_once_and_others_only_when_wanted(capsys):
    for everything, lines in ((False, 1), (True, 2)):
        with shown_warnings(everything):
            for _ in range(2):
                warnings.warn("a.trc: repaired", BioposeWarning, stacklevel=1)
            warnings.warn("inner workings", RuntimeWarning, stacklevel=1)
        shown = capsys.readouterr().err.splitlines()
        assert shown[0] == "biopose: warning: a.trc: repaired"
        assert len(shown) == lines


def test_equal_lines_of_results_are_said_once(capsys):
    warn_user(["x", "y", "x"])
    assert capsys.readouterr().err == "biopose: warning: x\nbiopose: warning: y\n"


def test_progress_is_silent_without_a_terminal_and_clears_its_line_on_one(capsys, monkeypatch):
    with Progress() as progress:
        progress("reading")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress("reading")
    shown = capsys.readouterr().err
    assert "reading" in shown
    assert shown.endswith("\r\x1b[K")


def test_table_is_aligned(capsys):
    print_table(("trial", "RMS"), [("walk", "1.00"), ("running", "10.00")])
    assert capsys.readouterr().out == "  trial      RMS\n  walk      1.00\n  running  10.00\n"
