"""How tests ask the interface, and what every refusal has to be."""

import json

import httpx2


class Caller(httpx2.Client):
    """A client with a token, at the root of the interface."""

    def __init__(self, shop, token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=f"{shop.url}/api/v1", headers=headers, timeout=60)

    def start(self, runbook, **more):
        answer = self.post("/runs", json={"runbook": runbook, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def until(self, run, state):
        """Follow a run's stream until it has a state, and return it as it then is."""
        with self.stream("GET", f"/runs/{run}/stream") as stream:
            for event, data, _ in events(stream):
                if event == "run" and data["state"] == state:
                    return data
        raise AssertionError(f"run {run} was never {state}")


def events(stream):
    """The events of a stream as (kind, data, id)."""
    found = {}
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if not line and "data" in found:
            yield found["event"], json.loads(found["data"]), found.get("id")
            found = {}
        elif name:
            found[name] = value


def assert_problem(answer, status):
    """A refusal is a problem of RFC 9457 that says what is wrong."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:opsbook:problem:")
    assert problem["title"]
    assert problem["detail"]
    return problem
