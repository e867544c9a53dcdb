"""A checkpoint in the browser: a slider for the noise, a grid of samples.

pip install ".[demo]" && python examples/demo.py runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt
"""

import argparse

import gradio

import lit_gans
from lit_gans.images.grid import grid, to_image


def build(checkpoint):
    """The page; ``launch`` serves it."""
    model = lit_gans.load(checkpoint)

    def draw(count, seed):
        picture = to_image(grid(model.sample(int(count), seed=int(seed))))
        return picture.resize([3 * side for side in picture.size], 0)

    return gradio.Interface(
        draw,
        [
            gradio.Slider(1, 100, 64, step=1, label="samples"),
            gradio.Slider(0, 999, 0, step=1, label="seed"),
        ],
        gradio.Image(label=type(model).__name__),
        live=True,
        flagging_mode="never",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    build(parser.parse_args().checkpoint).launch()
