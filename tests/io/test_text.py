"""Numbers in text: compiled reader and fixed-point writer against Python's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biopose_sim.errors import InputError
from biopose_sim.io.digits import fixed_point_text
from biopose_sim.io.text import read_numbers, read_text_bytes

finite = st.floats(allow_nan=False, allow_infinity=False)
forms = st.sampled_from([repr, "{:.6f}".format, "{:g}".format, "{:.18e}".format, "{:+.3E}".format, "{:.0f}".format])


@settings(deadline=None)
@given(st.lists(st.tuples(finite, forms), min_size=6, max_size=60), st.booleans())
def test_every_notation_is_read_to_the_last_bit(cells, tabs):
    words = [form(value) for value, form in cells][: len(cells) // 3 * 3]
    lines = ["\t".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    block = read_numbers("x", "\n".join(lines).encode(), 0, 3, tabs=tabs)
    np.testing.assert_array_equal(block.values.ravel(), [float(word) for word in words])


def test_gaps_line_ends_and_blank_lines():
    data = b"head\r\n1\t\t -2.5 \tNaN\t3e-3\r\n\r\n \t \n4\tnan\t.5\t5.\t-1\textra\n"
    block = read_numbers("x", data, 6, 5, tabs=True)
    nan = math.nan
    np.testing.assert_array_equal(block.values, [[1, nan, -2.5, nan, 0.003], [4, nan, 0.5, 5, -1]])
    assert block.lines.tolist() == [2, 5]
    assert block.cells.tolist() == [5, 6]
    assert block.beyond


def test_blanks_separate_cells_where_tabs_do_not():
    block = read_numbers("x", b"  1   -2.5 \t3\r\n4 nan  6 \n", 0, 3, tabs=False)
    np.testing.assert_array_equal(block.values, [[1, -2.5, 3], [4, math.nan, 6]])
    assert block.cells.tolist() == [3, 3]


@pytest.mark.parametrize("tabs", [True, False])
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", r"line 3, column 2: 'abc' is not a number; write a number or leave a gap"),
        ("1.5x", r"line 3, column 2: '1.5x'"),
        ("--1", r"line 3, column 2: '--1'"),
        ("1_000", r"line 3, column 2: '1_000'"),
        ("12,5", r"'12,5' is not a number; write decimals with a point, not a comma"),
        ("\x05", r"line 3, column 2"),
    ],
)
def test_words_are_refused_with_their_place(cell, message, tabs):
    with pytest.raises(InputError, match=message):
        read_numbers("x", f"1\t2\n\n3\t{cell}\n".encode(), 0, 2, tabs=tabs)


def test_text_files(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\rb\r")
    assert read_text_bytes(path) == b"a\nb\n"
    path.write_bytes(b"a\0b")
    with pytest.raises(InputError, match="is not a text file"):
        read_text_bytes(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_text_bytes(path)


moderate = st.floats(-1e5, 1e5) | st.just(math.nan)


@given(st.lists(st.tuples(moderate, moderate), min_size=1, max_size=20), st.integers(0, 9))
def test_fixed_point_is_what_python_writes(rows, decimals):
    table = np.array(rows)
    text = fixed_point_text([(table[:, :1], decimals), (table[:, 1:], 2)])
    read = np.array([[float(cell) for cell in line.split("\t")] for line in text.splitlines()])
    tolerance = np.array([0.5 * 10.0**-decimals, 0.005]) * (1 + 1e-9) + 2e-11
    assert ((np.abs(read - table) <= tolerance) | np.isnan(table)).all()
    assert (np.isnan(read) == np.isnan(table)).all()
    assert all(
        len(c.partition(".")[2]) == decimals for c in (t.split("\t")[0] for t in text.splitlines()) if c != "nan"
    )


def test_fixed_point_forms():
    table = np.array([[0.0, -0.004], [-10.5, math.nan], [9.996, -1234.5]])
    assert fixed_point_text([(table, 2)], nan="") == "0.00\t0.00\n-10.50\t\n10.00\t-1234.50\n"
    assert fixed_point_text([(np.array([[1.0], [12.0]]), 0), (np.array([[0.5], [1.0]]), 1)]) == "1\t0.5\n12\t1.0\n"


def test_fixed_point_of_huge_numbers():
    assert fixed_point_text([(np.array([[1e15, math.inf], [0.5, math.nan]]), 8)], nan="") == (
        "1000000000000000.00000000\tinf\n0.50000000\t\n"
    )
