"""Rows of programs that load weights: a view against a native file of the same tensors."""

import pathlib
import shutil
import tempfile

import data
from measure import Row, evict, fresh, mounted, ratio, read_through, rounds, warm

SAFETENSORS = ("safetensors.torch",)
TRANSFORMERS = ("transformers.models.llama.modeling_llama",)


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
    samples = against_native(SAFETENSORS, load_file, data.checkpoint(), "model.safetensors", data.native())
    yield Row("load_file cold", row_load_file.__doc__ + ", time against a native file", ratio(samples, "cold", "native"),
              "×", 2, "less", samples)
    yield Row("load_file warm", row_load_file.__doc__ + ", again", ratio(samples, "warm", "native"),
              "×", 1.05, "less", samples)


def row_map_file():
    """safetensors load_file of a 1 GiB view and one byte of every page"""
    samples = against_native(SAFETENSORS, map_file, data.checkpoint(), "model.safetensors", data.native())
    yield Row("mapping cold", row_map_file.__doc__ + ", time against a native file", ratio(samples, "cold", "native"),
              "×", None, "less", samples)
    yield Row("mapping warm", row_map_file.__doc__ + ", again", ratio(samples, "warm", "native"), "×", None, "less", samples)


def sum_file(path):
    """Loads and adds up every tensor: each byte is read once, from the mapping."""
    import safetensors.torch
    return [tensor.sum() for tensor in safetensors.torch.load_file(path).values()]


def row_load_sum():
    """safetensors load_file of a 1 GiB view and a sum of each tensor"""
    source, name = data.checkpoint(), "model.safetensors"
    memory = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        in_memory = shutil.copy(data.native(), memory)
        with mounted(source) as (again, _):
            sum_file(again / name)

            def cold(function, *flags):
                def run():
                    with mounted(source, *flags) as (path, _):
                        return fresh(SAFETENSORS, function, path / name)
                return run

            samples = rounds(
                sequential=cold(read_through), cold=cold(sum_file), without=cold(sum_file, "--no-prefetch"),
                warm=lambda: fresh(SAFETENSORS, sum_file, again / name), memory=lambda: fresh(SAFETENSORS, sum_file, in_memory))
    finally:
        shutil.rmtree(memory)
    yield Row("load sum cold", row_load_sum.__doc__ + ", time against reading the same cold view from first to last",
              ratio(samples, "cold", "sequential"), "×", 1.0, "less", samples)
    yield Row("load sum prefetch", row_load_sum.__doc__ + ", cold, time against --no-prefetch",
              ratio(samples, "cold", "without"), "×", None, "less", samples)
    yield Row("load sum warm", row_load_sum.__doc__ + ", again, time against a native file on tmpfs, whose pages are as small",
              ratio(samples, "warm", "memory"), "×", 1.05, "less", samples)


def row_load_disk():
    """load_file of a 1 GiB view and a sum of each tensor, source on disk, time against a native file on disk"""
    source, native = data.checkpoint(), data.native()
    evict(source)
    evict(native)

    def view(*flags):
        def run():
            evict(source)
            with mounted(source, *flags) as (path, _):
                return fresh(SAFETENSORS, sum_file, path / "model.safetensors")
        return run

    def plain():
        evict(native)
        return fresh(SAFETENSORS, sum_file, native)

    samples = rounds(native=plain, view=view(), without=view("--no-prefetch"))
    warm(source)
    warm(native)
    yield Row("load sum disk", row_load_disk.__doc__, ratio(samples, "view", "native"), "×", 0.95, "less", samples)


def against_native(modules, load, source, name, native):
    """Rounds of load: of a native path, and of the path called name in a mount of source, cold and warm."""
    with mounted(source) as (path, _):
        load(path / name)

        def cold():
            with mounted(source) as (new, _):
                return fresh(modules, load, new / name)

        return rounds(native=lambda: fresh(modules, load, native), cold=cold, warm=lambda: fresh(modules, load, path / name))


def from_pretrained(path):
    import transformers
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    return [parameter.detach().clone() for parameter in model.parameters()]


def row_from_pretrained():
    """transformers from_pretrained of a 1 GiB bfloat16 model and a copy of each parameter"""
    as_bin, as_safetensors = data.model()
    samples = against_native(TRANSFORMERS, from_pretrained, as_bin, ".", as_safetensors)
    yield Row("from_pretrained cold", row_from_pretrained.__doc__ + ", time against a native directory",
              ratio(samples, "cold", "native"), "×", 1.5, "less", samples)
    yield Row("from_pretrained warm", row_from_pretrained.__doc__ + ", again", ratio(samples, "warm", "native"),
              "×", 1.15, "less", samples)


def convert(source, target):
    """What people do without wfs: load with torch, save as safetensors, load that."""
    import safetensors.torch
    import torch
    safetensors.torch.save_file(torch.load(source, mmap=True), target, metadata={"format": "pt"})
    sum_file(target)


def through_view(source):
    with mounted(source) as (path, _):
        sum_file(path / "model.safetensors")


def row_convert():
    """mounting, loading a view and a sum of each tensor, against converting and then the same"""
    source, target = data.checkpoint(), data.DIRECTORY / "converted.safetensors"
    samples = rounds(convert=lambda: fresh(SAFETENSORS, convert, source, target), view=lambda: fresh(SAFETENSORS, through_view, source))
    target.unlink()
    yield Row("convert", row_convert.__doc__, ratio(samples, "view", "convert"), "×", 0.55, "less", samples)


def np_load(directory):
    import numpy
    return [numpy.load(file) for file in directory.iterdir()]


def row_np_load():
    """np.load of 60 .npy files"""
    native = data.DIRECTORY / "npy"
    with mounted(data.checkpoint()) as (path, _):
        shutil.copytree(path / "tensors", native)
    samples = against_native(("numpy",), np_load, data.checkpoint(), "tensors", native)
    shutil.rmtree(native)
    yield Row("np.load cold", row_np_load.__doc__ + ", time against native files", ratio(samples, "cold", "native"),
              "×", 2, "less", samples)
    yield Row("np.load warm", row_np_load.__doc__ + ", again", ratio(samples, "warm", "native"), "×", 1.3, "less", samples)
