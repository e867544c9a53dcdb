"""Whether the tests notice small faults: changes one thing at a time in the code and runs the tests that reach it.

The faults are mutmut's (3.8: numbers, words, operators, conditions, arguments, assignments) in the files below, a
sample by a fixed seed. Which fault is drawn depends on the text of its function alone, so that a file that has moved
keeps its faults. What the tests reach is read from a coverage file, so there are two commands, in an environment
with mutmut, coverage and pytest-cov::

    python -m pytest -n0 --dist=no -m "not slow" -p tools.mutants --cov=lit_gans --cov-branch --cov-context=test
    python -m tools.mutants

The first writes ``.coverage`` and ``.mutants-times``; the second works in a copy of the repository. A fault survives
when the tests that reach its lines all pass: some seconds of them, of every test function in turn, quick ones first.
What a test starts in a process of its own does not count as reached.
"""

import argparse
import hashlib
import inspect
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

FILES = (
    "lit_gans/core/[!ceh]*.py",  # not checks, encoder_decoder, hooks
    "lit_gans/core/held_out.py",
    "lit_gans/checkpoints/*.py",
    "lit_gans/losses.py",
    "lit_gans/penalties.py",
    "lit_gans/data/order.py",
)
TIMES = Path(".mutants-times")
SECONDS = 20  # of tests, by their times in the first command, that a fault has to get through
LIMIT = 300  # seconds after which a run hangs


def pytest_sessionstart() -> None:
    """Forgets the last times: for pytest, in the first command."""
    TIMES.unlink(missing_ok=True)


def pytest_runtest_logreport(report: Any) -> None:
    """Notes how long each test takes."""
    with TIMES.open("a", encoding="utf-8") as file:
        print(json.dumps([report.nodeid, report.duration]), file=file)


class Mutant(NamedTuple):
    """A fault: a file with one thing in one function changed."""

    file: str
    owner: str  # the class, or nothing
    function: str
    lines: range
    whole: range  # the lines of its function
    before: str
    after: str
    make: Callable[[], str]  # the changed text of the file
    rank: str  # the lowest are drawn

    def __str__(self) -> str:
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.file}:{self.lines.start} {self.owner}.{self.function}: {before} -> {after}"


def mutants(file: Path, root: Path, seed: int) -> Iterator[Mutant]:
    """All faults of a file, which mutmut makes in functions that have no decorator."""
    import libcst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    wrapper = MetadataWrapper(libcst.parse_module(file.read_text(encoding="utf-8")))
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    places = wrapper.resolve(PositionProvider)
    owners = {
        method: node.name.value
        for node in module.body
        if isinstance(node, libcst.ClassDef)
        for method in node.body.body
    }
    seen: Counter[tuple[str, str, str]] = Counter()
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, libcst.FunctionDef):
            continue
        name = function.name.value
        before, after = (module.code_for_node(node) for node in (mutation.original_node, mutation.mutated_node))
        key = (name, before, after)
        seen[key] += 1
        whole = places[function]
        place = places.get(mutation.original_node) or whole
        yield Mutant(
            str(file.relative_to(root)),
            owners.get(function, ""),
            name,
            range(place.start.line, place.end.line + 1),
            range(whole.start.line, whole.end.line + 1),
            before,
            after,
            partial(changed, module, mutation),
            hashlib.sha256(repr((seed, *key, seen[key])).encode()).hexdigest(),
        )


def changed(module: Any, mutation: Any) -> str:
    """The text of a file with a fault."""
    return str(module.deep_replace(mutation.original_node, mutation.mutated_node).code)


def draw(root: Path, files: list[str], count: int, seed: int) -> list[Mutant]:
    """The sample, in an order of its own."""
    paths = sorted({path for pattern in files for path in root.glob(pattern)})
    everything = [mutant for path in paths for mutant in mutants(path, root, seed)]
    print(f"{len(everything)} faults in {len(paths)} files, of which {count} are tried", flush=True)
    return sorted(everything, key=lambda mutant: mutant.rank)[:count]


class Reach:
    """Which tests reach a line, and how long each takes."""

    def __init__(self, coverage_file: Path, times: Path) -> None:
        from coverage import CoverageData

        data = CoverageData(str(coverage_file))
        data.read()
        self.lines: dict[str, dict[int, list[str]]] = {}
        for file in data.measured_files():
            self.lines[file.rpartition("lit_gans/")[2]] = data.contexts_by_lineno(file)
        self.times: dict[str, float] = defaultdict(float)
        for line in times.read_text(encoding="utf-8").splitlines():
            test, *_, seconds = json.loads(line)
            self.times[test] += seconds

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests for a fault: the quickest of every test function first, then the second quickest."""
        by_line = self.lines.get(mutant.file.rpartition("lit_gans/")[2], {})
        for lines in (mutant.lines, mutant.whole):
            found = {name.rpartition("|")[0] for line in lines for name in by_line.get(line, ()) if name}
            if found:
                break
        turn: Counter[str] = Counter()
        order = []
        for test in sorted(found, key=lambda test: (self.times[test], test)):
            base = test.partition("[")[0]
            order.append((turn[base], self.times[test], test))
            turn[base] += 1
        chosen: list[str] = []
        seconds = 0.0
        for _, took, test in sorted(order):
            if seconds + took <= SECONDS or not chosen:
                chosen.append(test)
                seconds += took
        return chosen


def bare(method: Any) -> Any:
    """The function inside a method: hooks of models are wrapped."""
    return inspect.unwrap(getattr(method, "__func__", method))


def install(mutant: Mutant, source: str) -> None:
    """Puts a fault into the module that is loaded.

    Raises:
        Exception: whatever the changed module raises when it is imported.
    """
    name = mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    module = import_module(name)
    names: dict[str, Any] = {"__name__": name, "__file__": module.__file__, "__package__": module.__package__}
    exec(compile(source, str(module.__file__), "exec"), names)
    home = vars(getattr(module, mutant.owner)) if mutant.owner else vars(module)
    other = vars(names[mutant.owner]) if mutant.owner else names
    old, new = (bare(place[mutant.function]) for place in (home, other))
    cells = dict(zip(old.__code__.co_freevars, old.__closure__ or (), strict=True))
    if new.__code__.co_freevars == old.__code__.co_freevars:
        old.__code__ = new.__code__
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
    else:  # the call of super() is gone
        closure = tuple(cells[cell] for cell in new.__code__.co_freevars)
        function = types.FunctionType(new.__code__, old.__globals__, old.__name__, new.__defaults__, closure)
        function.__kwdefaults__ = new.__kwdefaults__
        kind = type(home[mutant.function])
        whole = function if kind is types.FunctionType else kind(function)
        setattr(getattr(module, mutant.owner), mutant.function, whole)


class Runner:
    """A plugin for pytest: collects the tests once, then gives each fault a process that runs those that reach it."""

    def __init__(self, root: Path, sample: list[Mutant], reach: Reach) -> None:
        self.root, self.sample, self.reach = root, sample, reach
        self.results: list[tuple[str, Mutant, str]] = []

    def pytest_runtestloop(self, session: Any) -> bool:
        """Runs faults in place of tests, and at last, without a fault, the tests that failed."""
        items = {item.nodeid: item for item in session.items}
        for number, mutant in enumerate(self.sample, 1):
            began = time.time()
            tests = [items[test] for test in self.reach.tests(mutant) if test in items]
            how, by = self._spoiled(session, mutant, tests) if tests else ("unreached", "")
            self.results.append((how, mutant, by))
            print(f"{number:4} {how:9} {time.time() - began:5.1f} s, {len(tests)} tests: {mutant}  {by}", flush=True)
        for test in {by for *_, by in self.results if by in items}:
            if attempt(session, [items[test]], lambda: None)[0] != "survived":
                print(f"fails without a fault, too: {test}")
        return True

    def _spoiled(self, session: Any, mutant: Mutant, tests: list[Any]) -> tuple[str, str]:
        path, source = self.root / mutant.file, mutant.make()
        text, stat = path.read_bytes(), path.stat()
        path.write_text(source, encoding="utf-8")  # for the processes that a test starts
        try:
            return attempt(session, tests, partial(install, mutant, source))
        finally:
            path.write_bytes(text)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def attempt(session: Any, tests: list[Any], prepare: Callable[[], None]) -> tuple[str, str]:
    """How a process ends that runs tests up to the first that fails, and which that is."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        run(session, tests, prepare, writer)
    os.close(writer)
    how = wait(child)
    with os.fdopen(reader) as words:
        return how, words.read()


def run(session: Any, tests: list[Any], prepare: Callable[[], None], writer: int) -> None:
    """Runs tests and ends the process: with status 0 if all pass."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    try:
        prepare()
    except Exception as error:
        os.write(writer, f"import: {type(error).__name__}".encode())
        os._exit(1)
    for item, following in zip(tests, [*tests[1:], None], strict=True):
        try:
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            failed = session.testsfailed
        except BaseException:
            failed = True
        if failed:
            os.write(writer, item.nodeid.encode())
            os._exit(1)
    os._exit(0)


def wait(child: int) -> str:
    """Waits for the process of a fault, which may hang."""
    until = time.time() + LIMIT
    while time.time() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.02)
    else:
        status = signal.SIGXCPU
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its tests have started
    if os.WIFEXITED(status):
        return "killed" if os.WEXITSTATUS(status) else "survived"
    return "timeout" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else "killed"


def try_all(tree: Path, sample: list[Mutant], reach: Reach) -> list[tuple[str, Mutant, str]]:
    """Tries faults in a copy of the tree: how each ends, and by which test."""
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "copy"
        shutil.copytree(tree, root, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__", "runs"))
        os.chdir(root)
        sys.path.insert(0, str(root))
        os.environ |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        runner = Runner(root, sample, reach)
        options = ["-n0", "-s", "-p", "no:terminal", "-p", "no:cacheprovider", f"--basetemp={folder}/tests"]
        pytest.main([*options, "-o", "addopts=--doctest-modules"], plugins=[runner])
        os.chdir(tree)
    return runner.results


def main() -> None:
    """Draws the faults, tries them and counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES, help="patterns, from the root of the repository")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="of the repository")
    parser.add_argument("--coverage", type=Path, default=Path(".coverage"))
    parser.add_argument("--times", type=Path, default=TIMES)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="only say which faults there are")
    given = parser.parse_args()
    root = given.root.resolve()
    sample = draw(root, given.files, given.count, given.seed)
    if given.list:
        print(*sample, sep="\n")
        return
    results = try_all(root, sample, Reach(given.coverage, given.times))
    counts = Counter(how for how, *_ in results)
    print(", ".join(f"{counts[how]} {how}" for how in ("killed", "survived", "timeout", "unreached")))
    for how, mutant, _ in results:
        if how in ("survived", "unreached"):
            print(f"  {how}: {mutant}")


if __name__ == "__main__":
    main()
