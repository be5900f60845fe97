"""Which marker names mean bony landmarks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Names of the usual marker sets (Plug-in Gait, Rajagopal, Hamner, OpenCap, ISB) without side and punctuation.
_PELVIS = "ASI ASIS PSI PSIS VSACRAL SACR SACRAL SACRUM MASI MPSI"
_KNEE = "LFC MFC LKNE MKNE KNE KNEE MKNEE LKNEE KNEELAT KNEEMED KNEELATERAL KNEEMEDIAL KNI LFE MFE"
_ANKLE = "LMAL MMAL ANK ANKLE MANK LANK MANKLE LANKLE ANKLELAT ANKLEMED ANKLELATERAL ANKLEMEDIAL ANI LM MM"
_FOOT = "CAL CALC HEE HEEL TOE TOETIP TOELAT TOEMED BIGTOE 5META 5METATARSAL MT1 MT2 MT5 MTP1 MTP5"
_ARM = "ACR ACROMIUM ACROMION SHO SHOULDER LEL MEL ELB ELBOW ELBOWLAT ELBOWMED LELBOW MELBOW ELBIN LELB MELB"
_WRIST = "FARADIUS FAULNA RADIUS ULNA WRA WRB WRIST WRISTRADIUS WRISTULNA WRISTLAT WRISTMED IWR OWR LWRIST MWRIST"
_TRUNK = "C7 T8 T10 CLAV CLAVICLE STRN STERNUM XIPHOID IJ PX"
_LANDMARKS = frozenset(" ".join((_PELVIS, _KNEE, _ANKLE, _FOOT, _ARM, _WRIST, _TRUNK)).split())
_SIDES = ("RIGHT", "LEFT", "R", "L")


def find_landmarks(names: Iterable[str]) -> frozenset[str]:
    """The names that mean bony landmarks; all others are tracking markers."""
    return frozenset(n for n in names if not _LANDMARKS.isdisjoint(_bare(n)))


def _bare(name: str) -> Iterator[str]:
    """The name in capitals without punctuation, and without a side before or after it."""
    plain = re.sub(r"[^A-Z0-9]", "", name.upper()).removesuffix("STUDY")
    yield plain
    for side in _SIDES:
        if plain.startswith(side):
            yield plain.removeprefix(side)
        if plain.endswith(side):
            yield plain.removesuffix(side)
