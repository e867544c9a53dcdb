"""The order of the rooms: what a file may import, read from the files themselves."""

import ast
import functools
from collections import defaultdict
from pathlib import Path

import lit_gans

# from the ground up: a room imports from those before it, and from the loose files below all of them
ROOMS = ["images", "text", "augment", "networks", "checkpoints", "latents", "data", "core"]
ROOMS += ["families", "models", "metrics", "callbacks", "exports", "training", "display", "cli"]
MOST_LOOSE = 11
HOME = Path(lit_gans.__file__).parent
FILES = {
    ".".join(path.relative_to(HOME.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in HOME.rglob("*.py")
}
LOOSE = {name for name in FILES if name.count(".") == 1 and name.rpartition(".")[2] not in (*ROOMS, "__main__")}


@functools.cache  # and not while every worker collects
def imports(name):
    """The modules of this package that a module imports when it runs, also inside functions."""
    return sorted(set(found(ast.parse(FILES[name].read_text("utf-8")))))


def found(tree):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue  # for annotations only
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            for whole in (f"{node.module}.{alias.name}" for alias in node.names):
                if whole in FILES or node.module in FILES:
                    yield whole if whole in FILES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        yield from found(node)


def room(name):
    """The room that a module is in; loose files have none."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def height(name):
    return ROOMS.index(room(name)) if room(name) else -1


def test_every_folder_is_a_room_of_the_order():
    assert {path.parent.name for path in HOME.glob("*/__init__.py")} == set(ROOMS)


def test_no_arrow_goes_up():
    # the package itself names what is in the rooms, and may be asked for its version and its names
    below = FILES.keys() - {"lit_gans", "lit_gans.__main__"}
    up = {name: [o for o in imports(name) if o != "lit_gans" and height(o) > height(name)] for name in below}
    assert not {name: others for name, others in up.items() if others}, "each is below what it imports"


def test_no_module_imports_itself_by_way_of_others():
    left = {name: {other for other in imports(name) if other != "lit_gans"} for name in FILES if name != "lit_gans"}
    while left:
        free = {name for name, others in left.items() if not others & left.keys()}
        assert free, f"each of these imports another of them: {', '.join(sorted(left))}"
        left = {name: others for name, others in left.items() if name not in free}


def test_a_loose_file_is_used_by_several_rooms():
    users = defaultdict(set)
    for name in FILES:
        for other in LOOSE & {*imports(name)}:
            users[other].add(room(name) or name)
    assert set(users) == LOOSE, "each is used"
    alone = {name: rooms for name, rooms in users.items() if len(rooms) < 2}
    assert not alone, "it belongs into the room that uses it"
    assert len(LOOSE) <= MOST_LOOSE


def test_what_feeds_and_judges_knows_no_model():
    for name in FILES:
        if room(name) in ("data", "metrics", "callbacks", "latents"):
            assert not [other for other in imports(name) if room(other) in ("core", "families", "models")], name
