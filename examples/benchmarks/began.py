"""Whether BEGAN's measure says what the Frechet distance says.

    lit-gans fit --config examples/configs/began_mnist.yaml --trainer.val_check_interval 1250
    python examples/benchmarks/began.py runs/BEGAN-MNIST/version_0

Reads a run's metrics.csv: k, M and its running mean at every validation beside val/fid, and Spearman's rank correlation
of the running mean with val/fid over the run.
"""

import argparse
import csv
from pathlib import Path

from scipy.stats import spearmanr

STATE = ("state/k", "state/convergence", "state/convergence_mean")


def at_validations(run):
    """(step, k, M, mean of M, val/fid) of every validation, the state being the last that was logged before it."""
    state, rows = {}, []
    with (run / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            state |= {name: float(row[name]) for name in STATE if row.get(name)}
            if row.get("val/fid") and len(state) == len(STATE):
                rows.append((int(row["step"]) + 1, *(state[name] for name in STATE), float(row["val/fid"])))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run's folder")
    rows = at_validations(parser.parse_args().run)
    print("| batches | k | M | running mean of M | val/fid |\n|---|---|---|---|---|")
    for step, k, now, mean, fid in rows:
        print(f"| {step:,} | {k:.3f} | {now:.4f} | {mean:.4f} | {fid:.0f} |")
    if len(rows) > 2:
        found = spearmanr([row[3] for row in rows], [row[4] for row in rows])
        print(f"\nrank correlation of the running mean with val/fid: {found.statistic:.2f} ({len(rows)} validations)")


if __name__ == "__main__":
    main()
