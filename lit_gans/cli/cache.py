"""``lit-gans cache``: what decoded pictures take on the disk.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from typing import Any, Literal


def cache(action: Literal["list", "clear"], folder: str | None = None) -> None:
    """Lists or deletes the decoded pictures that runs have kept.

    Only what lit_gans has decoded is deleted, never a picture of yours, and nothing that a run is using. The next run
    decodes again what it needs.

    Args:
        action: list, which shows what there is, or clear, which deletes it.
        folder: the folder, if runs had another data.cache; by default $LIT_GANS_CACHE, else the user's cache folder.
    """
    from lit_gans.data.cache_folder import cache_folder, kept

    place = cache_folder(folder)
    files = list(kept(place))
    if action == "list":
        for file in files:
            state = "" if file.finished else ", not finished"
            print(f"{file.size / 1e6:10,.1f} MB  {file.path.name}: {file.count} images of {file.place}{state}")
        print(f"{_told(files)} in {place}")
        print("folders named .lit_gans beside pictures are of lit_gans 0.1 and may be deleted")
        return
    removed = []
    for file in files:
        if file.remove():
            removed.append(file)
            print(f"removed {file.path}")
        else:
            print(f"left {file.path}: it is in use, or may not be deleted")
    print(f"{_told(removed)} removed from {place}")


def _told(files: list[Any]) -> str:
    return f"{len(files)} file{'s' * (len(files) != 1)} of decoded images, {sum(f.size for f in files) / 1e6:,.1f} MB,"
