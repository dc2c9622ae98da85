"""Writes the files beside it with numpy."""

import pathlib

import ml_dtypes
import numpy

HERE = pathlib.Path(__file__).parent
rng = numpy.random.default_rng(5)


def header(version, text, data=b""):
    """A .npy file with a header of one's own."""
    text = text.encode("utf-8" if version == 3 else "latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text + data


numpy.save(HERE / "plain.npy", rng.standard_normal((3, 4)).astype("f4"))
numpy.save(HERE / "scalar.npy", numpy.array(7, "i2"))
numpy.save(HERE / "none.npy", numpy.zeros((0, 3), "c16"))
numpy.save(HERE / "fortran.npy", numpy.asfortranarray(rng.standard_normal((3, 4, 5)).astype(">f8")))
numpy.save(HERE / "bfloat16.npy", rng.standard_normal(6).astype(ml_dtypes.bfloat16))
record = numpy.dtype([("id", "<u4"), ("w", ">f4", (2, 3)), ("flag", "?"), ("inner", [("x", "<f8"), ("label", "U3")])], align=True)
records = numpy.zeros(5, record)
records["id"], records["w"], records["flag"] = range(5), rng.standard_normal((5, 2, 3)), [True, False, True, True, False]
records["inner"]["x"], records["inner"]["label"] = rng.standard_normal(5), ["a", "bc", "def", "", "é"]
numpy.save(HERE / "records.npy", records)
numpy.save(HERE / "unicode.npy", numpy.zeros(2, [("größe", "<i2"), ("長さ", "<f4")]))  # version 3
(HERE / "version2.npy").write_bytes(header(2, "{'shape': (2L, 1,), \"descr\": '<i4', 'fortran_order': False}\n", bytes(range(8))))

arrays = {
    "a": rng.standard_normal((2, 3)).astype("f4"), "b/c": rng.integers(0, 255, 7, "u1"), "x.npy": numpy.array([1, -1], ">i8"),
    "texts": numpy.array(["un", "deux"]), "bytes": numpy.array([b"ab", b"c"]), "when": numpy.array(["2020-01-01"], "M8[D]"),
    "long": numpy.array([1.5], "longdouble"), "void": numpy.zeros(2, "V3"), "fp8": rng.standard_normal(4).astype(ml_dtypes.float8_e4m3fn),
    "objects": numpy.array([1, "two"], object), "empty": numpy.zeros((3, 0)),
}
numpy.savez(HERE / "stored.npz", rng.standard_normal(4), **arrays)
numpy.savez_compressed(HERE / "deflated.npz", rng.standard_normal(4), fortran=numpy.asfortranarray(rng.integers(0, 9, (40, 50))), **arrays)
