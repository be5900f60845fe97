"""The tables of a run's summary: reasons, splits, actions, and all trials in one that sorts and filters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biopose_sim.viz._html import Html, element, join, table
from biopose_sim.viz.report_tables import DASH, number

if TYPE_CHECKING:
    from biopose_sim.viz.summary import PersonSummary, TrialSummary

MOST_ROWS = 200
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?( %)?")
_NAMED = re.compile(r"^((?:marker|markers on)) \S+")
# Columns of the table of all trials: heading, key of the measured quality, factor, digits.
_COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("Frames", "frames", 1.0, 0),
    ("RMS [mm]", "marker_rms", 1.0, 1),
    ("Landmarks [mm]", "landmark_rms", 1.0, 1),
    ("Tracking [mm]", "tracking_rms", 1.0, 1),
    ("Largest [mm]", "largest_error", 1.0, 0),
    ("Over 2 cm [%]", "masked_landmarks", 100.0, 1),
    ("Missing [%]", "missing", 100.0, 1),
    ("At limits [%]", "at_limits", 100.0, 1),
    ("Jumps [% of frames]", "jump_frames", 100.0, 1),
    ("Jerk [m/s³]", "jerk", 1.0, 0),
    ("In floor [mm]", "penetration", 1.0, 0),
    ("Skate [mm/s]", "skate", 1.0, 0),
)
_TEXTS = ("Person", "Trial", "State", "Split", "Action", "Why")
_SCRIPT = """
(function () {
  const data = JSON.parse(document.getElementById("trial-data").textContent);
  const table = document.getElementById("trials"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const count = document.getElementById("trial-count"), filter = document.getElementById("trial-filter");
  const rows = data.rows.map(values => {
    const row = document.createElement("tr");
    values.forEach((value, i) => {
      const cell = row.insertCell();
      const digits = data.digits[i];
      cell.textContent = value === null ? "\\u2013" : digits === null ? value : value.toFixed(digits);
      if (digits === null) cell.className = "name";
      if (i === 2) cell.classList.add(value === "ok" ? "good" : "bad");
    });
    return {row, values, text: values.join(" ").toLowerCase()};
  });
  let key = -1, up = true;
  function show() {
    const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const shown = rows.filter(r => words.every(word => r.text.includes(word)));
    body.replaceChildren(...shown.map(r => r.row));
    count.textContent = shown.length + " of " + rows.length + " trials";
  }
  function order(i) {
    up = key === i ? !up : data.digits[i] === null;
    key = i;
    const sign = up ? 1 : -1;
    rows.sort((a, b) => {
      const x = a.values[i], y = b.values[i];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "number" ? x - y : x.localeCompare(y, undefined, {numeric: true}));
    });
    heads.forEach((head, k) => head.setAttribute("aria-sort", k === i ? (up ? "ascending" : "descending") : "none"));
    show();
  }
  heads.forEach((head, i) => head.addEventListener("click", () => order(i)));
  filter.addEventListener("input", show);
  show();
})();
"""
_STYLE = """<style>
#trials th { cursor: pointer; white-space: normal; min-width: 3.5em; position: sticky; top: 0; background: #fff; }
#trials { font-size: 12.5px; } #trials td, #trials th { padding: 3px 7px; vertical-align: top; }
#trials th { vertical-align: bottom; }
#trials td.name { overflow-wrap: normal; white-space: nowrap; }
#trials th[aria-sort=ascending]::after { content: " \\25b2"; }
#trials th[aria-sort=descending]::after { content: " \\25bc"; }
#trial-filter { font: inherit; padding: 4px 8px; width: 22em; max-width: 100%; }
.tall { max-height: 80vh; overflow: auto; }
@media print { .tall { max-height: none; } }
</style>"""


def trial_table(trials: Sequence[TrialSummary], splits: Mapping[str, str]) -> Html:
    """All trials in a table that sorts by a click on a heading and filters by words; the rows come as JSON.

    Args:
        trials: of the run.
        splits: of each person.
    """
    heads = [*_TEXTS[:5], *(column[0] for column in _COLUMNS), _TEXTS[5]]
    digits = [None] * 5 + [column[3] for column in _COLUMNS] + [None]
    rows = [_row(trial, splits.get(trial.person, "")) for trial in trials]
    data = json.dumps({"digits": digits, "rows": rows}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # "</script>" in a name must not end the data.
    data = data.replace("<", "\\u003c")
    cells = join(element("th", head, css="name" if d is None else "") for head, d in zip(heads, digits))
    return Html(
        f"{_STYLE}<h2>All trials</h2>"
        '<p><input id="trial-filter" type="search" placeholder="Filter: words of a row" aria-label="Filter trials"> '
        '<span id="trial-count" class="soft"></span> · '
        '<span class="soft">a click on a heading sorts</span></p>'
        f'<div class="tall"><table id="trials"><thead><tr>{cells}</tr></thead><tbody></tbody></table></div>'
        f'<script id="trial-data" type="application/json">{data}</script><script>{_SCRIPT}</script>'
        "<noscript><p>This table needs a browser that runs scripts.</p></noscript>"
    )


def _row(trial: TrialSummary, split: str) -> list[Any]:
    numbers = [_rounded(trial.quality.get(key), factor, digits) for _, key, factor, digits in _COLUMNS]
    return [trial.person, trial.trial, trial.state, split, trial.action or "", *numbers, "; ".join(trial.reasons)]


def _rounded(value: float | None, factor: float, digits: int) -> float | int | None:
    if value is None:
        return None
    return round(factor * value, digits) if digits else round(factor * value)


def shares(persons: Sequence[PersonSummary], trials: Sequence[TrialSummary]) -> Html:
    """Tables of the splits and of the actions."""
    split_of = {person.id: person.split or "none" for person in persons}
    count = Counter(split_of.values())
    order = [s for s in ("train", "val", "test") if s in count] + sorted(set(count) - {"train", "val", "test"})
    by_split = _grouped(trials, lambda t: split_of.get(t.person, "none"))
    rows = [[split, count[split], *_totals(by_split.get(split, []))] for split in order]
    parts = [element("h2", "Splits and actions")]
    parts.append(table(["Split", "Persons", *_TOTALS], rows, "Split by persons; frames and hours of accepted trials"))
    sexes = Counter(person.sex or "not known" for person in persons)
    parts.append(table(["Sex", "Persons"], sorted(sexes.items())))
    by_action = _grouped(trials, lambda t: t.action or "not named")
    if set(by_action) - {"not named"}:
        most = sorted(by_action.items(), key=lambda item: (-len(item[1]), item[0]))
        rows = [[action, *_totals(own)] for action, own in most]
        parts.append(capped(["Action", *_TOTALS], rows, names=1))
    return join(parts)


_TOTALS = ("Trials", "Accepted", "Frames", "Hours", "Median RMS [mm]")


def _grouped(trials: Sequence[TrialSummary], key: Any) -> dict[str, list[TrialSummary]]:
    groups: dict[str, list[TrialSummary]] = {}
    for trial in trials:
        groups.setdefault(key(trial), []).append(trial)
    return groups


def _totals(trials: Sequence[TrialSummary]) -> list[object]:
    good = [t.quality for t in trials if t.state == "ok" and t.quality]
    rms = [q["marker_rms"] for q in good if q["marker_rms"] is not None]
    hours = sum(q["seconds"] for q in good) / 3600.0
    frames = sum(q["frames"] for q in good)
    return [len(trials), len(good), f"{frames:,}", number(hours, 2), number(float(np.median(rms)), 1) if rms else DASH]


def reason_table(reasons: Iterable[Sequence[str]], total: int) -> Html:
    """How often each kind of reason was given, figures and names aside."""
    kinds = Counter(kind for given in reasons for kind in dict.fromkeys(_kind(reason) for reason in given))
    rows = [[kind, count, f"{100.0 * count / max(total, 1):.1f} %"] for kind, count in kinds.most_common()]
    return table(["Reason", "Trials", "Share of all"], rows)


def _kind(reason: str) -> str:
    """A reason without its figure, its limit and the name of a marker."""
    return _NUMBER.sub("…", _NAMED.sub(r"\1 …", reason.split(" (limit")[0]), count=1)


def capped(head: Sequence[str], rows: Sequence[Sequence[object]], names: int = 2) -> Html:
    """A table of 200 rows at most, and how many are left out."""
    parts = [table(head, rows[:MOST_ROWS], names=names)]
    if len(rows) > MOST_ROWS:
        parts.append(element("p", f"{len(rows) - MOST_ROWS} more are in the manifest.", css="soft"))
    return join(parts)


def about(rows: Sequence[tuple[str, str]]) -> Html:
    """How the run was made."""
    return join([element("h2", "How this was made"), table(["", ""], rows, names=2)]) if rows else Html("")
