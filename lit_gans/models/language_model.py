"""A model of texts that predicts the next token."""

from lit_gans.core.text_model import TextModel
from lit_gans.families import Writing
from lit_gans.networks import RecurrentBackbone


class LanguageModel(Writing, TextModel):
    """Predicts every token of a text from those before it: recurrent (an RNN), or with attention (as GPT does).

    Mikolov, Karafiát, Burget, Černocký & Khudanpur 2010, *Recurrent Neural Network Based Language Model* (Interspeech),
    doi:10.21437/Interspeech.2010-343; with a Transformer it is Radford, Narasimhan, Salimans & Sutskever 2018,
    *Improving Language Understanding by Generative Pre-Training* (OpenAI).

    It minimises `-E sum_t log p(x_t | x_1 ... x_{t-1})`, the cross-entropy of a text, as a mean over tokens. Texts are
    drawn token by token.

    Good at: stable training, a likelihood to compare models by, text that goes on from a beginning. Bad at: long
    texts, where its own mistakes are unlike anything that it has read; global properties of a text.

    Args:
        model: arguments of `TextModel`: backbone, label_smoothing, optimizer and so on.

    Raises:
        UsageError: if an argument is out of range.

    Examples:
        >>> model = LanguageModel(text_shape=(6, 20), backbone=RecurrentBackbone("lstm", width=8))
        >>> model.sample(3, seed=0, temperature=0.8).shape
        torch.Size([3, 6])

    Card: docs/models/language_model.md; configuration: examples/configs/language_model_grammar.yaml.
    """

    default_backbone = RecurrentBackbone("lstm", width=256)
