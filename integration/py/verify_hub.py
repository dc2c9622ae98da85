"""Loads what `wfs serve` shows as a Hub with huggingface_hub and transformers: the endpoint and
the directory of write_hub.py are the arguments. Problems go to stdout, by the name of a check."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

endpoint, out = sys.argv[1], pathlib.Path(sys.argv[2])
home = tempfile.mkdtemp(dir=out)
os.environ.update(HF_ENDPOINT=endpoint, HF_HOME=home, HF_HUB_OFFLINE="0", HF_HUB_DISABLE_PROGRESS_BARS="1",
                  HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
os.environ.pop("HF_TOKEN", None)
if len(sys.argv) > 3:
    os.environ["HF_TOKEN"] = sys.argv[3]

import huggingface_hub  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from huggingface_hub import HfApi, HfFileSystem, errors  # noqa: E402

expected = torch.load(out / "expected")
api = HfApi()
problems = {}


def check(f):
    try:
        f()
        problems[f.__name__] = ""
    except BaseException as e:
        problems[f.__name__] = f"{type(e).__name__}: {e}"


def same(state, wanted=expected):
    assert state.keys() == wanted.keys(), state.keys() ^ wanted.keys()
    for key, tensor in wanted.items():
        assert torch.equal(state[key], tensor), key


def raises(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


@check
def from_pretrained():
    for name in ["bert", "shards"]:
        same(transformers.AutoModel.from_pretrained(f"local/{name}").state_dict())


@check
def tokenizer():
    ids = transformers.AutoTokenizer.from_pretrained("local/bert")("hello world")["input_ids"]
    assert ids == [2, 5, 6, 3], ids


@check
def lone_file():
    path = api.hf_hub_download("local/lone.pt", "model.safetensors")
    same(safetensors.torch.load_file(path))


@check
def file_metadata():
    url = huggingface_hub.hf_hub_url("local/bert", "model.safetensors")
    m = huggingface_hub.get_hf_file_metadata(url)
    again = huggingface_hub.get_hf_file_metadata(url)
    path = pathlib.Path(api.hf_hub_download("local/bert", "model.safetensors"))
    assert m == again and m.size == path.stat().st_size and len(m.commit_hash) == 40
    assert path.resolve().name == m.etag, (path.resolve(), m.etag)
    assert path.parent.name == m.commit_hash
    config = huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url("local/bert", "config.json"))
    assert config.etag != m.etag
    assert api.hf_hub_download("local/bert", "model.safetensors", revision=m.commit_hash) == str(path)


@check
def info():
    m = api.model_info("local/bert", files_metadata=True)
    sizes = {s.rfilename: s.size for s in m.siblings}
    assert "model.safetensors" in sizes and "pytorch_model.bin" not in sizes and not any(n.startswith(("meta/", "raw/")) for n in sizes), sizes
    assert sizes["config.json"] == (out / "bert" / "config.json").stat().st_size
    assert m.safetensors.total == sum(t.numel() for t in expected.values()), m.safetensors
    assert m.sha == api.model_info("local/bert", revision=m.sha).sha == api.list_repo_refs("local/bert").branches[0].target_commit
    assert api.list_repo_commits("local/bert")[0].commit_id == m.sha
    assert {"local/bert", "local/shards", "local/many", "local/lone.pt"} == {x.id for x in api.list_models(author="local")}
    assert api.repo_exists("local/bert") and not api.repo_exists("local/nothing")
    assert api.revision_exists("local/bert", "main") and not api.revision_exists("local/bert", "v9")
    assert api.file_exists("local/bert", "config.json") and not api.file_exists("local/bert", "pytorch_model.bin")


@check
def trees():
    wanted = sorted(str(p.relative_to(out / "many")) for p in (out / "many").rglob("*") if p.is_file() and p.suffix != ".bin")
    wanted = sorted(wanted + ["model.safetensors"])
    entries = list(api.list_repo_tree("local/many", recursive=True))
    files = [e for e in entries if isinstance(e, huggingface_hub.RepoFile)]
    assert sorted(f.path for f in files) == wanted and len(entries) == len(wanted) + 1
    assert sorted(api.list_repo_files("local/many")) == wanted
    top = {e.path for e in api.list_repo_tree("local/many")}
    assert top == {"config.json", "model.safetensors", "deep"}, top
    below = list(api.list_repo_tree("local/many", "deep", expand=True))
    assert len(below) == 2300 and below[0].last_commit.oid == api.model_info("local/many").sha
    raises(errors.EntryNotFoundError, lambda: list(api.list_repo_tree("local/many", "nowhere")))
    got = api.get_paths_info("local/many", ["config.json", "deep", "nothing", "deep/0007.txt"])
    assert [g.path for g in got] == ["config.json", "deep", "deep/0007.txt"] and got[2].size == 1
    meta = huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url("local/many", "deep/0007.txt"))
    assert meta.etag == got[2].blob_id


@check
def snapshots():
    path = pathlib.Path(api.snapshot_download("local/many", max_workers=8))
    texts = sorted((path / "deep").iterdir())
    assert [t.read_text() for t in texts] == [str(i) for i in range(2300)]
    same(safetensors.torch.load_file(path / "model.safetensors"))
    assert api.snapshot_download("local/many") == str(path)
    to = out / "to-directory"
    api.snapshot_download("local/bert", local_dir=to, allow_patterns=["*.json", "*.safetensors"])
    same(safetensors.torch.load_file(to / "model.safetensors"))
    assert (to / "config.json").read_bytes() == (out / "bert" / "config.json").read_bytes() and not (to / "vocab.txt").exists()


@check
def not_found():
    raises(errors.RemoteEntryNotFoundError, api.hf_hub_download, "local/bert", "pytorch_model.bin")
    raises(ValueError, api.hf_hub_download, "local/bert", "../lone.pt")
    raises(errors.RepositoryNotFoundError, api.hf_hub_download, "local/nothing", "config.json")
    raises(errors.RepositoryNotFoundError, api.hf_hub_download, "other/bert", "config.json")
    raises(errors.RepositoryNotFoundError, api.dataset_info, "local/bert")
    raises(errors.RevisionNotFoundError, api.hf_hub_download, "local/bert", "config.json", revision="v9")
    raises(errors.RevisionNotFoundError, api.model_info, "local/bert", revision="0" * 40)
    assert (pathlib.Path(home) / "hub/models--local--bert/.no_exist" / api.model_info("local/bert").sha / "pytorch_model.bin").exists()


@check
def safetensors_metadata():
    for name in ["bert", "shards"]:
        m = api.get_safetensors_metadata(f"local/{name}")
        assert m.weight_map.keys() == expected.keys()
        assert m.parameter_count["F32"] == sum(t.numel() for t in expected.values() if t.dtype == torch.float32)
        for key, file in m.weight_map.items():
            assert m.files_metadata[file].tensors[key].shape == list(expected[key].shape)
    m = api.get_sharded_safetensors_metadata("local/shards")
    assert m.weight_map.keys() == expected.keys() and len(m.files_metadata) == 3


@check
def file_system():
    fs = HfFileSystem()
    assert {pathlib.PurePath(p).name for p in fs.ls("local/bert", detail=False)} >= {"config.json", "model.safetensors"}
    with fs.open("local/bert/model.safetensors", block_size=4096) as f:
        f.seek(1000)
        part = f.read(5000)
    whole = pathlib.Path(api.hf_hub_download("local/bert", "model.safetensors")).read_bytes()
    assert part == whole[1000:6000]


@check
def command():
    hf = pathlib.Path(sys.executable).with_name("hf")
    r = subprocess.run([hf, "download", "local/lone.pt", "model.safetensors", "--local-dir", out / "hf"], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    same(safetensors.torch.load_file(out / "hf" / "model.safetensors"))


@check
def offline():
    code = """import os, transformers
transformers.AutoModel.from_pretrained("local/bert")
"""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    r = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


json.dump(problems, sys.stdout)
