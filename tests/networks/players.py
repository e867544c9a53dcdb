"""What a generator and a discriminator of any kind must do, for shapes of all sorts."""

import torch

SHAPES = [(1, 8, 8), (3, 9, 8), (4, 15, 16), (1, 28, 28), (3, 17, 31), (1, 12, 40), (4, 40, 12), (3, 64, 64)]


def learns(net, given):
    """The output, after every parameter got a finite gradient."""
    out = net(given)
    assert out.dtype == torch.float32 and out.std() > 0
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    return out


def check_generator(net, shape):
    noise = 2 * torch.randn(3, net.latent_dim)
    image = learns(net, noise)
    assert image.shape == (3, *shape) and image.is_contiguous() and image.abs().max() <= 1
    net.eval()
    assert torch.equal(net.logits(noise).tanh(), net(noise))


def check_discriminator(net, shape, outputs=1):
    image = torch.rand(3, *shape, requires_grad=True)
    scores = learns(net, image)
    assert scores.shape == ((3,) if outputs == 1 else (3, outputs))
    assert image.grad.flatten(1).abs().sum(1).gt(0).all()
    net.eval()
    features = net.features(image)
    assert features.shape == (3, net.size)
    assert torch.equal(net.judge(features).squeeze(1), net(image))
