"""The digits, drawn without labels and with them: the table in docs/tables.md.

    python examples/tables/mnist.py [--rows R3GAN DCGAN] [--seeds 0] [--runs FOLDER]

A row takes as many minutes of one core as its configuration says, times its seeds. The data are found as always
(``LIT_GANS_DATA``, or ``data``).
"""

from table import Row, Table

TABLE = Table(
    name="mnist",
    page="tables.md",
    rows=(
        Row("R3GAN", "r3gan_mnist", seeds=3),
        Row("InfoGAN", "info_gan_mnist", seeds=3),
        Row("HingeGAN", "hinge_gan_mnist", seeds=3),
        Row("LSGAN", "lsgan_mnist", seeds=3),
        Row("DCGAN", "dcgan_mnist", seeds=3),
        Row("RelativisticGAN", "relativistic_gan_mnist"),
        Row("WGANGP", "wgan_gp_mnist"),
        Row("StyleGAN2", "stylegan2_mnist"),
        Row("SNGAN", "sngan_mnist"),
        Row("PacGAN", "pac_gan_mnist"),
        Row("DRAGAN", "dragan_mnist"),
        Row("GAN", "gan_mnist"),
        Row("EBGAN", "ebgan_mnist"),
        Row("WeightNormGAN", "weight_norm_gan_mnist", seeds=3),
        Row("SAGAN", "sagan_mnist", seeds=3),
        Row("UnrolledGAN", "unrolled_gan_mnist", seeds=3),
        Row("WGAN", "wgan_mnist", seeds=3),
        Row("BEGAN", "began_mnist", seeds=3),
        Row("VAE", "vae_mnist"),
        Row("AutoEncoder", "autoencoder_mnist"),
        Row("ProjectionGAN", "projection_gan_mnist", seeds=3),
        Row("CGAN", "cgan_mnist"),
        Row("ACGAN", "acgan_mnist", seeds=3),
    ),
    choice=("--data.val_size", "5000", "--quality.reference", "val"),
    shown={
        "`fid`": ("train", "fid"),
        "normalised": ("train", "fid_normalised"),
        "density": ("train", "density"),
        "coverage": ("train", "coverage"),
        "recall": ("train", "recall"),
        "copies": ("train", "memorisation"),
        "`fid`, test": ("test", "fid"),
    },
)

if __name__ == "__main__":
    TABLE.main()
