"""The table of codes: what each means, how severe it is, and what mends it. No code ever gets another meaning."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Severity = Literal["error", "warning", "note"]
_TABLE = Path(__file__).with_name("codes.csv")


@dataclass(frozen=True)
class Code:
    """What a code stands for.

    Attributes:
        severity: as a rule; a finding may be milder or graver.
        title: what is wrong, in general.
        remedy: what to do.
        fixable: whether ``--fix`` mends it as a rule.
    """

    severity: Severity
    title: str
    remedy: str
    fixable: bool


def _read() -> dict[str, Code]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: Code(cast(Severity, row["severity"]), row["title"], row["remedy"], row["fixable"] == "yes")
            for row in csv.DictReader(file)
        }


CODES = _read()
