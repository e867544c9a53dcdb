"""A stand-in for the server of Weights & Biases: as much of it as the real client and its agent ask for.

It speaks GraphQL over HTTP on this machine, keeps what runs report (configuration, history, files, artifacts) and gives
agents a list of commands. The search of the real server is not here: a test says what is tried.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789" * 4  # made up, of the length of a real key
ENTITY = "somebody"
_VIEWER = {"id": "VXNlcg==", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "email": "", "flags": "{}"}
_WHEN = "2026-01-01T00:00:00"


class Run:
    """All that one run has sent."""

    def __init__(self, name: str, project: str) -> None:
        self.name, self.project = name, project
        self.config: dict[str, Any] = {}
        self.lines: dict[str, list[str]] = {}  # of each file that grows, by its name
        self.files: dict[str, bytes] = {}  # uploaded ones
        self.exit_code: int | None = None
        self.sweep: str | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logged rows."""
        return [json.loads(line) for line in self.lines.get("wandb-history.jsonl", [])]

    def values(self, name: str) -> list[Any]:
        """All that was logged by one name."""
        return [row[name] for row in self.history if name in row]


class Artifact:
    """One version of an artifact: its files by their names in it."""

    def __init__(self, number: int, project: str, asked: dict[str, Any]) -> None:
        self.id, self.project, self.name = f"artifact-{number}", project, asked["artifactCollectionNames"][0]
        self.digest, self.metadata = asked["digest"], asked.get("metadata")
        self.aliases = [each["alias"] for each in asked.get("aliases") or []]
        self.index = 0
        self.manifest: dict[str, Any] = {}
        self.committed = False


class Server:
    """The stand-in, from ``with Server() as server`` on.

    Args:
        trials: the parameters of each run that agents are told to start, in this order.
        stop: says of a run, whenever an agent reports, whether the server ends it early.
    """

    def __init__(self, trials: list[dict[str, Any]] | None = None, stop: Any = lambda run: False) -> None:
        self.trials, self.stop = list(trials or []), stop
        self.runs: dict[str, Run] = {}
        self.artifacts: list[Artifact] = []
        self.sweeps: dict[str, dict[str, Any]] = {}
        self.stopped: list[str] = []
        self.operations: list[str] = []
        self.unknown: list[str] = []
        self.others: list[str] = []  # paths of what is not needed here
        self.stored: dict[str, bytes] = {}  # what was uploaded, by its path
        self.given: list[str] = []  # runs that agents were told to start
        self.lock = threading.RLock()

    def __enter__(self) -> "Server":
        handler = type("Handler", (_Handler,), {"server_of": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.http.shutdown()
        self.http.server_close()

    # ---------------------------------------------------------------- GraphQL

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data for one operation; every operation that is known is a method of its name."""
        found = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
        name = found[1] if found else query.strip()[:40]
        with self.lock:
            self.operations.append(name)
            method = getattr(self, f"on_{name}", None)
            if method is None:
                self.unknown.append(name)
                return {}
            return method(variables)

    def on_ServerFeaturesQuery(self, _: Any) -> Any:
        return {"serverInfo": {"features": []}}

    def on_Viewer(self, _: Any) -> Any:
        return {"viewer": {**_VIEWER, "teams": {"edges": []}, "apiKeys": {"edges": []}}}

    on_GetViewer = on_GetDefaultEntity = on_Viewer

    def on_RunResumeStatus(self, asked: dict[str, Any]) -> Any:
        project = asked["project"] or "uncategorized"
        return {"model": {"id": project, "name": project, "entity": {"id": ENTITY, "name": ENTITY}, "bucket": None}}

    def on_UpsertBucket(self, asked: dict[str, Any]) -> Any:
        name = asked.get("name") or asked["id"]
        run = self.runs.setdefault(name, Run(name, asked.get("project") or "uncategorized"))
        if asked.get("config"):
            run.config = {key: each["value"] for key, each in json.loads(asked["config"]).items()}
        run.sweep = asked.get("sweep") or run.sweep
        project = {"id": run.project, "name": run.project, "entity": {"id": ENTITY, "name": ENTITY}}
        bucket = {"id": name, "name": name, "displayName": name, "description": "", "config": asked.get("config")}
        bucket |= {"sweepName": run.sweep, "project": project, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def on_CreateRunFiles(self, asked: dict[str, Any]) -> Any:
        files = [{"name": n, "uploadUrl": f"{self.url}/storage/run/{asked['run']}/{n}"} for n in asked["files"]]
        return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}

    def on_RunStoppedStatus(self, _: Any) -> Any:
        return {"project": {"run": {"stopped": False}}}

    def on_OrganizationCoreWeaveOrganizationID(self, _: Any) -> Any:
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    # ---------------------------------------------------------------- sweeps

    def on_UpsertSweep(self, asked: dict[str, Any]) -> Any:
        import yaml

        name = f"sweep{len(self.sweeps)}"
        project = asked["projectName"] or "uncategorized"
        self.sweeps[name] = {"text": asked["config"], "config": yaml.safe_load(asked["config"]), "project": project}
        owner = {"id": project, "name": project, "entity": {"id": ENTITY, "name": ENTITY}}
        return {"upsertSweep": {"sweep": {"name": name, "project": owner}, "configValidationWarnings": []}}

    def on_SweepWithRuns(self, asked: dict[str, Any]) -> Any:
        sweep = self.sweeps.get(asked["sweep"])
        if sweep is None:
            return {"project": {"sweep": None}}
        about = {"id": asked["sweep"], "name": asked["sweep"], "state": "RUNNING", "config": sweep["text"]}
        return {"project": {"sweep": {**about, "method": sweep["config"]["method"], "runs": {"edges": []}}}}

    def on_CreateAgent(self, asked: dict[str, Any]) -> Any:
        self.agent_of = asked["sweep"]
        return {"createAgent": {"agent": {"id": "agent"}}}

    def on_Heartbeat(self, asked: dict[str, Any]) -> Any:
        running = [name for name, alive in json.loads(asked["runState"]).items() if alive]
        commands = [
            {"type": "stop", "run_id": name} for name in running if name in self.runs and self.stop(self.runs[name])
        ]
        self.stopped += [each["run_id"] for each in commands if each["run_id"] not in self.stopped]
        if not running:
            commands = [self._next()]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _next(self) -> dict[str, Any]:
        if len(self.given) == len(self.trials):
            return {"type": "exit"}
        trial = self.trials[len(self.given)]
        self.given.append(f"trial{len(self.given)}")
        args = {name: {"value": value} for name, value in trial.items()}
        return {"type": "run", "run_id": self.given[-1], "program": "lit-gans", "args": args}

    # ---------------------------------------------------------------- artifacts

    def on_CreateArtifact(self, asked: dict[str, Any]) -> Any:
        asked = asked["input"]
        asked["artifactCollectionNames"] = asked.get("artifactCollectionNames") or [
            each["artifactCollectionName"] for each in asked["aliases"]
        ]
        made = Artifact(len(self.artifacts), asked["projectName"], asked)
        earlier = [each for each in self.artifacts if each.name == made.name]
        made.index = len(earlier)
        for each in earlier:  # an alias is of one version
            each.aliases = [alias for alias in each.aliases if alias not in made.aliases]
        self.artifacts.append(made)
        sequence = {"id": f"sequence-{made.name}", "latestArtifact": None, "name": made.name}
        created = {"id": made.id, "state": "PENDING", "artifactSequence": sequence, "digest": made.digest}
        return {"createArtifact": {"artifact": created}}

    def on_CreateArtifactManifest(self, asked: dict[str, Any]) -> Any:
        file = {"id": "file", "uploadUrl": f"{self.url}/storage/manifest/{asked['artifactID']}", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": asked["artifactID"], "file": file}}}

    def on_UpdateArtifactManifest(self, asked: dict[str, Any]) -> Any:
        path = f"manifest/{asked['artifactManifestID']}"
        file = {"id": "file", "uploadUrl": f"{self.url}/storage/{path}", "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": asked["artifactManifestID"], "file": file}}}

    def on_CreateArtifactFiles(self, asked: dict[str, Any]) -> Any:
        edges = []
        for file in asked["input"]["artifactFiles"]:
            path = f"artifact/{_hex(file['md5'])}"
            node = {"storagePath": path, "uploadUrl": f"{self.url}/storage/{path}", "uploadHeaders": []}
            node |= {"uploadMultipartUrls": None, "artifact": {"id": file["artifactID"]}}
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def on_CommitArtifact(self, asked: dict[str, Any]) -> Any:
        made = next(each for each in self.artifacts if each.id == asked["artifactID"])
        made.manifest = json.loads(self.stored[f"manifest/{made.id}"])
        made.committed = True
        return {"commitArtifact": {"artifact": {"id": made.id, "digest": made.digest}}}

    def find(self, name: str) -> Artifact | None:
        """The artifact of a name with an alias or a version, ``model-abc:best``."""
        collection, _, alias = name.partition(":")
        versions = [each for each in self.artifacts if each.name == collection and each.committed]
        return next((each for each in versions if alias in (*each.aliases, f"v{each.index}")), None)

    def on_ArtifactType(self, _: Any) -> Any:
        return {"project": {"artifact": None}}  # no artifact of this name, of whatever type

    def on_ArtifactMembershipByName(self, asked: dict[str, Any]) -> Any:
        found = self.find(asked["name"])
        if found is None:
            return {"project": {"artifactCollectionMembership": None}}
        membership = {"__typename": "ArtifactCollectionMembership", "id": "m", "versionIndex": found.index}
        membership |= {"aliases": [], "createdAt": _WHEN, "artifactCollection": self._collection(found)}
        membership["artifact"] = self._fragment(found)
        return {"project": {"artifactCollectionMembership": membership}}

    def _collection(self, found: Artifact) -> dict[str, Any]:
        project = {"id": "p", "internalId": "p", "name": found.project, "entity": {"name": ENTITY}}
        return {"__typename": "ArtifactSequence", "name": found.name, "project": project}

    def _fragment(self, found: Artifact) -> dict[str, Any]:
        plain = {"description": None, "metadata": found.metadata, "ttlDurationSeconds": -2, "ttlIsInherited": True}
        plain |= {"tags": [], "historyStep": 0, "state": "COMMITTED", "size": 1, "digest": found.digest}
        plain |= {"digestAlgorithm": "MANIFEST_MD5", "commitHash": None, "fileCount": 1, "createdAt": _WHEN}
        return {
            **plain,
            **{"__typename": "Artifact", "id": found.id, "artifactSequence": self._collection(found)},
            **{"versionIndex": found.index, "artifactType": {"name": "model"}, "updatedAt": _WHEN, "aliases": []},
        }

    def on_FetchArtifactManifest(self, asked: dict[str, Any]) -> Any:
        file = {"directUrl": f"{self.url}/storage/manifest/{asked['id']}"}
        return {"artifact": {"currentManifest": {"file": file}}}

    def on_GetArtifactMembershipFileUrls(self, asked: dict[str, Any]) -> Any:
        found = self.find(f"{asked['collection']}:{asked['alias']}")
        entries = found.manifest["contents"] if found else {}
        nodes = [
            {"__typename": "File", "name": name, "directUrl": f"{self.url}/storage/artifact/{_hex(entry['digest'])}"}
            for name, entry in entries.items()
        ]
        files = {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": [{"node": node} for node in nodes]}
        membership = {"artifactMembership": {"files": files}}
        return {"project": {"artifactCollection": {"__typename": "ArtifactSequence", **membership}}}

    # ---------------------------------------------------------------- what is not GraphQL

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """Takes in lines of growing files, and the exit code at the end."""
        with self.lock:
            kept = self.runs[run]
            for name, part in (body.get("files") or {}).items():
                lines = kept.lines.setdefault(name, [])
                if name == "wandb-summary.json":
                    lines[:] = part["content"]
                else:
                    lines[part["offset"] :] = part["content"]
            if body.get("complete"):
                kept.exit_code = body.get("exitcode")

    def store(self, path: str, data: bytes) -> None:
        """Keeps an uploaded file."""
        with self.lock:
            self.stored[path] = data
            if path.startswith("run/"):
                _, run, name = path.split("/", 2)
                self.runs[run].files[name] = data


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        allowed = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
        if not self.path.startswith(("/graphql", "/files/")):  # the client's figures about itself
            self.server_of.others.append(self.path)
            self._reply(404, b"{}")
        elif not allowed:
            self._reply(401, b'{"errors": [{"message": "API key verification failed"}]}')
        elif self.path == "/graphql":
            asked = json.loads(body)
            data = self.server_of.answer(asked["query"], asked.get("variables") or {})
            self._reply(200, json.dumps({"data": data}).encode())
        else:
            self.server_of.stream(self.path.split("/")[4], json.loads(body))
            self._reply(200, b"{}")

    def do_PUT(self) -> None:
        self.server_of.store(self.path.removeprefix("/storage/"), self._body())
        self._reply(200, b"")

    def do_GET(self) -> None:
        data = self.server_of.stored.get(self.path.removeprefix("/storage/"))
        self._reply(404 if data is None else 200, data or b"")

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        return body

    def _reply(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", hashlib.md5(data).hexdigest())
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def _hex(digest: str) -> str:
    """A digest in base64 as a name of a file."""
    return base64.b64decode(digest).hex()
