"""Writes an HDF5 file for the soak with h5py, chunked and deflated, and beside it what each file of a mount holds.

usage: write_soak_hdf5.py DIRECTORY; stdout as write_soak_torch.py
"""

import io
import json
import pathlib
import sys

import h5py
import numpy

out = pathlib.Path(sys.argv[1])
random = numpy.random.default_rng(5)
arrays = {
    "gzip": random.integers(0, 40, (700, 900), dtype="i4"), "shuffled": random.standard_normal((500, 777)).astype("f4"),
    "big_endian": random.standard_normal((300, 400)).astype(">f8"), "contiguous": random.standard_normal((1000, 300)),
}
case = {"name": "hdf5", "source": str(out / "data.h5"), "files": {}, "tensors": {"model.safetensors": {}}}
with h5py.File(out / "data.h5", "w") as file:
    for key, array in arrays.items():
        options = {} if key == "contiguous" else {"chunks": (64, 100), "compression": "gzip", "shuffle": key == "shuffled"}
        file.create_dataset(key, data=array, **options)
        array = array.astype(array.dtype.newbyteorder("<"))
        npy = io.BytesIO()
        numpy.save(npy, array)
        for name, content in (f"raw/{key}.bin", array.tobytes()), (f"tensors/{key}.npy", npy.getvalue()):
            path = out / f"hdf5.{len(case['files'])}"
            path.write_bytes(content)
            case["files"][name] = str(path)
        case["tensors"]["model.safetensors"][key] = case["files"][f"raw/{key}.bin"]
json.dump([case], sys.stdout)
