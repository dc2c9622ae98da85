"""What wfs diff has to say of two arrays, by NumPy."""

import numpy

try:  # NumPy's own measure of distance, which its assertions use
    from numpy.testing._private.utils import nulp_diff
except ImportError:
    nulp_diff = None


def whole(a):
    return a.dtype.kind in "iub"


def values(a, b, ulp=None, atol=0.0, rtol=0.0):
    """a and b as NumPy holds them; ulp is the largest distance of finite elements, where NumPy cannot tell it."""
    if whole(a) and whole(b):
        return integers(a, b, atol, rtol)
    wide = numpy.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else numpy.float64
    if ulp is None and a.dtype == b.dtype and a.dtype.kind == "f":
        finite = numpy.isfinite(a) & numpy.isfinite(b)
        ulp = int(nulp_diff(a[finite], b[finite]).max(initial=0))
    a, b = a.astype(wide), b.astype(wide)
    finite = numpy.isfinite(a) & numpy.isfinite(b)
    apart = numpy.abs(a[finite] - b[finite])
    size = numpy.abs(b[finite])
    with numpy.errstate(all="ignore"):
        out = {
            "elements": a.size, "differing": int((~((a == b) | (numpy.isnan(a) & numpy.isnan(b)))).sum()),
            "max_abs": float(apart.max(initial=0)), "mean_abs": float(apart.mean()) if apart.size else 0.0,
            "max_rel": float((apart[size > 0] / size[size > 0]).max(initial=0)),
            "cosine": cosine(a[finite], b[finite]),
            "nan_a": int(numpy.isnan(a).sum()), "nan_b": int(numpy.isnan(b).sum()), "nan_both": int((numpy.isnan(a) & numpy.isnan(b)).sum()),
            "inf_a": int((numpy.isinf(a) & ~numpy.isnan(a)).sum()), "inf_b": int((numpy.isinf(b) & ~numpy.isnan(b)).sum()), "inf_both": int((numpy.isinf(a) & (a == b)).sum()),
            "close": bool(numpy.allclose(a, b, atol=atol, rtol=rtol, equal_nan=True)),
        }
    if ulp is not None:
        out["max_ulp"] = ulp
    return out


def integers(a, b, atol, rtol):
    """By Python's own integers, which have no largest one."""
    x, y = [[int(v) for v in side.reshape(-1)] for side in (a, b)]
    apart = [abs(p - q) for p, q in zip(x, y)]
    fx, fy = numpy.array(x, numpy.float64), numpy.array(y, numpy.float64)
    return {
        "elements": len(x), "differing": sum(d > 0 for d in apart), "max_abs": float(max(apart, default=0)), "mean_abs": sum(apart) / max(1, len(apart)),
        "max_rel": max((d / abs(q) for d, q in zip(apart, y) if q), default=0.0), "cosine": cosine(fx, fy),
        "nan_a": 0, "nan_b": 0, "nan_both": 0, "inf_a": 0, "inf_b": 0, "inf_both": 0,
        "close": all(d <= atol + rtol * abs(q) for d, q in zip(apart, y)),
    }


def cosine(a, b):
    norms = numpy.linalg.norm(a.ravel()) * numpy.linalg.norm(b.ravel())
    return float(numpy.vdot(a, b).real / norms) if 0 < norms < numpy.inf else None
