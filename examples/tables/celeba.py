"""Faces at 64x64, 4,000 pictures to train on or all that are there: the table in docs/tables.md.

    python examples/tables/celeba.py [--rows ProjectedGAN] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. Scored by ``imagenet`` and, where
a row asks for a second opinion, by ``nsfw`` (extras of the same names). The data are found as always
(``LIT_GANS_DATA``, or ``data``).
"""

from table import COLOUR, Row, Table

LONGER = ("--trainer.max_steps", "6600", "--model.scheduler.steps", "6600")

TABLE = Table(
    name="celeba",
    page="tables.md",
    rows=(
        Row("ProjectedGAN", "projected_gan_celeba", seeds=3, opinion=True),
        Row("ProjectedGAN, three times as long", "projected_gan_celeba", options=LONGER, opinion=True),
        Row("FastGAN", "fast_gan_celeba"),
        Row("R3GAN", "r3gan_celeba"),
        Row("DCGAN", "dcgan_celeba", seeds=3, opinion=True),
        Row("WeightNormGAN", "weight_norm_gan_celeba"),
        Row("BEGAN", "began_celeba_short"),
        Row("EBGAN", "ebgan_celeba_short"),
        Row("CGAN", "cgan_celeba"),
        Row("GANCLS", "gancls_celeba"),
        Row("StackGAN", "stackgan_celeba"),
        Row("VAE", "vae_celeba"),
        Row("AutoEncoder", "autoencoder_celeba"),
    ),
    choice=("--quality.reference", "val"),
    features=("imagenet", "nsfw"),
    shown=COLOUR,
)

if __name__ == "__main__":
    TABLE.main()
