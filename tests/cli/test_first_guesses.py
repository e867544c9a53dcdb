"""The commands that people try first: 60 of five kinds of users, each understood or answered with the right word.

``python tests/cli/test_first_guesses.py`` prints the tables of docs/first-guesses.md and docs/command-line.md.
"""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lit_gans.cli.guesses import SHORT
from lit_gans.cli.reading import ready
from lit_gans.cli.words import ALIASES
from lit_gans.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs"
GUESSES = {
    "from yolo": [
        "train model=DCGAN data=MNIST epochs=3 imgsz=64",
        "train model=DCGAN data=./photos batch=16 device=0",
        "train epochs=100 lr0=1e-4 workers=8 device=cpu",
        "train resume=True",
        "train resume model=runs/DCGAN-MNIST/version_0/checkpoints/last.ckpt",
        "train model=DCGAN project=out name=first seed=1",
        "train data=coco8.yaml",
        "train model=yolo11n.pt",
        "train DCGAN device=0,1 patience=5",
        "train model=DCGAN amp=True",
        "val model=DCGAN data=MNIST",
        "train model=DCGAN optimizer=SGD fliplr=0.5",
    ],
    "from pytorch-CycleGAN and pix2pix": [
        "train --dataroot ./horses --name horses --model CycleGAN",
        "train --dataroot ./horses --model cycle_gan",
        "train --dataroot ./photos --gpu_ids 0,1 --batch_size 4",
        "train --gpu_ids -1 --n_epochs 100",
        "train --continue_train --name horses",
        "train --model CycleGAN --ngf 32 --netG unet_256",
        "train --load_size 286 --crop_size 256",
        "train --num_threads 4 --beta1 0.5 --lr 0.0002",
        "train --gan_mode lsgan",
        "train --dataset_mode unaligned",
        "train --checkpoints_dir out --save_epoch_freq 5",
        "train --model Pix2Pix --lambda_L1 100",
    ],
    "from Lightning": [
        "fit --trainer.max_epochs=3 --trainer.accelerator=cpu --data.batch_size=16",
        "fit --max_epochs 3 --accelerator gpu --devices 2 --strategy ddp",
        "fit --config my.yaml --trainer.fast_dev_run true",
        "fit -c my.yaml --trainer.fast_dev_run",
        "fit --trainer.logger WandbLogger --trainer.callbacks EarlyStopping --trainer.callbacks.monitor val/fid",
        "fit --model.learning_rate 0.001",
        "fit --model.lr 0.001",
        "fit --optimizer Adam --optimizer.lr 0.001",
        "fit --trainer.max_epochs ten",
        "fit --trainer.max_epocs 3",
        "validate --ckpt_path best",
        "fit --trainer.gpus 2",
    ],
    "from stylegan2-ada": [
        "train --outdir=out --data=./photos --gpus=2",
        "train --outdir=out --data=./photos.zip --cfg=auto",
        "train --data=./photos --mirror=1 --aug=ada --gamma=10",
        "train --kimg=5000 --snap=10",
        "train --resume=runs/DCGAN-MNIST/version_0",
        "train --metrics=fid50k_full",
        "train --model StyleGAN2 --batch=32 --workers=3",
        "train --quality.scores fid kid",
        "train --quality.scores FID,KID",
        "train --quality.scores fid50k",
        "train --model StyleGAN2 --z_dim 512",
        "train --model.backbone style --model.backbone.width 16",
    ],
    "without any": [
        "fit DCGAN MNIST",
        "fit dcgan mnist --epochs 3 --steps 1000",
        "fit my.yaml",
        "fit ./photos",
        "fit --resume",
        "fit runs/DCGAN-MNIST/version_0",
        "test runs/DCGAN-MNIST/version_0",
        "validate runs/DCGAN-MNIST/version_0/checkpoints/best.ckpt",
        "fit DCGN",
        "fit --batchsize 16 --time 2h",
        "fit --data ImageFolder",
        "fit --model my_gan.py",
    ],
}


def laid_out(folder):
    """What a user may have: photos, two domains, a configuration and a run."""
    for name in ("photos", "horses/trainA", "horses/trainB"):
        (folder / name).mkdir(parents=True)
    (folder / "photos.zip").touch()
    (folder / "my.yaml").write_text("model: LSGAN\n")
    run = folder / "runs" / "DCGAN-MNIST" / "version_0"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text("model: {class_path: lit_gans.DCGAN}\ndata: {class_path: lit_gans.MNIST}\n")
    for name in ("best", "last"):
        (run / "checkpoints" / f"{name}.ckpt").touch()


def answered(command):
    """The real command that a guess stands for, or the sentence that answers it."""
    words = shlex.split(command)
    words[0] = ALIASES.get(words[0], words[0])
    error = io.StringIO()
    try:
        with contextlib.redirect_stderr(error):
            return shlex.join(ready(words))
    except SystemExit as end:
        assert end.code == 2
        return error.getvalue().strip()
    except UsageError as said:
        return f"lit-gans: error: {said}"


def tables():
    """The tables of docs/first-guesses.md."""
    text = ""
    for kind, guesses in GUESSES.items():
        text += f"## Somebody {'who comes ' if kind.startswith('from') else ''}{kind}\n\n```text\n"
        for guess in guesses:
            text += f"$ lit-gans {guess}\n{answered(guess).removeprefix('lit-gans: error: ')}\n"
        text += "```\n\n"
    return text


def short_names():
    """The table of docs/command-line.md."""
    lines = ["| short | stands for | also understood |", "|---|---|---|"]
    for short in SHORT:
        others = ", ".join(f"`--{name}`" for name in short.others.split())
        flags = " and ".join(f"`--{flag}`" for flag in short.flag.split(" and "))
        lines.append(f"| `--{short.name}` | {flags} | {others} |")
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    laid_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sixty_first_guesses_are_answered_as_the_page_says(folder):
    assert sum(map(len, GUESSES.values())) == 60
    assert tables().strip() in (DOCS / "first-guesses.md").read_text("utf-8")


def test_the_short_names_are_those_of_the_page():
    assert short_names() in (DOCS / "command-line.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        ("fit mine.MyGAN Glyphs", "--model=mine.MyGAN --data=Glyphs"),
        ("fit DCGAN mine.Stripes", "--model=DCGAN --data=mine.Stripes"),
        ("fit --data ./photos mine.MyGAN", "--model=mine.MyGAN"),
        ("fit mine.MyGAN", "mine.MyGAN is a model or data of yours, perhaps; say which: --model mine.MyGAN"),
        ("fit mine.MyGAN mine.Stripes", "say which"),
    ],
)
def test_a_class_of_ones_own_stands_alone_beside_the_other(guess, said, folder):
    assert said in answered(guess)


@pytest.mark.parametrize("words", [["--epochs=ten"], ["--model.lr=1"], ["DCGN"], ["--data=./nowhere"]])
def test_what_is_wrong_is_said_before_anything_slow_is_imported(words, folder):
    code = f"""if True:
        import sys
        from lit_gans.cli.main import main
        try:
            main(["fit", *{words}])
        except SystemExit as end:
            assert end.code == 2
        assert not {{"torch", "lightning", "numpy"}} & set(sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0 and done.stderr.startswith("lit-gans: error: "), done.stderr


def page():
    with TemporaryDirectory() as folder:
        laid_out(Path(folder))
        os.chdir(folder)
        print(tables(), short_names(), sep="\n")


if __name__ == "__main__":
    page()
