"""How near translations are to those of a person, by sacrebleu."""

from collections.abc import Sequence


def translation_scores(
    translations: Sequence[str], references: Sequence[str], characters: bool = False
) -> dict[str, float]:
    """BLEU, chrF and the percentage of exact matches of a corpus, all in [0, 100].

    BLEU: Papineni et al. 2002, doi:10.3115/1073083.1073135; chrF: Popović 2015, doi:10.18653/v1/W15-3049; both with the
    tokens and the smoothing of Post 2018, arXiv:1804.08771.

    Args:
        translations: one for each reference.
        references: one for each translation.
        characters: whether BLEU counts characters (sacrebleu's ``char``), which suits texts that write much as one
            word, rather than words (``13a``).

    Returns:
        ``bleu``, ``chrf`` and ``exact``; nothing without texts.
    """
    if not translations:
        return {}
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(tokenize="char" if characters else "13a"), CHRF()
    same = sum(one.strip() == other.strip() for one, other in zip(translations, references, strict=True))
    return {
        "bleu": bleu.corpus_score(list(translations), [list(references)]).score,
        "chrf": chrf.corpus_score(list(translations), [list(references)]).score,
        "exact": 100 * same / len(references),
    }
