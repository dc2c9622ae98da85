"""Writes files whose pickles would leave a mark if they were run, in every position of every container.

usage: write_payloads.py DIRECTORY MARK; stdout: [{"name", "source", "verdict", "mounts"}]
Nothing here is loaded: the files are written only.
"""

import gzip
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib

import numpy as np
import torch

import write_seeds

warnings.simplefilter("ignore")
out, mark = pathlib.Path(sys.argv[1]), sys.argv[2]
cases = []


class Payload:
    """Unpickles to a call of os.system that makes the file MARK."""

    def __init__(self, name="x"):
        self.command = f"touch {mark}"

    def __reduce__(self):
        return os.system, (self.command,)


class Network:
    def __reduce__(self):
        import socket
        return socket.create_connection, (("127.0.0.1", 9),)


class Remove:
    def __reduce__(self):
        import shutil
        return shutil.rmtree, (str(out / "victim"),)


class Opener:
    """Unpickles the bytes by torch's own function, whatever they begin with."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.data,)


class State:
    """The call is in the state that BUILD takes."""

    def __init__(self):
        self.payload = Payload()


def case(name, verdict="dangerous", mounts=True):
    """mounts: whether a file that is not dangerous is one that wfs reads."""
    cases.append({"name": name, "source": str(out / name), "verdict": verdict, "mounts": mounts})


def add_record(source, name, record, data, **info):
    """Copies a zip and adds a record."""
    with zipfile.ZipFile(out / source) as old, zipfile.ZipFile(out / name, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, old.read(item))
        new.writestr(record, data)
    case(name)


def main():
    (out / "victim").mkdir()
    state = {"w": torch.arange(4.0)}
    torch.save(state, out / "clean.pt")
    case("clean.pt", "allowed")
    torch.save(state, out / "clean-legacy.pt", _use_new_zipfile_serialization=False)
    case("clean-legacy.pt", "allowed")
    torch.save(torch.nn.Linear(2, 2), out / "model.pt")
    case("model.pt", "unknown")
    for kind in (Payload, Network, Remove, State):
        torch.save({**state, "p": kind()}, out / f"value-{kind.__name__}.pt")
        case(f"value-{kind.__name__}.pt")
    torch.save({**state, "list": [({"deep": [Payload()]},)]}, out / "deep.pt")
    case("deep.pt")
    torch.save({**state, "k": {(1, 2): Payload()}}, out / "key.pt")
    case("key.pt")
    torch.save({**state, "p": Payload()}, out / "legacy.pt", _use_new_zipfile_serialization=False)
    case("legacy.pt")
    for protocol in range(6):
        with open(out / f"plain-{protocol}.pkl", "wb") as file:
            pickle.dump({"a": [Payload()]}, file, protocol=protocol)
        case(f"plain-{protocol}.pkl")
    payload = pickle.dumps(Payload(), 2)
    with open(out / "nested.pkl", "wb") as file:
        pickle.dump({"inner": pickle.dumps({"x": Payload()}, 4)}, file, protocol=4)
    case("nested.pkl")
    with open(out / "second.pkl", "wb") as file:
        file.write(pickle.dumps({"a": 1}, 2) + payload)
    case("second.pkl")
    for position, record in enumerate(("clean/constants.pkl", "clean/data/99", "clean/notes.txt", "other/data", "clean/.data/x")):
        add_record("clean.pt", f"record-{position}.pt", record, payload)
    inner = io.BytesIO()
    torch.save({"p": Payload()}, inner)
    add_record("clean.pt", "zip-in-zip.pt", "clean/extra.zip", inner.getvalue())
    with open(out / "legacy-tail.pt", "wb") as file:
        file.write((out / "clean-legacy.pt").read_bytes() + payload)
    case("legacy-tail.pt")
    write_seeds.write_tar(out / "clean-tar.pt")
    case("clean-tar.pt", "allowed")
    with tarfile.open(out / "clean-tar.pt") as old, tarfile.open(out / "tar.pt", "w:") as new:
        for member in old.getmembers():
            new.addfile(member, old.extractfile(member))
        member = tarfile.TarInfo("sys_info2")
        member.size = len(payload)
        new.addfile(member, io.BytesIO(payload))
    case("tar.pt")

    # A record that one reader takes for encrypted, or under another name, and another does not.
    data = bytearray((out / "value-Payload.pt").read_bytes())
    local = data.find(b"PK\x03\x04")
    data[local + 6] |= 1
    (out / "flag.pt").write_bytes(data)
    case("flag.pt")
    data = bytearray((out / "value-Payload.pt").read_bytes())
    at = data.find(b"data.pkl", 30)
    data[at:at + 8] = b"safe.txt"
    (out / "local-name.pt").write_bytes(data)
    case("local-name.pt")
    hidden(payload)
    disputed(payload)
    json.dump(cases, sys.stdout)


def write(name, data, *verdict, **more):
    (out / name).write_bytes(data)
    case(name, *verdict, **more)


def hidden(payload):
    """Pickles where a scanner that goes by names and first bytes does not look."""
    write("nested-latin1.pkl", pickle.dumps({"inner": pickle.dumps([Payload()] * 3, 2) + b"\0" * 40_000}, 2))
    write("opener.pkl", pickle.dumps(Opener(b"N0" + payload), 4))
    write("opener-latin1.pkl", pickle.dumps(Opener(b"N0" + payload), 2))
    write("no-proto.pt", b"N0" + payload)
    write("popped.pkl", b"\x80\x03B" + struct.pack("<I", len(payload)) + payload + b"0N.")
    legacy = io.BytesIO()
    torch.save({"p": Payload()}, legacy, _use_new_zipfile_serialization=False)
    write("legacy-in-bytes.pkl", pickle.dumps({"inner": legacy.getvalue()}, 4))
    inner = io.BytesIO()
    torch.save({"p": Payload()}, inner)
    write("zip-in-bytes.pkl", pickle.dumps({"inner": inner.getvalue()}, 4))
    write("zip-behind-legacy.pt", (out / "clean-legacy.pt").read_bytes() + inner.getvalue())
    write("pickle-behind-zip.pt", (out / "clean.pt").read_bytes() + payload)
    with tarfile.open(out / "zip-in-tar.pt", "w:") as tar:
        member = tarfile.TarInfo("x")
        member.size = len(inner.getvalue())
        tar.addfile(member, io.BytesIO(inner.getvalue()))
    case("zip-in-tar.pt")
    objects = io.BytesIO()
    np.save(objects, np.array([Payload()], dtype=object), allow_pickle=True)
    write("objects.npy", objects.getvalue())
    add_record("clean.pt", "objects-in-zip.pt", "clean/x.npy", objects.getvalue())
    add_record("clean.pt", "no-proto-record.pt", "clean/data/77", b"N0" + payload)

    # A pickle that is also a user block of HDF5.
    signature, pad = b"\x89HDF\r\n\x1a\n", 0
    while (data := pickle.dumps((Payload(), b"A" * pad + signature), 3)).find(signature) != 512:
        pad += 1
    write("user-block.pkl", data + b"\0" * 2048)


def disputed(payload):
    """Zip files of which readers disagree on what is in them. The clean ones are unknown."""
    clean = (out / "clean.pt").read_bytes()
    start = clean.rfind(b"PK\x05\x06")
    write("trailing.pt", clean + b"tail", "unknown")
    write("compressed.bin", gzip.compress(clean), "allowed", mounts=False)
    write("compressed-payload.bin", gzip.compress(payload), "dangerous", mounts=False)
    write("extension.pkl", b"\x80\x02\x82\x01.", "unknown")
    write("two-ends.pt", clean[:start + 20] + struct.pack("<H", 22) + clean[start:start + 20] + b"\0\0", "unknown")
    for name, verdict, more in (("plain", "unknown", b"\x80\x02}."), ("payload", "dangerous", payload)):
        with zipfile.ZipFile(out / "clean.pt") as old:
            records = [(info.filename, old.read(info)) for info in old.infolist()]
        for kind, extra in (("duplicate", "clean/data.pkl"), ("case", "clean/DATA.PKL"), ("directory", "other/data.pkl")):
            path = out / f"{kind}-{name}.pt"
            with zipfile.ZipFile(path, "w") as new:
                for record, data in [*records, (extra, more)]:
                    new.writestr(record, data)
            case(path.name, verdict, mounts=False)
    for source in ("clean", "value-Payload"):
        data = (out / f"{source}.pt").read_bytes()
        entry = data.find(b"PK\x01\x02")
        first = data.find(b"data.pkl") - data[:data.find(b"data.pkl")][::-1].find(b"PK\x03\x04"[::-1]) - 4
        verdict = "unknown" if source == "clean" else "dangerous"
        at = {"flag-in-directory": (entry + 8, b"\x01"), "method-in-directory": (entry + 10, b"\x08"),
              "method-in-local": (first + 8, b"\x08"), "crc-in-directory": (entry + 16, b"\1\2\3\4")}
        for kind, (where, to) in at.items():
            changed = bytearray(data)
            changed[where:where + len(to)] = to
            readable = kind in ("method-in-local", "crc-in-directory")
            write(f"{kind}-{source}.pt", changed, "unknown" if kind == "method-in-directory" else verdict, mounts=readable)
    # A record that only its local header tells of.
    gap = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(payload), len(payload), len(payload), 14, 0) + b"clean/data.pkl" + payload
    at = clean.find(b"PK\x01\x02")
    changed = bytearray(clean[:at] + gap + clean[at:])
    ends = changed.rfind(b"PK\x06\x06"), changed.rfind(b"PK\x06\x07"), changed.rfind(b"PK\x05\x06")
    struct.pack_into("<Q", changed, ends[0] + 48, at + len(gap))
    struct.pack_into("<Q", changed, ends[1] + 8, ends[0])
    struct.pack_into("<I", changed, ends[2] + 16, at + len(gap))
    write("gap.pt", changed, "unknown")


main()
