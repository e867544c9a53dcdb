"""The words that people try first, as the flags that they stand for, and what other words are told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Short:
    """A short name of a flag.

    Args:
        name: without dashes.
        flag: the flag that it stands for; where it sets several, all of them in words.
        others: what other tools call it; understood as well.
    """

    name: str
    flag: str
    others: str = ""


SHORT = (
    Short("epochs", "trainer.max_epochs", "epoch num_epochs n_epochs niter"),
    Short("steps", "trainer.max_steps", "iterations iters n_iters num_steps total_steps max_iter"),
    Short("time", "trainer.max_time", ""),
    Short("batch_size", "data.batch_size", "batch bs train_batch_size"),
    Short("size", "data.size", "imgsz img_size image_size resolution"),
    Short("root", "data.root", "data_root dataroot data_dir data_path datapath path folder"),
    Short("workers", "data.num_workers", "num_workers num_threads n_cpu"),
    Short("lr", "model.optimizer.lr", "lr0 learning_rate"),
    Short("seed", "seed_everything", "manual_seed random_seed"),
    Short("precision", "trainer.precision", ""),
    Short("gpus", "trainer.accelerator and trainer.devices", "num_gpus ngpu"),
    Short("device", "trainer.accelerator and trainer.devices", "gpu_ids gpu"),
    Short("output", "trainer.default_root_dir", "outdir out_dir output_dir outf project save_dir checkpoints_dir"),
    Short("name", "name", "run_name exp_name experiment_name"),
    Short("resume", "config and ckpt_path", ""),
    Short("ckpt", "ckpt_path", "checkpoint checkpoint_path weights"),
    Short("dataset", "data", "datamodule"),
    Short("cfg", "config", "conf config_file"),
    Short("logger", "trainer.logger", ""),
)
REAL = {name: short for short in SHORT for name in (short.name, *short.others.split())}
REAL |= {name.replace("_", ""): short for name, short in REAL.items()}
# names of other tools that mean something here which is spelled in another way
FOREIGN = {
    "kimg": "--steps, which counts batches",
    "gamma": "--model.r1",
    "aug": "--model.augment color,translation",
    "mirror": "--data.flip true",
    "fliplr": "--data.flip true",
    "ngf": "--model.backbone.width",
    "ndf": "--model.backbone.width",
    "nz": "--model.latent_dim",
    "z_dim": "--model.latent_dim",
    "beta1": "--model.optimizer.betas 0.5,0.999",
    "betas": "--model.optimizer.betas 0.5,0.999",
    "patience": "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val/fid",
    "amp": "--precision bf16-mixed",
    "half": "--precision bf16-mixed",
    "fp16": "--precision 16-mixed",
    "bf16": "--precision bf16-mixed",
    "snap": "--last.every_n_steps",
    "save_period": "--last.every_n_steps",
    "save_every": "--last.every_n_steps",
    "save_epoch_freq": "--last.every_n_steps",
    "save_latest_freq": "--last.every_n_steps",
    "display_freq": "--samples.every_n_steps",
    "print_freq": "--trainer.log_every_n_steps",
    "lambda_l1": "--model.l1",
    "sample_interval": "--samples.every_n_steps",
    "metrics": "--quality.scores fid,kid",
    "netg": "--model.backbone",
    "netd": "--model.backbone",
    "arch": "--model.backbone",
    "gan_mode": "--model LSGAN, say",
    "loss": "--model LSGAN, say: each loss is a model",
    "dataset_mode": "--data",
    "crop_size": "--size",
    "cuda": "--device cuda",
    "no_cuda": "--device cpu",
    "cpu": "--device cpu",
    "b1": "--model.optimizer.betas 0.5,0.999",
    "grad_clip": "--model.clip_norm",
    "gradient_clip_val": "--model.clip_norm",
    "n_critic": "--model.generator_every",
    "critic_iters": "--model.generator_every",
    "n_classes": "--data.labels, if the data has it: the model takes the number of classes from the data",
    "wandb": "--trainer.logger wandb",
    "use_wandb": "--trainer.logger wandb",
    "verbose": "LIT_GANS_TRACEBACK=1 before the command",
    "debug": "LIT_GANS_TRACEBACK=1 before the command",
    "pretrained": "--ckpt_path",
    "continue_train": "--resume",
}
