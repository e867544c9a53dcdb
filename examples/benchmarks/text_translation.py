"""How well texts are translated: GRU, GRU with attention and Transformer, on held-out pairs.

    python examples/benchmarks/text_translation.py [--pairs en-de en-ko] [--seeds 0 1 2] [--batches 1000]
    python examples/benchmarks/text_translation.py --tokens characters --pairs en-de --batches 3000
    python examples/benchmarks/text_translation.py --pairs en-de --adversarial 300
    python examples/benchmarks/text_translation.py --path /usr/share/trans/de-en --tokens subwords --vocabulary 2000

Each network is trained by maximum likelihood with the defaults of `Seq2Seq`, on `NumberPairs`, or on the pairs of
``--path`` as `TextPairs` reads them. Printed are tables in Markdown, of the test split, which shares no number with the
training pairs: the percentage of translations that are right in every character, BLEU (of characters where a text is
a number) and chrF, mean and half the range over the seeds; then BLEU by the length of the reference, which is what
attention is for (Bahdanau et al. 2014, arXiv:1409.0473, figure 2). ``--minutes`` stops each training earlier; a run
with the default 1,000 batches takes about 2 minutes of one core for a Transformer on subwords.

With ``--adversarial N`` two more rows follow each network, which both go on from it by N batches: the game of
`Seq2SeqGAN`, after ``--judge`` batches of its discriminator alone, and maximum likelihood with the learning rate that
the game has. The difference between the two is what the discriminator is worth.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything

from lit_gans import NumberPairs, Seq2Seq, Seq2SeqGAN, TextPairs, save, take
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.optim import TextAdam
from lit_gans.text import translation_scores

NETWORKS = {
    "GRU": RecurrentBackbone(attention=False),
    "GRU + attention": RecurrentBackbone(),
    "Transformer": TransformerBackbone(),
}
SCORES = ("exact", "bleu", "chrf")
BINS = 4  # lengths are split so that each part has as many sentences


def data_of(pair, arguments):
    """The data of a pair of languages, or of a file."""
    options = {"tokens": arguments.tokens, "batch_size": arguments.batch_size}
    if arguments.tokens == "subwords":
        options["vocabulary_size"] = arguments.vocabulary
    if arguments.path:
        return TextPairs(arguments.path, **options)
    source, target = pair.split("-")
    return NumberPairs(source, target, **options)


def trained(data, backbone, seed, arguments):
    """A model that was trained on the data, and the seconds that this took."""
    seed_everything(seed, verbose=False)
    model = Seq2Seq(**shapes_of(data), backbone=backbone)
    return model, fit(model, data, arguments.batches, arguments)[1]


def shapes_of(data):
    return {"source_text_shape": data.source_text_shape, "text_shape": data.text_shape}


def gone_on(model, data, backbone, seed, arguments):
    """Two models that go on from one by equally many batches of the generator: by the game, and by likelihood alone."""
    pace, rate = 0.05, 2e-3
    with tempfile.TemporaryDirectory() as folder:
        start = f"{folder}/start.ckpt"
        save(model, start)
        seed_everything(seed, verbose=False)
        game = Seq2SeqGAN(
            **shapes_of(data), backbone=backbone, start=start, discriminator_steps=arguments.judge, pace=pace
        )
        took = fit(game, data, arguments.judge + arguments.adversarial, arguments)[1]
        print(
            f"# the discriminator was right about {float(game.trainer.callback_metrics['state/right']):.0%} at the end"
        )
        yield "the game", game, took
        seed_everything(seed, verbose=False)
        further = Seq2Seq(
            **shapes_of(data), backbone=backbone, optimizer=partial(TextAdam, lr=pace * rate), scheduler=None
        )
        take(further, start)
        yield "likelihood", further, fit(further, data, arguments.adversarial, arguments)[1]


def fit(model, data, batches, arguments):
    """The trainer of a model, and the seconds of the processor that it took."""
    trainer = Trainer(
        max_steps=batches,
        max_time=None if arguments.minutes is None else {"seconds": round(60 * arguments.minutes)},
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator=arguments.accelerator,
        devices=1,
    )
    start = time.process_time()
    trainer.fit(model, data)
    return trainer, time.process_time() - start


def measured(model, data, arguments):
    """Translations of test sentences with their references, and the scores of all of them."""
    texts = data.samples("test")[: arguments.test]
    translations = model.translate_text(texts["source_text"], beams=arguments.beams)
    pairs = list(zip(translations, texts["target_text"], strict=True))
    return pairs, scored(pairs, arguments)


def scored(pairs, arguments):
    return translation_scores([a for a, _ in pairs], [b for _, b in pairs], characters=not arguments.path)


def by_length(runs, arguments):
    """BLEU of equally large parts of the sentences, from short to long references, of all seeds together."""
    runs = sorted((pair for pairs in runs for pair in pairs), key=lambda pair: len(pair[1]))
    parts = [runs[len(runs) * i // BINS : len(runs) * (i + 1) // BINS] for i in range(BINS)]
    return {f"{len(part[0][1])}-{len(part[-1][1])}": scored(part, arguments)["bleu"] for part in parts if part}


def spread(values):
    """Mean and half the range."""
    half = f" ± {(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{half}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=["en-de", "en-ko"], help="of digits, en, de and ko")
    parser.add_argument("--path", help="file of pairs, in place of numbers")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--adversarial", type=int, default=0, help="batches of the game after the training")
    parser.add_argument("--judge", type=int, default=300, help="batches of the discriminator before the game")
    parser.add_argument("--minutes", type=float, help="most minutes of a training")
    parser.add_argument("--tokens", choices=("characters", "subwords", "words"), default="subwords")
    parser.add_argument("--vocabulary", type=int, default=200, help="subwords of each language")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--test", type=int, default=1000, help="test sentences")
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--output", help="JSON file for all figures")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    rows, curves, figures = [], [], []
    for pair in [Path(arguments.path).name] if arguments.path else arguments.pairs:
        data = data_of(pair, arguments)
        for name in arguments.networks:
            runs, scores, seconds, later = [], [], [], {}
            for seed in arguments.seeds:
                model, took = trained(data, NETWORKS[name], seed, arguments)
                pairs, found = measured(model, data, arguments)
                print(f"# {pair} {name} seed {seed}: {found}, {took:.0f} s", flush=True)
                runs.append(pairs), scores.append(found), seconds.append(took)
                if arguments.adversarial:
                    for kind, other, took in gone_on(model, data, NETWORKS[name], seed, arguments):
                        found = measured(other, data, arguments)[1]
                        print(f"# {pair} {name}, then {kind}, seed {seed}: {found}, {took:.0f} s", flush=True)
                        later.setdefault(kind, []).append((found, took))
            weights = sum(p.numel() for p in model.generator.parameters())
            values = " | ".join(spread([each[score] for each in scores]) for score in SCORES)
            rows.append(f"| {pair} | {name} | {weights:,} | {values} | {statistics.mean(seconds):.0f} |")
            for kind, each in later.items():
                values = " | ".join(spread([found[score] for found, _ in each]) for score in SCORES)
                seconds = statistics.mean(took for _, took in each)
                rows.append(f"| {pair} | {name}, then {kind} | {weights:,} | {values} | {seconds:.0f} |")
            curve = by_length(runs, arguments)
            curves.append((pair, name, curve))
            figures.append({"pair": pair, "network": name, "scores": scores, "bleu_by_length": curve})
    print("\n| pair | network | weights | exact | BLEU | chrF | seconds |\n|---|---|---|---|---|---|---|")
    print(*rows, sep="\n")
    for pair in dict.fromkeys(pair for pair, _, _ in curves):
        own = [(name, curve) for each, name, curve in curves if each == pair]
        print(f"\n| {pair}, BLEU by characters of the reference | {' | '.join(own[0][1])} |")
        print("|---" * (1 + len(own[0][1])) + "|")
        print(*(f"| {name} | {' | '.join(f'{v:.1f}' for v in curve.values())} |" for name, curve in own), sep="\n")
    if arguments.output:
        Path(arguments.output).write_text(json.dumps({"arguments": vars(arguments), "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
