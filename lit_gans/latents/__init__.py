"""Latent vectors: ways between them, those that draw a given image, arithmetic with them."""
