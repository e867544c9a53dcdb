"""What every command does first, done once for all of them: `warm` forks the others from a process that has run this.

Beside the imports these are the parser's looks at the classes, which it keeps.
"""

import contextlib
import gc
import io

import torch.distributed  # noqa: F401
import torchvision  # noqa: F401
from PIL import Image

import lit_gans.models  # noqa: F401
from lit_gans.cli.main import main

Image.init()  # imports what reads files of each kind
with (
    contextlib.redirect_stdout(io.StringIO()),
    contextlib.redirect_stderr(io.StringIO()),
    contextlib.suppress(SystemExit),
):
    main(["fit", "--print_config"])
gc.freeze()  # forks that look at it would copy it
