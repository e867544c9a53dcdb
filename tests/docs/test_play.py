"""The game in the browser: its numbers against PyTorch, and its page in a real browser."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from browser import browser, needs_browser

from lit_gans import losses
from lit_gans.networks.mlp import MLPDiscriminator, MLPGenerator
from lit_gans.optim import Adam
from lit_gans.penalties import gradient_penalty, zero_centered

HERE = Path(__file__).parents[2] / "docs" / "play"
NODE = shutil.which("node")
HIDDEN, BATCH, STEPS = (6, 5), 8, 3
SETTINGS = {"discriminatorRate": 3e-3, "generatorRate": 2e-3, "beta1": 0.5, "beta2": 0.99, "weight": 0.7}
GAMES = {
    "non-saturating": (losses.minimax_discriminator, losses.non_saturating_generator),
    "minimax": (losses.minimax_discriminator, losses.minimax_generator),
    "least squares": (losses.least_squares_discriminator, losses.least_squares_generator),
    "hinge": (losses.hinge_discriminator, losses.hinge_generator),
    "Wasserstein": (losses.wasserstein_discriminator, losses.wasserstein_generator),
    "relativistic": (losses.relativistic_discriminator, losses.relativistic_generator),
}
MIX = 0.3  # what the page's random numbers are made to be where they place points between reals and fakes
PENALTIES = {
    "none": lambda network, real, fake: 0.0,
    "R1": lambda network, real, fake: 0.5 * zero_centered(network, real),
    "R1 and R2": lambda network, real, fake: 0.5 * (zero_centered(network, real) + zero_centered(network, fake)),
    "slope 1": lambda network, real, fake: gradient_penalty(
        network, real, fake, mix=torch.full((BATCH,), MIX).to(real)
    ),
}
PLAY = """
const { Game } = require(process.argv[1]);
const { weights, batches, settings } = JSON.parse(require("fs").readFileSync(0));
const answers = settings.map((chosen) => {
  const game = new Game({ hidden: [6, 5] });
  for (const player of ["generator", "discriminator"])
    game[player].layers.forEach((layer, k) => {
      layer.weight.set(weights[player][2 * k]);
      layer.bias.set(weights[player][2 * k + 1]);
    });
  game.random.uniform = () => 0.3;
  const found = batches.map(([real, noise]) => game.step(Float64Array.from(real), chosen, Float64Array.from(noise)));
  const all = (player) => game[player].layers.flatMap(({ weight, bias }) => [...weight, ...bias]);
  return { found, generator: all("generator"), discriminator: all("discriminator") };
});
console.log(JSON.stringify(answers));
"""


def players():
    torch.manual_seed(0)
    return MLPGenerator((2,), 2, HIDDEN).double(), MLPDiscriminator((2,), HIDDEN).double()


def flat(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def by_pytorch(batches, settings):
    generator, discriminator = players()
    moves = [
        Adam(network.parameters(), lr=settings[f"{name}Rate"], betas=(settings["beta1"], settings["beta2"]))
        for network, name in ((generator, "generator"), (discriminator, "discriminator"))
    ]
    of_discriminator, of_generator = GAMES[settings["loss"]]
    pairs, found = settings["loss"] == "relativistic", []
    for real, noise in batches:
        fake = generator(noise)
        loss = sum(of_discriminator(discriminator(real), discriminator(fake.detach())).values())
        penalty = SETTINGS["weight"] * PENALTIES[settings["penalty"]](discriminator, real, fake)
        discriminator.zero_grad()
        (loss + penalty).backward()
        moves[1].step()
        scores = [discriminator(real), discriminator(fake)] if pairs else [discriminator(fake)]
        mine = sum(of_generator(*scores).values())
        generator.zero_grad()
        mine.backward()
        moves[0].step()
        found.append([torch.as_tensor(value).item() for value in (loss, penalty, mine)])
    return found, flat(generator), flat(discriminator)


@pytest.mark.skipif(not NODE, reason="no node: the page's numbers are not compared")
def test_every_loss_and_penalty_is_pytorchs(monkeypatch):
    """Three batches of the game with the same weights and noise: losses and weights afterwards are the same."""
    monkeypatch.setattr("lit_gans.losses.full", lambda values: values)  # float64 throughout
    monkeypatch.setattr("lit_gans.penalties.full", lambda values: values)
    torch.manual_seed(1)
    batches = [tuple(torch.randn(BATCH, 2, dtype=torch.float64) for _ in range(2)) for _ in range(STEPS)]
    combinations = [{**SETTINGS, "loss": loss, "penalty": penalty} for loss in GAMES for penalty in PENALTIES]
    weights = [[weight.flatten().tolist() for weight in network.parameters()] for network in players()]
    given = {
        "weights": dict(zip(("generator", "discriminator"), weights, strict=True)),
        "batches": [[values.flatten().tolist() for values in batch] for batch in batches],
        "settings": combinations,
    }
    command = [NODE, "-e", PLAY, str(HERE / "game.js")]
    ended = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=300, check=True)
    for settings, answer in zip(combinations, json.loads(ended.stdout), strict=True):
        found, generator, discriminator = by_pytorch(batches, settings)
        ours = [[step["discriminator"], step["penalty"], step["generator"]] for step in answer["found"]]
        close(ours, found, settings)
        close(answer["generator"], generator, settings)
        close(answer["discriminator"], discriminator, settings)


def close(ours, theirs, settings):
    torch.testing.assert_close(
        torch.as_tensor(ours).double(),
        torch.as_tensor(theirs).double(),
        rtol=1e-6,
        atol=1e-7,
        msg=lambda message: f"{settings}: {message}",
    )


def opened(window, folder, dark=False):
    """The page without the site around it, which is what is tested here."""
    scheme = ' data-md-color-scheme="slate" style="background: #1e2129; color: #ddd"' if dark else ""
    page = folder / "page.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="stylesheet" href="{HERE.as_uri()}/page.css"><body{scheme}><div class="play"></div>'
        f'<script src="{HERE.as_uri()}/game.js"></script><script src="{HERE.as_uri()}/page.js"></script>'
    )
    window.open(page.as_uri())


def value(window, name):
    return window.run(f"return document.querySelector('dd[data-name=\"{name}\"]').textContent")


def choose(window, name, setting):
    script = "const i = document.querySelector(`[name=${arguments[0]}]`); i.value = arguments[1];"
    window.run(script + "i.dispatchEvent(new Event('input'))", name, setting)


def press(window, name):
    window.click(f'button[data-name="{name}"]')


def until(window, batches):
    window.wait(f"return Number(document.querySelector('dd[data-name=batches]').textContent) >= {batches}")
    press(window, "pause")


@needs_browser
def test_collapse_is_caused_and_cured(tmp_path):
    with browser() as window:
        opened(window, tmp_path)
        assert value(window, "batches") is not None
        choose(window, "stepsAFrame", 40)
        press(window, "collapse")
        assert "cloud" in window.run("return document.querySelector('.play-said').textContent")
        until(window, 400)
        assert int(value(window, "modes found")[0]) <= 3
        still = value(window, "batches")
        press(window, "step")
        assert int(value(window, "batches")) == int(still) + 1
        press(window, "cure it")
        until(window, int(still) + 900)
        assert int(value(window, "modes found")[0]) >= 6
        press(window, "reset")
        assert value(window, "batches") == "0"
        assert window.errors() == []


@needs_browser
def test_a_phone_draws_and_sees_everything(tmp_path):
    """Nothing is wider than the page; points are drawn by pointer and by keys; what is drawn is played."""
    with browser(390, 844, phone=True) as window:
        opened(window, tmp_path, dark=True)
        press(window, "pause")
        assert window.run("return document.documentElement.scrollWidth") <= 390
        choose(window, "data", "drawn by you")
        press(window, "step")
        assert "Draw the real points" in window.run("return document.querySelector('.play-said').textContent")
        before = value(window, "batches")
        window.run("document.querySelector('canvas').scrollIntoView({block: 'center'})")
        window.drag("canvas", (-60, 20), (0, 40), (60, 20))
        window.type("canvas", "\ue013\ue013\ue007")  # up, up, enter
        press(window, "step")
        assert int(value(window, "batches")) == int(before) + 1
        assert window.errors() == []


@needs_browser
def test_the_saturating_loss_stops_and_the_other_moves(tmp_path):
    with browser() as window:
        opened(window, tmp_path)
        choose(window, "stepsAFrame", 40)
        press(window, "win too early")
        until(window, 400)
        before = float(value(window, "gradient at a fake"))
        choose(window, "loss", "non-saturating")
        press(window, "step")
        assert before < 0.05 < 1 < float(value(window, "gradient at a fake"))
