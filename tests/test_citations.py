"""Who is to be cited: every paper that a docstring names has its entry, and a run prints those that it stands on."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from conftest import fails
from lightning import Trainer

import lit_gans
import lit_gans.models
import lit_gans.networks
from lit_gans import DCGAN, R3GAN, SGAN, VAE, Glyphs, LatentGAN, StyleGAN2
from lit_gans.cli.cite import papers_of_scores
from lit_gans.cli.main import main
from lit_gans.errors import UsageError
from lit_gans.metrics.scoring import VALUES
from lit_gans.models import references
from lit_gans.models.references import bibtex, citation, named, papers
from lit_gans.networks import DCGANBackbone, MLPBackbone, ResNetBackbone

BIB = Path(references.__file__).with_suffix(".bib")
MODELS = [getattr(lit_gans.models, name) for name in lit_gans.models.__all__]


def parse(text):
    """BibTeX as (kind, key, fields); fails on what BibTeX would not read."""
    found = []
    rest = re.sub(r"^%.*\n", "", text, flags=re.MULTILINE)
    while rest.strip():
        entry = re.match(r"\s*@(\w+)\{([\w-]+),\n((?:  .*\n)+)\}\n?", rest)
        assert entry, rest[:200]
        fields = {}
        for line in entry[3].splitlines():
            field = re.fullmatch(r"  (\w+) = \{(.*)\},", line)
            assert field, line
            name, value = field.groups()
            assert name not in fields, line
            depths = [value[:n].count("{") - value[:n].count("}") for n in range(len(value) + 1)]
            assert min(depths) == 0 == depths[-1], line
            assert not re.search(r"(?<!\\)[_&%#$]", value) or name in ("doi", "url"), line
            fields[name] = value
        found.append((entry[1], entry[2], fields))
        rest = rest[entry.end() :]
    return found


ENTRIES = parse(BIB.read_text(encoding="utf-8"))
NEEDED = {
    "inproceedings": {"title", "author", "booktitle", "year"},
    "article": {"title", "author", "journal", "year"},
    "techreport": {"title", "author", "institution", "year"},
    "misc": {"title", "author", "year", "eprint"},
    "software": {"title", "author", "year", "version"},
}


def keys(text):
    return [key for _, key, _ in parse(text)]


def classes(room):
    """All public classes and functions of a room."""
    for path in sorted((Path(lit_gans.__file__).parent / room).glob("*.py")):
        module = import_module(f"lit_gans.{room}.{path.stem}".removesuffix(".__init__"))
        for name, thing in vars(module).items():
            if callable(thing) and getattr(thing, "__module__", "") == module.__name__ and not name.startswith("_"):
                yield thing


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[1])
def test_an_entry_has_what_its_kind_needs(entry):
    kind, key, fields = entry
    assert fields.keys() >= NEEDED[kind]
    assert ("eprint" in fields) == (fields.get("archiveprefix") == "arXiv")
    assert "eprint" not in fields or re.fullmatch(r"\d{4}\.\d{4,5}", fields["eprint"])
    assert key == "lit_gans" or (fields["year"] in key and "," in fields["author"])


def test_no_entry_and_no_number_is_there_twice():
    numbers = [fields[name] for _, _, fields in ENTRIES for name in ("eprint", "doi", "url") if name in fields]
    assert len({key for _, key, _ in ENTRIES}) == len(ENTRIES)
    assert len({*numbers}) == len(numbers)


@pytest.mark.parametrize("room", ["augment", "core", "data", "families", "latents", "metrics", "models", "networks"])
def test_every_paper_that_a_class_names_has_its_entry(room):
    missing = {}
    for thing in classes(room):
        for paper in named(thing):
            (entry,) = parse(bibtex([paper]))
            if "title" not in entry[2] or paper.rpartition(":")[2] not in str(entry[2]):
                missing[thing.__name__] = paper
    assert not missing, "write them into references.bib"


@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.__name__)
def test_a_model_is_cited_by_its_docstring_first(cls):
    first = named(cls)[0]
    text = citation(cls)
    assert text == citation(cls.__name__)
    assert first.rpartition(":")[2] in str(parse(text)[0])
    assert len({*keys(text)}) == len(keys(text))


@pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.__name__)
def test_a_class_is_cited_with_its_default_networks(cls):
    """Of which a model without arguments is made; it draws no random numbers that anybody would miss."""
    before = torch.get_rng_state()
    assert references._example(cls) is not None
    assert torch.equal(before, torch.get_rng_state())


def test_networks_and_options_of_a_model_are_cited():
    def cited(model=DCGAN, **arguments):
        return keys(citation(model(image_shape=(3, 16, 16), **arguments)))

    plain = DCGANBackbone(width=4, generator_norm="none", discriminator_norm="none")
    assert cited(backbone=plain) == ["radford2016unsupervised"]
    assert "ioffe2015batch" in cited(backbone=DCGANBackbone(width=4))
    spectral = cited(
        backbone=ResNetBackbone(width=4, generator_norm="none", discriminator_norm="spectral", attention=8)
    )
    assert {"miyato2018spectral", "zhang2019self", "gulrajani2017improved"} <= {*spectral}
    assert cited(backbone=plain, r1=1.0, r1_every=1)[1:] == ["mescheder2018which"]
    assert cited(backbone=plain, r1=1.0)[1:] == ["mescheder2018which", "karras2020analyzing"]
    assert cited(backbone=plain, augment="cutout")[1:] == ["zhao2020differentiable"]
    assert cited(backbone=plain, augment=["blit"], augment_target=0.6)[1:] == ["karras2020training"]
    assert cited(backbone=plain, augment=["color"], augment_target=0.6)[1:] == [
        "zhao2020differentiable",
        "karras2020training",
    ]
    assert "tancik2020fourier" in cited(backbone=MLPBackbone((8,), (8,), octaves=2))
    assert "zhang2019fixup" in cited(R3GAN) and "karras2018progressive" in cited(StyleGAN2)
    assert "salimans2016improved" in cited(SGAN, num_classes=3)
    mlp = MLPBackbone((8,), (8,))
    assert cited(VAE, backbone=mlp) == ["kingma2014auto", "rybkin2021simple"]
    assert cited(VAE, backbone=mlp, beta=4.0, sigma=1.0) == ["kingma2014auto", "higgins2017beta"]


def test_a_class_of_a_users_own_is_cited_by_the_number_in_its_docstring():
    class Mine(LatentGAN):
        """A game of somebody else, arXiv:2401.01234; doi:10.1000/xyz.

        Args:
            more: not arXiv:2401.99999, which an argument mentions.
        """

    assert papers(Mine) == ["arXiv:2401.01234", "doi:10.1000/xyz"]
    (first, second) = parse(citation(Mine))
    assert first == ("misc", "arXiv-2401-01234", {"eprint": "2401.01234", "archiveprefix": "arXiv"})
    assert second[2] == {"doi": "10.1000/xyz"}

    class Further(DCGAN):
        """With another loss."""

    assert keys(citation(Further))[0] == "radford2016unsupervised"


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="unknown model 'DCGNA'; did you mean DCGAN"):
        citation("DCGNA")


def test_the_entry_of_this_library_is_the_one_of_its_citation_file():
    citation_file = yaml.safe_load((Path(lit_gans.__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8"))
    (_, _, own) = parse(bibtex([references.OWN]))[0]
    own = {name: value.replace("\\_", "_").strip("{}") for name, value in own.items()}
    assert own["title"] == citation_file["title"]
    assert own["author"] == " and ".join(author["name"] for author in citation_file["authors"])
    assert own["version"] == citation_file["version"] == lit_gans.__version__


def test_every_score_has_its_paper():
    known = papers_of_scores()
    written = {value.removesuffix("_real") for values in VALUES.values() for value in values}
    assert written <= known.keys()
    assert all(known.values())


# -------------------------------------------------------------------- lit-gans cite


def trained(folder, model):
    """A run of two batches, from Python."""
    data = Glyphs(size=16, count=64, batch_size=16)
    trainer = Trainer(
        max_steps=2, default_root_dir=folder, logger=False, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(folder / "checkpoints" / "last.ckpt")
    return folder


def small(**options):
    backbone = DCGANBackbone(width=4, generator_norm="none", discriminator_norm="none")
    return DCGAN(image_shape=(1, 16, 16), backbone=backbone, **options)


def test_a_run_is_cited_with_its_data_and_scores(tmp_path, capsys):
    folder = trained(tmp_path, small(r1=1.0))
    (folder / "config.yaml").write_text("data:\n  class_path: lit_gans.FashionMNIST\n  init_args: {size: 16}\n")
    scores = '{"values": {"fid": 1.0, "sharpness_real": 2.0}, "protocol": {"features": "inception-v3-compat 2048"}}'
    (folder / "scores.jsonl").write_text(f"{scores}\nno json\n[1]\n")
    (folder / "checkpoints/last.json").write_text('{"values": {"kid": 1.0}, "protocol": {"features": "digits"}}')
    capsys.readouterr()
    main(["cite", str(folder)])
    told = capsys.readouterr().out
    assert keys(told) == [
        "radford2016unsupervised",
        "mescheder2018which",
        "karras2020analyzing",
        "xiao2017fashion",
        "heusel2017gans",
        "pech2000diatom",
        "szegedy2016rethinking",
        "binkowski2018demystifying",
        "lit_gans",
    ]
    main(["cite", str(folder / "checkpoints/last.ckpt")])
    assert capsys.readouterr().out == told


def test_a_run_without_a_configuration_is_cited_without_its_data(tmp_path, capsys):
    folder = trained(tmp_path, small())
    capsys.readouterr()
    main(["cite", str(folder)])
    told = capsys.readouterr()
    assert keys(told.out) == ["radford2016unsupervised", "lit_gans"]
    assert "no config.yaml" in told.err


def test_a_run_with_networks_of_its_own_is_cited_by_its_class(tmp_path, capsys):
    network = DCGANBackbone(width=4).generator((1, 16, 16), 100)
    folder = trained(tmp_path, small(generator=network))
    capsys.readouterr()
    main(["cite", str(folder)])
    assert keys(capsys.readouterr().out)[0] == "radford2016unsupervised"


def test_a_model_is_cited_by_its_name(capsys):
    main(["cite", "WGANGP"])
    assert keys(capsys.readouterr().out)[:1] == ["gulrajani2017improved"]


def test_a_run_is_cited_by_its_name_and_a_model_in_small_letters(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "mine" / "version_0"
    (run / "checkpoints").mkdir(parents=True)
    lit_gans.save(DCGAN(image_shape=(1, 16, 16), backbone=DCGANBackbone(width=4)), run / "checkpoints" / "last.ckpt")
    for name in ("mine", "last", "dcgan"):
        main(["cite", name])
        assert keys(capsys.readouterr().out)[0] == "radford2016unsupervised"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("DCGNA", "unknown model 'DCGNA'; did you mean DCGAN"),
        ("nothing.ckpt", "there is no checkpoint file nothing.ckpt"),
        (".", "the folder . holds no checkpoint"),
        ("no_project.NoGAN", "cannot be imported"),
        ("math.sqrt", "math.sqrt is no class; name a model"),
    ],
)
def test_what_cannot_be_cited_is_one_sentence(given, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["cite", given])
    error = capsys.readouterr().err
    assert told in error and len(error.splitlines()) == 1


def test_a_name_is_cited_in_any_case_and_an_unknown_one_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["cite", "dcgan"])
    assert "radford2016unsupervised" in capsys.readouterr().out
    assert "unknown model 'nothing'" in fails("cite", "nothing")
