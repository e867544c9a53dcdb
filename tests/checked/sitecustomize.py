"""Lets processes run with TORCH_DISTRIBUTED_DEBUG=DETAIL, which names a collective that they do not share.

On the path of the processes that test_devices.py and test_whole_runs.py start. DDP of torch 2.14 crashes on a group
whose collectives are checked, so it gets one of its own; everything else goes through the checked one.
"""

import os

if os.environ.get("TORCH_DISTRIBUTED_DEBUG") == "DETAIL":
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    _init = DistributedDataParallel.__init__

    def init(self, *arguments, **options):
        dist.set_debug_level(dist.DebugLevel.INFO)
        _init(self, *arguments, **{**options, "process_group": dist.new_group()})

    DistributedDataParallel.__init__ = init
