"""Writes links.h5, whose groups have several names, and dag.h5, which has 2**25 names in 25 groups.

    .venv/keras/bin/python formats/hdf5/testdata/make_links.py formats/hdf5/testdata
"""

import os
import sys

import h5py
import numpy as np

with h5py.File(os.path.join(sys.argv[1], "links.h5"), "w", libver="latest") as f:
    f["layers/dense/vars/0"] = np.ones((3, 3), "f4")
    f["layers/dense/vars/again"] = f["layers/dense/vars/0"]
    f["layers/hard"] = f["layers/dense"]
    f["layers/soft"] = h5py.SoftLink("dense")
    f["latest"] = h5py.SoftLink("/layers/hard/vars")
    f["a first"] = f["layers"]
    f["layers/dense/up"] = f["layers"]
    f["layers/dense/round"] = h5py.SoftLink("/layers/dense/vars")
    f["layers/dense/vars/back"] = h5py.SoftLink("/layers/soft")
    f["empty"] = f.create_group("nothing")
with h5py.File(os.path.join(sys.argv[1], "dag.h5"), "w", libver="latest") as f:
    group = f.create_group("g")
    group["w"] = np.ones(3, "f4")
    for i in range(24):
        above = f.create_group("h%d" % i)
        above["a"] = above["b"] = group
        group = above
    for i in range(24):
        if i != 23:
            del f["h%d" % i]
