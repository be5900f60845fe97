"""Which marker names mean bony landmarks."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names of the usual marker sets (Plug-in Gait, Rajagopal, Hamner, OpenCap, ISB) without their side.
_LANDMARKS = (
    r"ASI|ASIS|PSI|PSIS|VSACRAL|V\.?SACRAL|SACR(?:UM|AL)?",
    r"(?:LFC|MFC|LKNE|MKNE|KNE|KNEE|MKNEE|LKNEE)(?:_LAT|_MED|\.LAT|\.MED)?",
    r"KNEE\.?(?:LAT|MED|LATERAL|MEDIAL)",
    r"LMAL|MMAL|ANK|ANKLE|MANKLE|LANKLE|ANKLE\.?(?:LAT|MED|LATERAL|MEDIAL)|MANK|LANK",
    r"CAL|CALC|HEE|HEEL|TOE|TOE\.?TIP|MT[1-5]|MTP[1-5]|5METATARSAL|BIGTOE|TOE\.?(?:LAT|MED)",
    r"ACR|ACROMIUM|ACROMION|SHO|SHOULDER|SH\d?",
    r"LEL|MEL|ELB|ELBOW|LELBOW|MELBOW|ELBOW\.?(?:LAT|MED)|MELB|LELB",
    r"FARADIUS|FAULANA|FAULNA|RADIUS|ULNA|WRA|WRB|WRIST|LWRIST|MWRIST|WRIST\.?(?:RADIUS|ULNA|LAT|MED)",
    r"C7|T10|CLAV|STRN|STERNUM|XIPHOID|IJ",
)
_SIDED = re.compile(
    r"(?:R|L|RIGHT|LEFT)?[_.\s]?(?:" + "|".join(_LANDMARKS) + r")(?:_STUDY|[_.\s]?(?:R|L))?", re.IGNORECASE
)


def find_landmarks(names: Iterable[str]) -> frozenset[str]:
    """The names that mean bony landmarks; all others are tracking markers."""
    return frozenset(n for n in names if _SIDED.fullmatch(n.strip()))
