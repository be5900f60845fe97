"""Small pieces of HTML: every text is escaped here, so that no name can break the page."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from matplotlib.figure import Figure

from biopose_sim.viz import style

CSS = """
:root { --ink: #22262a; --soft: #5f666d; --line: #dfe2e5; --band: #f6f7f8; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 28px 64px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 10px; border-top: 2px solid var(--ink); }
h3 { font-size: 15.5px; margin: 26px 0 6px; overflow-wrap: anywhere; }
p { margin: 6px 0 10px; max-width: 82ch; }
.soft { color: var(--soft); font-size: 13.5px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
         margin: 22px 0 8px; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.card b { display: block; font-size: 23px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0 14px; font-size: 13.5px;
        font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: 4px; }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.name { white-space: normal; overflow-wrap: anywhere; min-width: 8.5em; }
th { font-weight: 600; border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
th.name, td.name { text-align: left; }
tbody tr:nth-child(even) { background: var(--band); }
img { display: block; max-width: 100%; height: auto; margin: 8px 0 4px; }
figure { margin: 0 0 10px; }
.films { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.films figure { flex: 0 1 auto; max-width: 100%; margin: 8px 0 6px; }
.films figure:has(> img) { flex: 1 1 430px; } .films img { margin: 0 0 4px; }
.films figcaption { width: 0; min-width: 100%; overflow-wrap: anywhere; }
video { display: block; max-width: 100%; max-height: 74vh; background: #000; border-radius: 4px; }
.films figure + figure video, .films figure:has(+ figure > video) video { max-height: 52vh; }
figcaption { color: var(--soft); font-size: 13.5px; }
.warn { border-left: 4px solid #d55e00; background: #fdf3ec; padding: 8px 14px; margin: 12px 0; }
.warn ul { margin: 4px 0; padding-left: 20px; }
.good { color: #007a59; font-weight: 600; } .bad { color: #b54700; font-weight: 600; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 18px 0 0; font-size: 13.5px; }
nav a { color: var(--accent); text-decoration: none; }
@page { size: A4; margin: 14mm 13mm; }
@media print {
  body { font-size: 9.5pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main { max-width: none; padding: 0; } nav { display: none; }
  h1 { font-size: 17pt; } h2 { font-size: 13pt; margin-top: 18pt; } h3 { font-size: 10.5pt; margin-top: 12pt; }
  h2, h3, h2 + p, h3 + p { break-after: avoid; } figure, .card, .warn, tr { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; } table { font-size: 8pt; max-width: 100%; }
  th, td { padding: 2px 5px; white-space: normal; } .soft, figcaption { font-size: 8.5pt; }
  .cards { grid-template-columns: repeat(4, 1fr); gap: 6px; } .card { padding: 6px 9px; } .card b { font-size: 14pt; }
  .card span { font-size: 8.5pt; } img { max-height: 235mm; width: auto; }
}
"""


class Html(str):
    """Text that is HTML already; any other text is escaped when it enters a page."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as HTML: escaped, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def element(tag: str, *children: object, css: str = "") -> Html:
    """Return ``<tag class=css>children</tag>``, children escaped."""
    attribute = f' class="{html.escape(css)}"' if css else ""
    return Html(f"<{tag}{attribute}>{''.join(map(text, children))}</{tag}>")


def heading(title: str) -> Html:
    """Return the heading of a part of the page, which its contents can point to."""
    name = "-".join(re.findall(r"[a-z0-9]+", title.lower()))
    return Html(f'<h2 id="{name}">{text(title)}</h2>')


def contents(parts: Iterable[Html]) -> Html:
    """Return links to the parts that begin with a :func:`heading`."""
    found = [match for part in parts if (match := re.match(r'<h2 id="([^"]+)">(.*?)</h2>', part))]
    links = (Html(f'<a href="#{match[1]}">{match[2]}</a>') for match in found)
    return element("nav", *links)


def join(parts: Iterable[Html]) -> Html:
    """Return the parts one after another."""
    return Html("\n".join(parts))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "", names: int = 1) -> Html:
    """Return a table whose first ``names`` columns hold text and whose other columns hold numbers."""

    def line(tag: str, cells: Sequence[object]) -> Html:
        return element("tr", *(element(tag, cell, css="name" if i < names else "") for i, cell in enumerate(cells)))

    title = element("caption", caption) if caption else ""
    body = element("tbody", *(line("td", row) for row in rows))
    return element("div", element("table", title, element("thead", line("th", head)), body), css="scroll")


def picture(figure: Figure, caption: str, dpi: int = 130) -> Html:
    """Return a figure as an inlined PNG with its caption."""
    return image(style.to_png(figure, dpi, colours=96), caption)


def image(data: bytes, caption: str) -> Html:
    """Return a PNG or JPEG, inlined, with its caption."""
    tag = f'<img alt="{html.escape(caption)}" src="{_inlined(data)}">'
    return element("figure", Html(tag), element("figcaption", caption))


def _inlined(data: bytes) -> str:
    kind = "jpeg" if data.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def film(name: str, poster: bytes | None, caption: str) -> Html:
    """Return a film that lies beside the page, with controls; where the file is gone its poster is shown.

    Args:
        name: of the file.
        poster: PNG or JPEG, inlined.
        caption: below it.
    """
    address = quote(f"./{name}")
    still = "" if poster is None else f' poster="{_inlined(poster)}"'
    link = Html(f'<a href="{address}">{text(name)}</a>')
    tag = f'<video controls loop muted playsinline preload="metadata" src="{address}"{still}>{link}</video>'
    return element("figure", Html(tag), element("figcaption", caption))


def bullets(items: Iterable[object]) -> Html:
    """Return an unordered list."""
    return element("ul", *(element("li", item) for item in items))


def page(title: str, body: Html) -> str:
    """Return a whole document that refers to nothing outside of it, films beside it aside."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{CSS}</style>"
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'
