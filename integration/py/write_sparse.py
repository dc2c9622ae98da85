"""Writes a sparse checkpoint of 6 GiB in which a few bytes are not zero, and where they are to stdout.

argv: the file to write.
"""

import json
import sys

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

path = sys.argv[1]
with FakeTensorMode():
    state = {"first": torch.empty(16), "big": torch.empty(3 << 30, dtype=torch.float16), "last": torch.empty(1024)}
with torch.serialization.skip_data(materialize_fake_tensors=True):
    torch.save(state, path)

# Values for some elements, written where torch's own reader finds each record.
reader = torch._C.PyTorchFileReader(path)
marks = {}
with open(path, "r+b") as file:
    for record, (key, tensor) in enumerate(state.items()):
        start = reader.get_record_offset(f"data/{record}")
        size = tensor.numel() * tensor.element_size()
        for at in {0, size // 3, size // 2, size - 7}:
            file.seek(start + at)
            file.write(b"\x01\x02\x03\x04\x05\x06\x07")
        marks[key] = {"size": size, "at": sorted({0, size // 3, size // 2, size - 7})}
json.dump(marks, sys.stdout)
