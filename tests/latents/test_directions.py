"""The directions in which a sample changes most."""

import torch
from conftest import refused

from lit_gans.latents.directions import directions


def linear(size, pixels=9):
    """A generator that is a matrix, whose singular vectors are known."""
    matrix = torch.randn(size, pixels, generator=torch.Generator().manual_seed(1))
    return matrix, lambda noise: (noise @ matrix).view(len(noise), 1, 3, 3)


def test_they_are_the_singular_vectors_of_a_linear_generator():
    matrix, draw = linear(5)
    found = directions(draw, torch.randn(1, 5, generator=torch.Generator().manual_seed(2)), count=3)
    left = torch.linalg.svd(matrix)[0].T[:3]
    torch.testing.assert_close((found * left).sum(1).abs(), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(found @ found.T, torch.eye(3), atol=1e-5, rtol=0)


def test_a_large_space_is_asked_for_few_images():
    _, draw = linear(300)
    asked = []

    def counted(noise):
        asked.append(len(noise))
        return draw(noise)

    found = directions(counted, torch.zeros(300), count=4)
    assert asked == [65] and found.shape == (4, 300)
    assert torch.equal(found, directions(draw, torch.zeros(300), count=4))
    change = draw(found) - draw(torch.zeros(1, 300))
    sizes = change.flatten(1).norm(dim=1)
    assert (sizes[:-1] >= sizes[1:]).all() and sizes[0] > draw(torch.eye(300)[:50]).flatten(1).norm(dim=1).mean()


def test_a_small_space_has_as_many_as_it_has():
    _, draw = linear(2)
    assert directions(draw, torch.zeros(2), count=6).shape == (2, 2)
    refused(lambda: directions(draw, torch.zeros(2), count=0), "count", "0")
