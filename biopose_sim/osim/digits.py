"""The digits that OpenSim drops when it saves a model."""

from __future__ import annotations

import re
from collections import defaultdict

from biopose_sim.osim.xml import parse_document

_TAGS = ("x", "y", "coefficients")
_LIST = re.compile(rb"<(x|y|coefficients)>([^<]+)</\1>")


def restore_digits(original: bytes, saved: bytes) -> bytes:
    """Give the functions of a document that OpenSim saved the digits of the original.

    OpenSim writes the points and coefficients of functions with six digits only. A list of numbers in
    ``saved`` that is a list of ``original``, rounded so, becomes that list again; the rest of the document stays
    as it is, byte for byte. Where lists of the original differ but are rounded to the same, they are told
    apart by their order, or left rounded if that does not tell them apart.
    """
    exact: dict[tuple[str, ...], list[str]] = defaultdict(list)
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for element in parse_document(original, "the original").iter():
        if element.tag in _TAGS and element.text:
            exact[_six_digits(element.tag, element.text)].append(element.text)
    for match in _LIST.finditer(saved):
        places[_six_digits(match[1].decode(), match[2].decode())].append(match.span(2))
    restored = {
        span: text
        for key, spans in places.items()
        if key
        for span, text in zip(spans, _assigned(exact[key], len(spans)))
    }
    pieces, end = [], 0
    for (start, stop), text in sorted(restored.items()):
        pieces += [saved[end:start], text.encode()]
        end = stop
    return b"".join([*pieces, saved[end:]])


def _assigned(texts: list[str], count: int) -> list[str]:
    """The text for each of the places where they are rounded to the same; nothing if it is not clear which."""
    if len({tuple(text.split()) for text in texts}) == 1:
        return texts[:1] * count
    return texts if len(texts) == count else []


def _six_digits(tag: str, text: str) -> tuple[str, ...]:
    """The list as OpenSim writes it; empty for what is no list of numbers."""
    try:
        return (tag, *(f"{float(value):g}" for value in text.split()))
    except ValueError:
        return ()
