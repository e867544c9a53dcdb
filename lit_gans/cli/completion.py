"""``lit-gans completion``: what a shell offers when the tab key is pressed, from the index."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_gans.cli import pages
from lit_gans.cli.guesses import SHORT
from lit_gans.cli.index import Entry, Option, index
from lit_gans.cli.parameters import Parameter, parameters
from lit_gans.cli.words import ALIASES, TRAINING
from lit_gans.errors import UsageError
from lit_gans.runs import shipped

# the hidden command __complete prints nothing where a file may stand, and the shell offers its own
_SCRIPTS = {
    "bash": """# eval "$(lit-gans completion bash)" in ~/.bashrc
_lit_gans() {
    local IFS=$'\\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *. ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _lit_gans lit-gans
""",
    "zsh": """#compdef lit-gans
# eval "$(lit-gans completion zsh)" in ~/.zshrc, after compinit
_lit_gans() {
    local -a found open
    found=(${(f)"$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    open=(${(M)found:#*.})
    found=(${found:#*.})
    (( ${#open} )) && compadd -S '' -a open
    (( ${#found} )) && compadd -a found
    (( ${#open} + ${#found} )) || _files
}
compdef _lit_gans lit-gans
""",
    "fish": """# lit-gans completion fish | source, in ~/.config/fish/config.fish
function __lit_gans
    set -l words (commandline -opc)
    set -l found ($words[1] __complete $words[2..-1] (commandline -ct | string collect --allow-empty) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c lit-gans -f -a '(__lit_gans)'
""",
}
_PARAMETERS = {"device": ("cpu", "cuda", "mps", "auto")}
_FIRST = ("model", "data", "config")
Commands = Mapping[str, Callable[..., Any]]


def script(shell: str = "") -> str:
    """The script that completes commands, options, names of classes and files in bash, zsh or fish.

    Raises:
        UsageError: if it is another shell.
    """
    if shell not in _SCRIPTS:
        how = 'eval "$(lit-gans completion bash)" in ~/.bashrc turns it on'
        raise UsageError(f"name the shell, bash, zsh or fish{f', not {shell}' if shell else ''}: {how}")
    return _SCRIPTS[shell]


def answer(words: Sequence[str], commands: Commands, others: Iterable[str]) -> None:
    """Prints what may stand in place of the last word, a line each; nothing where it is a file.

    Args:
        words: what is typed after ``lit-gans``, as the shell splits it; the last may be empty.
        commands: the functions of the commands by name.
        others: the names of the other commands.
    """
    # bash makes three words of --model=DCGAN
    joined: list[str] = []
    for word in words or [""]:
        if joined and (word == "=" or (joined[-1].endswith("=") and joined[-1].startswith("--"))):
            joined[-1] += word
        else:
            joined.append(word)
    split = "=" in words or (len(words) > 1 and words[-2] == "=")
    *before, now = joined
    flag, equals, typed = now.partition("=") if now.startswith("--") else ("", "", now)
    if equals:
        found = _values(before, flag, commands)
        lead = "" if split else f"{flag}="
    else:
        found, lead, typed = _candidates(before, now, commands, [*others]), "", now
    sys.stdout.writelines(f"{lead}{word}\n" for word in dict.fromkeys(found) if word.lower().startswith(typed.lower()))


def _candidates(before: Sequence[str], now: str, commands: Commands, others: list[str]) -> list[str]:
    """The words that may stand after those before."""
    if not before:
        return [*TRAINING, *commands, *others, *(["--help", "--version"] if now.startswith("-") else [])]
    command, *rest = before
    command = ALIASES.get(command, command)
    if command in others:
        return _of_other(command, commands, others)
    if rest and rest[-1].startswith("--") and "=" not in rest[-1] and not now.startswith("-"):
        if found := _values(before, rest[-1], commands):
            return found
        if command in TRAINING or not _is_switch(commands[command], rest[-1]):
            return []
    if command in TRAINING:
        known = index()
        return _flags(command, rest, now) if now.startswith("-") else [*known.names("model"), *known.names("data")]
    if now.startswith("-"):
        return [*(f"--{name}" for name in _parameters(commands.get(command))), "--help"]
    return _checkpoints(now) if not rest and {"checkpoint", "run"} & {*_parameters(commands.get(command))} else []


def _checkpoints(now: str) -> list[str]:
    """The models that come along, and the files beside them; none, and so the shell's own, where no model's fits."""
    if not (names := [name for name in shipped() if name.startswith(now)]):
        return []
    beside = sorted(path for path in Path().glob(f"{now}*") if not path.name.startswith("."))
    return [*names, *(f"{path}/" if path.is_dir() else str(path) for path in beside)]


def _of_other(command: str, commands: Commands, others: list[str]) -> list[str]:
    topics = [*pages.PARTS, *pages.LISTS]
    return {
        "list": [*pages.LISTS, "shipped", "configs", "all"],
        "completion": [*_SCRIPTS],
        "help": [*TRAINING, *commands, *others, *topics],
    }.get(command, [])


# -------------------------------------------------------------------- the training commands


def _flags(command: str, rest: Sequence[str], now: str) -> list[str]:
    """The flags that begin with what is typed; as long as no dot is typed, one for all that begin alike."""
    hidden = (*pages.PARTS, *_FIRST, "weights_only")
    known = [name for name in _options(command, rest) if name not in hidden and not name.startswith("off.")]
    flags = [f"--{name}" for name in (*_FIRST, *(short.name for short in SHORT), *known)]
    depth = now.count(".") + 1
    parts = [flag.split(".") for flag in flags]
    short = [".".join(part[:depth]) + "." for part in parts if len(part) > depth]
    return [*(flag for flag, part in zip(flags, parts, strict=True) if len(part) == depth), *short, "--help"]


def _options(command: str, rest: Sequence[str]) -> dict[str, Option]:
    """The options of a command and of the classes that it names, by their flags."""
    options = dict(index().commands[command])
    named = _named(rest, command)
    for path, entry in named.items():
        options |= {f"{path}.{name}": option for name, option in entry.options.items()}
        if entry.backbone is not None and "model.backbone" not in named:
            options |= {f"{path}.backbone.{name}": option for name, option in entry.backbone.options.items()}
    return options


def _named(rest: Sequence[str], command: str) -> dict[str, Entry]:
    """The classes that a command names, and those that stand where it names none, by the path of their options."""
    known = index()
    options = known.commands[command]
    said: dict[str, str] = {}
    for at, word in enumerate(rest):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            said[flag[2:].removesuffix("+")] = value if equals else "".join(rest[at + 1 : at + 2])
    found = {}
    for path in ("model", "data", "trainer.callbacks", "trainer.logger"):
        if entry := known.find(options[path].of, said.get(path) or str(options[path].default)):
            found[path] = entry
    for word in rest:  # fit DCGAN MNIST
        for kind in ("model", "data"):
            if kind not in said and (entry := known.find(kind, word)):
                found[kind] = entry
    for name, option in dict(found["model"].options).items() if "model" in found else ():
        path = f"model.{name}"
        if option.of and (entry := known.find(option.of, said.get(path) or str(option.default), found["model"])):
            found[path] = entry
    return found


def _values(before: Sequence[str], flag: str, commands: Commands) -> list[str]:
    """The values of a flag, if they can be listed."""
    command, *rest = before or [""]
    command = ALIASES.get(command, command)
    name = flag.lstrip("-").removesuffix("+")
    if command not in TRAINING:
        return _of_parameter(_parameters(commands.get(command)).get(name), name)
    if name in ("help", "h"):
        return [*pages.PARTS, *pages.LISTS, "all"]
    path = name.removesuffix(".help").removesuffix(".class_path")
    short = next((short.flag for short in SHORT if short.name == path), path)  # of two flags the first says more
    path = short.partition(" and ")[0]
    option = _options(command, rest).get(path)
    return [] if option is None else _of_option(option)


def _of_option(option: Option) -> list[str]:
    if option.of:
        return index().names(option.of)
    words = ["true", "false"] if "bool" in option.kinds else []
    if option.name.endswith("accelerator"):
        words = ["cpu", "gpu", "mps", "auto"]
    return [*words, *(str(choice) for choice in option.choices)]


# -------------------------------------------------------------------- the other commands


def _parameters(command: Callable[..., Any] | None) -> dict[str, Parameter]:
    return {} if command is None else {parameter.name: parameter for parameter in parameters(command)}


def _is_switch(command: Callable[..., Any], flag: str) -> bool:
    parameter = _parameters(command).get(flag.lstrip("-"))
    return parameter is not None and parameter.kind is bool


def _of_parameter(parameter: Parameter | None, name: str) -> list[str]:
    if parameter is None:
        return []
    if name == "data":
        return index().names("data")
    return [*_PARAMETERS.get(name, ()), *parameter.choices]
