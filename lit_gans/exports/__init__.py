"""Files that other programs run, and the Hugging Face Hub."""

from lit_gans.exports.files import Written, export
from lit_gans.exports.hub import push_to_hub

__all__ = ["Written", "export", "push_to_hub"]
