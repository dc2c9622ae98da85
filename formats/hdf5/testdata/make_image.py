"""Writes image.h5, a file with a metadata cache image, and image.json: what h5py reads from it.

    python formats/hdf5/testdata/make_image.py formats/hdf5/testdata

Needs h5py 3.14 with HDF5 1.14: libhdf5 2.0 fails on such files.
"""

import ctypes
import glob
import hashlib
import json
import os
import shutil
import sys

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

assert h5py.version.hdf5_version.startswith("1.14")
library = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(os.path.dirname(h5py.__file__)), "h5py.libs", "libhdf5-*"))[0])
path, known = (os.path.join(sys.argv[1], name) for name in ("image.h5", "image.json"))


class Config(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("generate", ctypes.c_bool), ("resize", ctypes.c_bool), ("age", ctypes.c_int)]


def access(image):
    plist = h5p.create(h5p.FILE_ACCESS)
    plist.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)
    if image:
        library.H5Pset_mdc_image_config.argtypes = [ctypes.c_int64, ctypes.c_void_p]
        assert library.H5Pset_mdc_image_config(plist.id, ctypes.byref(Config(1, True, False, -1))) >= 0
    return plist


def compact(f, name, values):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    h5d.create(f.id, name, h5t.py_create(values.dtype), h5s.create_simple(values.shape), plist).write(h5s.ALL, h5s.ALL, values)


old = np.arange(12, dtype="<i4")
with h5py.File(h5f.create(path.encode(), fapl=access(False))) as f:
    compact(f, b"compact", old)
    f.create_dataset("grown", data=old, chunks=(4,), maxshape=(None,))
    f.create_dataset("contiguous", data=old)
    f.create_dataset("removed", data=old)
    f.create_dataset("group/inner", data=old, chunks=(4,), compression="gzip")
    f.attrs["when"] = "before"
with h5py.File(h5f.open(path.encode(), h5f.ACC_RDWR, fapl=access(True))) as f:
    f["compact"][:] = old + 100
    f["grown"].resize((20,))
    f["grown"][8:] = 7
    f["contiguous"][:] = old + 200
    del f["removed"]
    f["new/group/data"] = old + 300
    f["group/inner"][4:] = 9
    f.attrs["when"] = "after"
    for i in range(20):
        f["new"].attrs["attribute %d" % i] = "value %d" % i
    f.create_dataset("text", data=["one", "two"], dtype=h5py.string_dtype())
shutil.copy(path, path + ".copy")  # h5py takes the image out of a file that it opens for writing
found = {}
with h5py.File(path + ".copy", "r") as f:
    def visit(name, obj):
        if isinstance(obj, h5py.Dataset) and obj.dtype.kind != "O":
            found[name] = {"shape": obj.shape, "sha256": hashlib.sha256(obj[()].tobytes()).hexdigest()}
        elif isinstance(obj, h5py.Dataset):
            found[name] = {"strings": list(obj.asstr()[()])}
    f.visititems(visit)
    assert f.attrs["when"] == "after" and found["grown"]["shape"] == (20,)
os.remove(path + ".copy")
with open(known, "w") as f:
    json.dump(found, f, indent=1, sort_keys=True)
