"""Functions as ONNX files, which ONNX Runtime and browsers run."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_gans.errors import UsageError, reason
from lit_gans.exports.programs import Program, quiet

_EXTRA = "pip install 'lit_gans[export]'"


def refuse_missing() -> None:
    """Raises a `UsageError` if a package is not installed that writes or checks ONNX files."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        try:
            __import__(package)
        except ImportError:
            raise UsageError(
                f"the format onnx needs {package}, which is not installed: {_EXTRA}; torch-export needs no more than "
                "PyTorch"
            ) from None


def write(program: Program, path: Path, told: dict[str, Any]) -> None:
    """Writes a function as one ONNX file.

    Args:
        program: the function.
        path: where to.
        told: is kept in the file's metadata, as JSON under the name ``lit_gans``.

    Raises:
        UsageError: if a layer has no counterpart in ONNX, or the file would be larger than its format allows.
    """
    import onnx

    with quiet():
        try:
            made = torch.onnx.export(program.graph, dynamo=True, verbose=False)
        except Exception as error:  # the converter's own have no common class
            cause = error.__cause__ or error
            raise UsageError(f"this generator has no form in ONNX ({reason(cause)}); use torch-export") from error
    model = made.model_proto  # type: ignore[union-attr]
    _name(model, program)
    _forget_sources(model)
    model.producer_name, model.producer_version = "lit_gans", str(told["version"])
    entry = model.metadata_props.add()
    entry.key, entry.value = "lit_gans", json.dumps(told, ensure_ascii=False)
    try:
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
    except ValueError as error:  # protobuf's limit is 2 GB
        raise UsageError(f"this generator is too large for one ONNX file ({reason(error)}); use torch-export") from None


def difference(program: Program, path: Path) -> float:
    """The largest difference of what ONNX Runtime computes by a file from the model's own values."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> Tensor:
        given = {name: values.contiguous().numpy() for name, values in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, given)[0])

    return program.difference(run)


def _name(model: Any, program: Program) -> None:
    """Gives the ports and their sizes that may change the names of the function's ports."""
    graph, described = model.graph, program.described()
    symbols: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for value, port in zip([*graph.input, *graph.output], [*described["inputs"], *described["outputs"]], strict=True):
        renamed[value.name] = port["name"]
        for size, name in zip(value.type.tensor_type.shape.dim, port["shape"], strict=True):
            if size.dim_param.isidentifier() and isinstance(name, str):
                symbols[size.dim_param] = name
    if len(set(renamed.values())) < len(renamed):
        raise AssertionError("ports have names of their own")
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = renamed.get(value.name, value.name)
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(r"\w+", lambda word: symbols.get(word[0], word[0]), size.dim_param)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value, port in zip(graph.output, described["outputs"], strict=True):
        for size, name in zip(value.type.tensor_type.shape.dim, port["shape"], strict=True):
            if isinstance(name, str):  # torch may write it as a formula
                size.dim_param = name


def _forget_sources(model: Any) -> None:
    """Removes notes of the converter, among them the paths of source files on this machine."""
    for graph in (model.graph, *model.functions):
        for node in graph.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
