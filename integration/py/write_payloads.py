"""Writes files whose pickles would leave a mark if they were run, in every position of every container.

usage: write_payloads.py DIRECTORY MARK; stdout: [{"name", "source", "verdict"}]
Nothing here is loaded: the files are written only.
"""

import io
import json
import os
import pathlib
import pickle
import sys
import tarfile
import zipfile

import torch

import write_seeds

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


class State:
    """The call is in the state that BUILD takes."""

    def __init__(self):
        self.payload = Payload()


def case(name, verdict="dangerous"):
    cases.append({"name": name, "source": str(out / name), "verdict": verdict})


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
    json.dump(cases, sys.stdout)


main()
