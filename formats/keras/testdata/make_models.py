"""Writes order.keras, optimizers.keras and models.json: what Keras says of them.

    .venv/keras/bin/python formats/keras/testdata/make_models.py formats/keras/testdata

Both were zipped again, deflated, with assets in front and a member that Keras does not know.
"""

import json
import os
import sys
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

layers = keras.layers


def nested():
    x = keras.Input((6,))
    y = layers.Dense(4)(x)
    y = layers.BatchNormalization()(y)
    inner = keras.Sequential([layers.PReLU(), layers.Dense(4), layers.Dense(2)], name="inner")
    y = inner(y)
    y = layers.Dense(3, name="last")(y)
    y = layers.LayerNormalization()(y)
    y = layers.Bidirectional(layers.LSTM(2))(layers.Reshape((3, 1))(y))
    return keras.Model(x, layers.Dense(1)(y))


@keras.saving.register_keras_serializable()
class Adversarial(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.generator = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
        self.critic = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        self.g_optimizer = keras.optimizers.Adam()
        self.d_optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9))
        self.others = [keras.optimizers.RMSprop(), keras.optimizers.AdamW()]
        self.slow = keras.optimizers.Nadam()
        self.opt_e = keras.optimizers.Lion(name="mine")
        self.my_optimizer = layers.Dense(2)  # is none
        self.my_optimizer.build((2, 2))

    def call(self, x):
        return self.critic(self.generator(x))


def rewrite(model, path):
    with tempfile.TemporaryDirectory() as directory:
        plain = os.path.join(directory, "plain.keras")
        model.save(plain)
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("assets/", b"")
            archive.writestr("assets/text/words.txt", b"one\ntwo\n")
            archive.writestr("notes.txt", b"?")
            for member in source.namelist():
                archive.writestr(member, source.read(member))


out = sys.argv[1]
order, adversarial = nested(), Adversarial()
adversarial(np.zeros((1, 2)))
for name in ("g_optimizer", "d_optimizer", "slow", "opt_e"):
    getattr(adversarial, name).build(adversarial.generator.trainable_variables)
for optimizer in adversarial.others:
    optimizer.build(adversarial.critic.trainable_variables)
rewrite(order, os.path.join(out, "order.keras"))
rewrite(adversarial, os.path.join(out, "optimizers.keras"))
said = {
    "order": [{"shape": list(w.shape), "first": float(np.ravel(w)[0])} for w in order.get_weights()],
    "layers": [layer.name for layer in order.layers],
    "weights": len(adversarial.weights),
}
with open(os.path.join(out, "models.json"), "w") as f:
    json.dump(said, f, indent=1)
