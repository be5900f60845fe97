"""Sine and cosine without branches, so that a loop over them becomes vector instructions; imports numba.

Range reduction and polynomials are those of the Cephes library (S. L. Moshier). NaN and infinity give NaN.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

_F = np.float32
_F_HALF, _F_QUARTER, _F_FOUR, _F_ONE = _F(0.5), _F(0.25), _F(4.0), _F(1.0)
_F_TWO, _F_THREE = _F(2.0), _F(3.0)
_F_TWO_OVER_PI = _F(2.0 / np.pi)
_F_P1, _F_P2, _F_P3 = _F(1.5703125), _F(4.837512969970703e-4), _F(7.549789954891882e-8)
_F_S1, _F_S2, _F_S3 = _F(-1.6666654611e-1), _F(8.3321608736e-3), _F(-1.9515295891e-4)
_F_C1, _F_C2, _F_C3 = _F(4.166664568298827e-2), _F(-1.388731625493765e-3), _F(2.443315711809948e-5)


def _sincos_single(x):
    """Cephes sinf and cosf: within 1e-7 for angles up to some thousand radians."""
    n = np.floor(x * _F_TWO_OVER_PI + _F_HALF)
    r = ((x - n * _F_P1) - n * _F_P2) - n * _F_P3
    z = r * r
    s = r + r * z * (_F_S1 + z * (_F_S2 + z * _F_S3))
    c = _F_ONE - _F_HALF * z + z * z * (_F_C1 + z * (_F_C2 + z * _F_C3))
    m = n - _F_FOUR * np.floor(n * _F_QUARTER)
    odd = (m == _F_ONE) | (m == _F_THREE)
    sine, cosine = (c if odd else s), (s if odd else c)
    sine = -sine if m >= _F_TWO else sine
    cosine = -cosine if (m == _F_ONE) | (m == _F_TWO) else cosine
    return sine, cosine


_P1, _P2, _P3 = 2 * 7.85398125648498535156e-1, 2 * 3.77489470793079817668e-8, 2 * 2.69515142907905952645e-15
_S1, _S2, _S3 = -1.66666666666666307295e-1, 8.33333333332211858878e-3, -1.98412698295895385996e-4
_S4, _S5, _S6 = 2.75573136213857245213e-6, -2.50507477628578072866e-8, 1.58962301576546568060e-10
_C1, _C2, _C3 = 4.16666666666665929218e-2, -1.38888888888730564116e-3, 2.48015872888517045348e-5
_C4, _C5, _C6 = -2.75573141792967388112e-7, 2.08757008419747316778e-9, -1.13585365213876817300e-11


def _sincos_double(x):
    """Cephes sin and cos: within 2e-16 for angles up to some million radians."""
    n = np.floor(x * 0.6366197723675814 + 0.5)
    r = ((x - n * _P1) - n * _P2) - n * _P3
    z = r * r
    s = r + r * z * (_S1 + z * (_S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * _S6)))))
    c = 1.0 - 0.5 * z + z * z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6)))))
    m = n - 4.0 * np.floor(n * 0.25)
    odd = (m == 1.0) | (m == 3.0)
    sine, cosine = (c if odd else s), (s if odd else c)
    sine = -sine if m >= 2.0 else sine
    cosine = -cosine if (m == 1.0) | (m == 2.0) else cosine
    return sine, cosine


def sincos(x):
    """Sine and cosine in the precision of the argument (inside compiled code)."""
    return np.sin(x), np.cos(x)


@overload(sincos, inline="always")
def _sincos(x):
    return _sincos_single if x == types.float32 else _sincos_double
