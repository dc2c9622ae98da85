"""Writes the fixtures of this folder with Keras 3: a small model in the legacy form and as a .keras file.

    .venv/keras/bin/python formats/keras/testdata/make.py formats/keras/testdata
"""

import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

out = pathlib.Path(sys.argv[1])
keras.utils.set_random_seed(1)
model = keras.Sequential([
    keras.Input((3,)), keras.layers.Dense(2, name="second"), keras.layers.Dense(2, name="first"),
    keras.layers.Lambda(lambda x: x + 1, name="code"),
])
model.compile("sgd", "mse")
model.save(out / "legacy.h5")
model.save(out / "model.keras")
