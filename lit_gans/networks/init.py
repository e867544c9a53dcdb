"""Weight initialisation."""

from torch import nn

from lit_gans.networks.blocks import NORMS, SubPixel


def normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws weights from N(0, std), norm gains from N(1, std), and zeroes biases (Radford et al. 2015, section 4).

    Use it with ``network.apply(normal)``, before `reparametrise`.
    """
    if isinstance(module, SubPixel):  # apply comes to it after its convolution
        module.begin_as_nearest()
        return
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, NORMS) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, std)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
