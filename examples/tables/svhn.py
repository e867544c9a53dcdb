"""House numbers at 32x32: the table in docs/tables.md.

    python examples/tables/svhn.py [--rows ProjectedGAN] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. Scored by ``imagenet`` and, where
a row asks for a second opinion, by ``nsfw`` (extras of the same names). The data are found as always
(``LIT_GANS_DATA``, or ``data``).
"""

from table import COLOUR, Row, Table

TABLE = Table(
    name="svhn",
    page="tables.md",
    rows=(
        Row("ProjectedGAN", "projected_gan_svhn", seeds=3, opinion=True),
        Row("FastGAN", "fast_gan_svhn"),
        Row("DCGAN", "dcgan_svhn", seeds=3, opinion=True),
        Row("StyleGAN2", "stylegan2_svhn_short"),
        Row("HingeGAN", "hinge_gan_svhn"),
        Row("LSGAN", "lsgan_svhn"),
        Row("RelativisticGAN", "relativistic_gan_svhn"),
        Row("SNGAN", "sngan_svhn"),
        Row("WGANGP", "wgan_gp_svhn"),
        Row("DRAGAN", "dragan_svhn"),
        Row("PacGAN", "pac_gan_svhn"),
        Row("SAGAN", "sagan_svhn"),
        Row("UnrolledGAN", "unrolled_gan_svhn"),
        Row("WGAN", "wgan_svhn"),
        Row("GAN", "gan_svhn"),
        Row("InfoGAN", "info_gan_svhn"),
        Row("ACGAN", "acgan_svhn"),
        Row("ProjectionGAN", "projection_gan_svhn"),
    ),
    choice=("--data.val_size", "650", "--quality.reference", "val"),
    features=("imagenet", "nsfw"),
    shown=COLOUR,
)

if __name__ == "__main__":
    TABLE.main()
