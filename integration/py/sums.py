"""The sums of tensors and models as the manual of wfs defines them."""

import hashlib


def tensor_sum(dtype, shape, data):
    return hashlib.sha256(f"{dtype} {list(shape)}\n".encode() + data).hexdigest()


def escaped(key):
    """A key as sha256sum escapes a name, and other control characters by their bytes."""
    short = {"\\": r"\\", "\n": r"\n", "\r": r"\r"}
    return "".join(short.get(c) or ("".join(f"\\x{b:02x}" for b in c.encode()) if c < " " or "\x7f" <= c < "\xa0" else c) for c in key)


def line(key, value):
    text = escaped(key)
    return ("\\" if text != key else "") + f"{value}  {text}\n"


def model_sum(sums):
    return hashlib.sha256("".join(line(key, sums[key]) for key in sorted(sums, key=str.encode)).encode()).hexdigest()


def case(name, sums, sources):
    return {"name": name, "sums": sums, "model": model_sum(sums), "sources": [str(s) for s in sources]}
