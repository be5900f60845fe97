"""OpenSim's XML files: parsing, telling their kinds apart, and the names of files in them."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from biopose_sim.check.finding import Finding, finding
from biopose_sim.check.textfile import read_text
from biopose_sim.osim.xml import Element

TOOLS = (
    "ScaleTool",
    "InverseKinematicsTool",
    "InverseDynamicsTool",
    "AnalyzeTool",
    "RRATool",
    "CMCTool",
    "ForwardTool",
)
SETS = {
    "IKTaskSet",
    "CMC_TaskSet",
    "rdCMC_TaskSet",
    "ForceSet",
    "ActuatorSet",
    "ControlSet",
    "MarkerSet",
    "ScaleSet",
    "MeasurementSet",
    "ExternalLoads",
    "ContactGeometrySet",
}
UNASSIGNED = ("", "unassigned", "null")
_SCOPED = re.compile(r"(</?\w+)::")


@dataclass
class Document:
    """An XML file of OpenSim.

    Attributes:
        path: of the file.
        kind: tag of the element that matters: "Model", a tool, "ExternalLoads", a set; empty where unknown.
        content: that element.
        version: of the document; 0 where it says none.
        text: of the file.
        findings: what is wrong with it as XML.
    """

    path: Path
    kind: str = ""
    content: Element | None = None
    version: int = 0
    text: str = ""
    findings: list[Finding] = field(default_factory=list)


def read_document(path: Path) -> Document:
    """Read an XML file and find out what it is.

    Raises:
        InputError: it is not there or cannot be read.
    """
    text = read_text(path)
    document = Document(path, text=text.text, findings=text.findings)
    if not text.text:
        return document
    try:
        root = _parsed(text.text)
    except ET.ParseError as error:
        line = error.position[0]
        cut = str(error).startswith(("no element", "unclosed"))
        message = "the file is cut off" if cut and text.text.lstrip().startswith("<") else f"not XML: {error}"
        document.findings.append(finding("F04", path, message, f"line {line}"))
        return document
    version = root.get("Version", "")
    document.version = int(version) if version.isdigit() else 0
    known = {"Model", *TOOLS, *SETS}
    document.content = root if root.tag in known else next((child for child in root if child.tag in known), None)
    if document.content is None:
        inside = f"<{root.tag}>" + (f" with <{root[0].tag}>" if len(root) else " without content")
        unknown = root.tag == "OpenSimDocument" and len(root) > 0
        document.findings.append(finding("F10" if unknown else "F05", path, f"it holds {inside}"))
        return document
    document.kind = document.content.tag
    if document.kind == "Model" and path.suffix.lower() == ".xml":
        document.findings.append(finding("F06", path, "a model in a file '.xml'", remedy="name it .osim"))
    if document.kind != "Model" and path.suffix.lower() == ".osim":
        document.findings.append(finding("F06", path, f"<{document.kind}> in a file '.osim'", remedy="name it .xml"))
    return document


def _parsed(text: str) -> Element:
    """The root; the declaration goes, since the text is decoded already."""
    text = re.sub(r"^\s*<\?xml.*?\?>", "", text, count=1, flags=re.DOTALL)
    return ET.fromstring(_SCOPED.sub(r"\1.", text) if "::" in text else text)


def lines_of(document: Document, text: str) -> str:
    """Where a text stands in a document, as "line N"; empty where it does not."""
    at = document.text.find(text)
    return "" if at < 0 else f"line {document.text.count(chr(10), 0, at) + 1}"


@dataclass(frozen=True)
class NamedFile:
    """A file that a document names.

    Attributes:
        tag: of the element that names it.
        written: as it stands there.
        path: where it should be.
    """

    tag: str
    written: str
    path: Path


def named_files(document: Document, tags: tuple[str, ...]) -> Iterator[NamedFile]:
    """The files that elements of these tags (and attributes ``file``) name, with the folder they are relative to."""
    assert document.content is not None
    for element in document.content.iter():
        words = []
        if element.tag in tags:
            value = (element.text or "").strip()
            words = value.split() if element.tag == "force_set_files" else [value]
        words += [element.get("file", "").strip()] if element.get("file") else []
        for word in words:
            if word.lower() not in UNASSIGNED:
                yield NamedFile(element.tag, word, resolved(document.path, word))


def resolved(document: Path, written: str) -> Path:
    """Where a file named in a document lies: relative to the document, with either slash."""
    written = written.replace("\\", "/")
    if re.match(r"^[A-Za-z]:/", written):
        return Path(written)
    return Path(os.path.normpath(document.parent / written))


def is_of_one_computer(written: str) -> bool:
    """Whether a path is absolute, on Windows or elsewhere."""
    return written.startswith(("/", "\\\\", "~")) or re.match(r"^[A-Za-z]:[\\/]", written) is not None
