"""Rows of programs that load weights: a view against a native file of the same tensors."""

import pathlib
import shutil

import data
from measure import Row, mounted, ratio, rounds, timed


def load_file(path):
    """Loads and copies every tensor, as load_state_dict and .to(device) do: load_file alone only maps the file."""
    import safetensors.torch
    return [tensor.clone() for tensor in safetensors.torch.load_file(path).values()]


def map_file(path):
    """Loads and reads one byte of every page: what the mapping itself costs."""
    import safetensors.torch
    import torch
    return [tensor.view(torch.uint8)[..., ::4096].sum() for tensor in safetensors.torch.load_file(path).values()]


def row_load_file():
    """safetensors load_file of a 1 GiB view and a copy of each tensor"""
    samples = against_native(load_file)
    yield Row("load_file cold", row_load_file.__doc__ + ", time against a native file", ratio(samples, "cold", "native"),
              "×", 1.5, "less", samples)
    yield Row("load_file warm", row_load_file.__doc__ + ", again", ratio(samples, "warm", "native"),
              "×", 1.05, "less", samples)


def row_map_file():
    """safetensors load_file of a 1 GiB view and one byte of every page"""
    samples = against_native(map_file)
    yield Row("mapping cold", row_map_file.__doc__ + ", time against a native file", ratio(samples, "cold", "native"),
              "×", None, "less", samples)
    yield Row("mapping warm", row_map_file.__doc__ + ", again", ratio(samples, "warm", "native"), "×", None, "less", samples)


def against_native(load):
    with mounted(data.checkpoint()) as (path, _):
        load(path / "model.safetensors")

        def cold():
            with mounted(data.checkpoint()) as (fresh, _):
                return timed(load, fresh / "model.safetensors")

        return rounds(native=lambda: timed(load, data.native()), cold=cold,
                      warm=lambda: timed(load, path / "model.safetensors"))


def from_pretrained(path):
    import transformers
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    return [parameter.detach().clone() for parameter in model.parameters()]


def row_from_pretrained():
    """transformers from_pretrained of a 1 GiB bfloat16 model and a copy of each parameter"""
    as_bin, as_safetensors = data.model()
    with mounted(as_bin) as (path, _):
        from_pretrained(path)

        def cold():
            with mounted(as_bin) as (fresh, _):
                return timed(from_pretrained, fresh)

        samples = rounds(native=lambda: timed(from_pretrained, as_safetensors), cold=cold,
                         warm=lambda: timed(from_pretrained, path))
    yield Row("from_pretrained cold", row_from_pretrained.__doc__ + ", time against a native directory",
              ratio(samples, "cold", "native"), "×", 1.4, "less", samples)
    yield Row("from_pretrained warm", row_from_pretrained.__doc__ + ", again", ratio(samples, "warm", "native"),
              "×", 1.05, "less", samples)


def row_convert():
    """mounting and loading a view, against converting and then loading"""
    import safetensors.torch
    import torch
    source, target = data.checkpoint(), data.DIRECTORY / "converted.safetensors"

    def convert():
        safetensors.torch.save_file(torch.load(source), target, metadata={"format": "pt"})
        load_file(target)

    def through_view():
        with mounted(source) as (path, _):
            load_file(path / "model.safetensors")

    samples = rounds(convert=lambda: timed(convert), view=lambda: timed(through_view))
    pathlib.Path(target).unlink()
    yield Row("convert", row_convert.__doc__, ratio(samples, "view", "convert"), "×", 0.6, "less", samples)


def row_np_load():
    """np.load of 60 .npy files"""
    import numpy
    native = data.DIRECTORY / "npy"
    with mounted(data.checkpoint()) as (path, _):
        shutil.copytree(path / "tensors", native)

        def load(directory):
            return [numpy.load(file) for file in directory.iterdir()]

        def cold():
            with mounted(data.checkpoint()) as (fresh, _):
                return timed(load, fresh / "tensors")

        samples = rounds(native=lambda: timed(load, native), cold=cold, warm=lambda: timed(load, path / "tensors"))
    shutil.rmtree(native)
    yield Row("np.load cold", row_np_load.__doc__ + ", time against native files", ratio(samples, "cold", "native"),
              "×", 2, "less", samples)
    yield Row("np.load warm", row_np_load.__doc__ + ", again", ratio(samples, "warm", "native"), "×", 1.3, "less", samples)
