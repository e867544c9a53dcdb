"""What a repository has beside its code: workflows, forms, hooks and how to cite it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import lit_gans

ROOT = Path(__file__).parents[1]
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def read(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of pyproject.toml")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    return read(f".github/workflows/{workflow}.yml")["jobs"][job]["steps"]


def test_the_folder_of_a_run_is_asked_for_in_one_place():
    """It is agreed on by all devices together: asked on the first alone, it waits for ever."""
    asking = [path.name for path in (ROOT / "lit_gans").rglob("*.py") if "trainer.log_dir" in path.read_text("utf-8")]
    assert asking == ["run_folder.py"]


def test_the_workflow_runs_what_the_maintainers_run():
    assert [step["run"] for step in steps("test", "test") if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    (setup,) = (step for step in steps("test", "test") if "setup-python" in step.get("uses", ""))
    assert setup["with"]["cache"] == "pip"
    assert (ROOT / setup["with"]["cache-dependency-path"]).is_file()


def test_the_workflow_tries_every_python_that_is_promised():
    tried = read(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    promised = [word.rpartition(" ")[2] for word in project()["classifiers"] if ":: Python :: 3" in word]
    assert tried == promised
    assert project()["requires-python"] == f">={promised[0]}"


def test_a_tag_is_published_if_it_is_the_version_and_the_tests_pass():
    workflow = read(".github/workflows/publish.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # yaml 1.1 reads the key "on" as a truth value
    assert workflow["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"
    assert "workflow_call" in read(".github/workflows/test.yml")[True]
    check = next(step["run"] for step in steps("publish", "build") if "lit_gans.__version__" in step.get("run", ""))
    assert '"$GITHUB_REF_NAME" != "v$version"' in check
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == {"test", "build"}
    assert publish["permissions"] == {"id-token": "write"}  # and no secret: trusted publishing


@pytest.mark.parametrize("workflow", ["test", "publish"])
def test_workflows_may_read_and_no_more(workflow):
    read_only = read(f".github/workflows/{workflow}.yml")
    assert read_only["permissions"] == {"contents": "read"}
    assert "secrets." not in (ROOT / f".github/workflows/{workflow}.yml").read_text(encoding="utf-8")


def test_hooks_are_pinned_and_ruff_is_one_that_the_tests_allow():
    repos = read(".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"] for repo in repos for hook in repo["hooks"]}
    assert hooks == {"check-yaml", "end-of-file-fixer", "ruff-check", "ruff-format", "mypy"}
    for repo in repos:
        assert repo["repo"] == "local" or re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"])
    (ruff,) = (repo["rev"] for repo in repos if "ruff" in repo["repo"])
    (bound,) = re.findall(r"'ruff>=([\d.]+)'", str(project()["optional-dependencies"]["test"]))
    assert [int(part) for part in ruff[1:].split(".")] >= [int(part) for part in bound.split(".")]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_issue_forms_ask_what_github_can_show(form):
    content = read(form)
    assert content["name"] and content["description"]
    asked = [entry for entry in content["body"] if entry["type"] != "markdown"]
    names = [entry["id"] for entry in asked]
    assert len(names) == len({*names}) > 1
    for entry in asked:
        assert entry["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert entry["attributes"]["label"]
        assert entry["type"] != "checkboxes" or all(option["label"] for option in entry["attributes"]["options"])
    assert any(entry.get("validations", {}).get("required") for entry in asked)


def test_there_are_forms_for_bugs_and_papers():
    assert [form.stem for form in FORMS] == ["bug", "model"]
    assert read(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["authors"]
    assert citation["version"] == lit_gans.__version__
    assert citation["license"] == project()["license"]


def test_security_says_how_to_report_and_invents_no_address():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "Report a vulnerability" in text and "weights_only=True" in text and "@" not in text


def test_the_readme_says_how_to_run_the_tests():
    """`.ci/run` runs that line."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if re.fullmatch(r"pip install .*&& pytest.*", line)]
