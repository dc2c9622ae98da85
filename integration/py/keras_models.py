"""Models for Keras 2 (tf_keras) and Keras 3: write_keras.py saves them, verify_keras.py builds them anew."""


def inputs():
    import numpy as np
    return np.arange(7 * 6).reshape(7, 6) % 10


def functional(keras):
    """Nested models, attention, recurrent layers, a layer that is used twice."""
    layers = keras.layers
    x = keras.Input((6,), name="in")
    y = layers.Embedding(10, 4, name="words")(x)
    y = layers.MultiHeadAttention(2, 3, name="attention")(y, y)
    shared = layers.Dense(4, name="shared")
    y = shared(shared(y))
    y = layers.LSTM(5, return_sequences=True)(y)
    y = layers.Bidirectional(layers.GRU(3))(y)
    y = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="inner_dense"), layers.BatchNormalization()], name="inner")(y)
    y = layers.Dropout(0.2)(y)
    return keras.Model(x, layers.Dense(3, name="last", dtype="float32")(y))


def subclassed(keras):
    layers = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.words = layers.Embedding(10, 4)
            self.blocks = [layers.Dense(4, activation="relu") for _ in range(12)]
            self.heads = {"a": layers.Dense(2), "b": layers.Dense(2)}
            self.norm = layers.LayerNormalization()

        def call(self, x):
            y = self.words(x)
            for block in self.blocks:
                y = y + block(y)
            y = self.norm(y)
            return self.heads["a"](y) + self.heads["b"](y)

    return Net()


def many(keras):
    """Names of layers and of weights that fill several attributes of 64 KiB."""
    layers = keras.layers
    dense = [layers.Dense(4, name=f"layer_{i}_" + "x" * 600) for i in range(120)]
    inner = keras.Sequential([keras.Input((4,))] + [layers.Dense(4, name=f"inner_{i}_" + "y" * 600) for i in range(70)], name="inner")
    return keras.Sequential([keras.Input((6,)), layers.Dense(4), inner] + dense)


def hugging_face(keras):
    """A model as transformers built its TensorFlow ones: one main layer, names with dots and slashes."""
    layers = keras.layers

    class Main(layers.Layer):
        def __init__(self, **keywords):
            super().__init__(**keywords)
            self.words = layers.Embedding(10, 4, name="embeddings")
            self.blocks = [layers.Dense(4, name=f"encoder/layer_._{i}") for i in range(12)]

        def call(self, x):
            y = self.words(x)
            for block in self.blocks:
                y = block(y)
            return y

    class TFTiny(keras.Model):
        def __init__(self):
            super().__init__(name="tf_tiny")
            self.bert = Main(name="bert")
            self.classifier = layers.Dense(3, name="classifier")

        def call(self, x):
            return self.classifier(self.bert(x))

    return TFTiny()


def trained(build, keras, **compile):
    """A model that has learned something, so that no weight is what it was built with. It learns a batch
    eagerly: to trace and compile it takes many times as long."""
    import numpy as np
    keras.utils.set_random_seed(4)
    model = build(keras)
    x = inputs()
    target = np.random.rand(*model(x).shape)
    model.compile("adam", "mse", run_eagerly=True, **compile)
    model.fit(x, target, verbose=0)
    return model
