"""A server on this machine that answers the hub's client as the Hugging Face Hub does, and keeps what it is sent."""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 39 + "1"
TOKEN = "hf_of_the_tests"


class Hub:
    """Files by repository, as ``hub.files["user/name"]["model.safetensors"]``."""

    def __init__(self):
        self.files, self.log, self.address = {}, [], ""

    @contextlib.contextmanager
    def running(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", **headers):
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                path = self.path.partition("?")[0].strip("/")
                hub.log.append(f"{self.command} {path}")
                if "/resolve/" in path:
                    repo, _, rest = path.partition("/resolve/")
                    return self.file(repo, rest.partition("/")[2])
                repo = path.removeprefix("api/models/").partition("/revision/")[0]
                if repo not in hub.files:
                    return self.answer(404, {"error": "none"}, X_Error_Code="RepoNotFound")
                siblings = [{"rfilename": name} for name in hub.files[repo]]
                return self.answer(200, {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings})

            def file(self, repo, name):
                if repo not in hub.files:
                    return self.answer(404, {"error": "none"}, X_Error_Code="RepoNotFound")
                if name not in hub.files[repo]:
                    return self.answer(404, {"error": "none"}, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
                body = hub.files[repo][name]
                return self.answer(200, body, ETag=f'"{hashlib.sha1(body).hexdigest()}"', X_Repo_Commit=COMMIT)

            def do_POST(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.partition("?")[0].strip("/")
                hub.log.append(f"POST {path}")
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    return self.answer(401, {"error": "Invalid username or password."})
                if path == "api/validate-yaml":
                    return self.answer(200, {"errors": [], "warnings": []})
                if path == "api/repos/create":
                    given = json.loads(sent)
                    repo = "/".join(filter(None, [given.get("organization"), given["name"]]))
                    known = repo in hub.files
                    hub.files.setdefault(repo, {})
                    return self.answer(409 if known else 200, {"url": f"{hub.address}/{repo}", "error": "there"})
                repo, _, what = path.removeprefix("api/models/").partition("/preupload/")
                if what:
                    names = [file["path"] for file in json.loads(sent)["files"]]
                    told = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
                    return self.answer(200, {"files": told})
                repo = path.removeprefix("api/models/").partition("/commit/")[0]
                for line in sent.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        hub.files[repo][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                return self.answer(
                    200, {"commitUrl": f"{hub.address}/{repo}/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
                )

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            self.address = f"http://127.0.0.1:{server.server_port}"
            yield self.address
        finally:
            server.shutdown()
            server.server_close()
