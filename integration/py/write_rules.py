"""Writes .safetensors files with headers of every kind, and what the safetensors library says of each to stdout.

stdout: [{"name", "source", "error": "" or the library's, "tensors": {name: [dtype, shape]}}].
"""

import json
import pathlib
import struct
import sys

import safetensors

out = pathlib.Path(sys.argv[1])
ONE = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
LIMIT = 100_000_000


def entry(dtype="U8", shape="[1]", offsets="[0,1]", name="a"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


def object_(*members):
    return "{" + ",".join(members) + "}"


# name: (header, bytes of data)
CASES = {
    "none": ("{}", 0), "one": (object_(ONE), 8), "metadata": (object_('"__metadata__":{"format":"pt"}', ONE), 8),
    "two reversed": (object_(entry(offsets="[1,2]"), entry(name="b")), 2),
    "leading space": (" " + object_(ONE), 8), "leading newline": ("\n" + object_(ONE), 8), "leading tab": ("\t{}", 0),
    "trailing space": (object_(ONE) + "  \n\t", 8), "trailing NUL": ("{}\0", 0), "trailing garbage": ("{}x", 0),
    "second object": ("{}{}", 0), "byte order mark": ("\ufeff{}", 0), "not UTF-8": (b'{"\xff":{}}', 0),
    "surrogate in UTF-8": (b'{"\xed\xa0\x80":{}}', 0), "overlong UTF-8": (b'{"\xc0\x80":{}}', 0),
    "empty header": ("", 0), "space only": ("   ", 0), "array": ("[]", 0), "null": ("null", 0), "string": ('"a"', 0),
    "comma": ("{,}", 0), "trailing comma": (object_(ONE) [:-1] + ",}", 8), "not closed": (object_(ONE)[:-1], 8),
    "single quotes": ("{'a':1}", 0), "comment": ("{/**/}", 0), "no colon": ('{"a" {}}', 0),
    "empty name": (object_(entry(name="")), 1), "NUL in a name": (object_(entry(name="\\u0000")), 1),
    "raw control": (object_(entry(name="\n")), 1), "raw DEL": (object_(entry(name="\x7f")), 1),
    "escapes": (object_(entry(name='\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9')), 1), "wrong escape": (object_(entry(name="\\x")), 1),
    "pair": (object_(entry(name="\\ud83d\\ude00")), 1), "lone high": (object_(entry(name="\\ud83d")), 1),
    "lone low": (object_(entry(name="\\ude00")), 1), "high and letter": (object_(entry(name="\\ud83dx")), 1),
    "half an escape": (object_(entry(name="\\u00")), 1), "non-ASCII": (object_(entry(name="重み🙂")), 1),
    "slash": (object_(entry(name="../a")), 1), "long name": (object_(entry(name="k" * 5000)), 1),
    "escaped key": ('{"\\u0061":{"\\u0064type":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "metadata null": ('{"__metadata__":null}', 0), "metadata empty": ('{"__metadata__":{}}', 0),
    "metadata number": ('{"__metadata__":{"a":1}}', 0), "metadata null value": ('{"__metadata__":{"a":null}}', 0),
    "metadata nested": ('{"__metadata__":{"a":{}}}', 0), "metadata array": ('{"__metadata__":[]}', 0),
    "metadata string": ('{"__metadata__":"pt"}', 0), "metadata twice": ('{"__metadata__":{},"__metadata__":{}}', 0),
    "metadata is a tensor": (object_(entry(name="__metadata__")), 1),
    "unknown field": ('{"a":{"x":{"y":[1,-2.5e3,null,true,"s"]},"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "field twice": ('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "no dtype": ('{"a":{"shape":[1],"data_offsets":[0,1]}}', 1), "no shape": ('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1),
    "no offsets": ('{"a":{"dtype":"U8","shape":[1]}}', 1), "tensor is null": ('{"a":null}', 0), "tensor is a number": ('{"a":1}', 0),
    "lower case": (object_(entry("u8")), 1), "unknown dtype": (object_(entry("Q4")), 1), "dtype null": ('{"a":{"dtype":null,"shape":[1],"data_offsets":[0,1]}}', 1),
    "negative size": (object_(entry(shape="[-1]")), 1), "fraction": (object_(entry(shape="[1.0]")), 1),
    "exponent": (object_(entry(shape="[1e0]")), 1), "leading zero": (object_(entry(shape="[01]")), 1),
    "plus": (object_(entry(shape="[+1]")), 1), "size string": (object_(entry(shape='["1"]')), 1),
    "shape null": (object_(entry(shape="null")), 1), "shape number": (object_(entry(shape="1")), 1),
    "size above 64 bits": (object_(entry(shape="[18446744073709551616]")), 1), "shape comma": (object_(entry(shape="[1,]")), 1),
    "scalar": (object_(entry(shape="[]")), 1), "empty": (object_(entry(shape="[3,0,2]", offsets="[0,0]")), 0),
    "empty among others": (object_(entry(name="b"), entry(shape="[0]", offsets="[1,1]"), entry(name="c", offsets="[1,2]")), 2),
    "empty outside": (object_(entry(name="b"), entry(shape="[0]", offsets="[7,7]")), 1),
    "hole": (object_(entry(offsets="[1,2]")), 2), "hole between": (object_(entry(), entry(name="b", offsets="[2,3]")), 3),
    "overlap": (object_(entry(shape="[2]", offsets="[0,2]"), entry(name="b", shape="[2]", offsets="[1,3]")), 3),
    "same bytes": (object_(entry(), entry(name="b")), 1), "reversed offsets": (object_(entry(offsets="[1,0]")), 1),
    "one offset": (object_(entry(offsets="[0]")), 1), "three offsets": (object_(entry(offsets="[0,1,1]")), 1),
    "negative offset": (object_(entry(offsets="[-1,0]")), 1), "offset beyond": (object_(entry(shape="[9]", offsets="[0,9]")), 1),
    "huge offset": (object_(entry(offsets="[0,18446744073709551615]")), 1),
    "trailing byte": (object_(ONE), 9), "byte short": (object_(ONE), 7), "size too small": (object_(entry("F32", "[2]", "[0,4]")), 4),
    "size too large": (object_(entry("F32", "[2]", "[0,12]")), 12),
    "product overflows": (object_(entry(shape="[4294967296,4294967296,2]", offsets="[0,0]")), 0),
    "overflow before zero": (object_(entry(shape="[9223372036854775807,4,0]", offsets="[0,0]")), 0),
    "bytes overflow": (object_(entry("F64", "[2305843009213693952]", "[0,0]")), 0),
    "half a byte": (object_(entry("F4", "[3]", "[0,2]")), 2), "half a byte scalar": (object_(entry("F4", "[]", "[0,1]")), 1),
    "quarter": (object_(entry("F6_E2M3", "[3]", "[0,3]")), 3), "deep": ('{"a":{"x":' + "[" * 5000 + "]" * 5000 + "}}", 0),
    # Where wfs is stricter: readers of these files can disagree, or NumPy cannot hold the shape.
    "STRICTER name twice": (object_(entry(), entry()), 1),
    "STRICTER name twice, escaped": (object_(entry(), entry(name="\\u0061")), 1),
    "STRICTER metadata key twice": ('{"__metadata__":{"a":"1","a":"2"}}', 0),
    "STRICTER overflow behind zero": (object_(entry(shape="[0,9223372036854775807,4]", offsets="[0,0]")), 0),
}
BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
        "C64": 64, "F64": 64, "I64": 64, "U64": 64}
CASES |= {f"dtype {dtype}": (object_(entry(dtype, "[4,2]", f"[0,{bits}]")), bits) for dtype, bits in BITS.items()}
CASES |= {f"no dtype {dtype}": (object_(entry(dtype, "[4]", "[0,64]")), 64) for dtype in ("C128", "C32", "F8", "BF8", "I4", "?", "")}


def verdict(path):
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return "", {key: [file.get_slice(key).get_dtype(), file.get_slice(key).get_shape()] for key in file.keys()}
    except Exception as error:
        return str(error) or type(error).__name__, {}


def main():
    found = []

    def write(name, content, length=None):
        path = out / f"{len(found):03}.safetensors"
        path.write_bytes(content)
        if length:
            with open(path, "r+b") as file:
                file.truncate(length)
        error, tensors = verdict(path)
        found.append({"name": name, "source": str(path), "error": error, "tensors": tensors})

    for name, (header, data) in CASES.items():
        header = header if isinstance(header, bytes) else header.encode()
        write(name, struct.pack("<Q", len(header)) + header + bytes(range(1, 256))[:data].ljust(data, b"x"))
    write("seven bytes", bytes(7))
    write("no file", b"")
    write("length beyond the file", struct.pack("<Q", 3) + b"{}")
    write("length of 2^63", struct.pack("<Q", 1 << 63) + b"{}")
    write("length of 2^64-1", struct.pack("<Q", (1 << 64) - 1) + b"{}")
    write("length at the limit", struct.pack("<Q", LIMIT) + b"{}" + b" " * (LIMIT - 2))
    write("length above the limit", struct.pack("<Q", LIMIT + 1) + b"{}", 8 + LIMIT + 1)
    json.dump(found, sys.stdout)


main()
