"""What people do with a run beyond answering it, by the interface and by the command line."""

import hashlib

import pytest

from tests.api.asking import Caller, assert_problem

REPLAYED = "Idempotency-Replayed"


@pytest.fixture(scope="module")
def lead(shop):
    return Caller(shop, shop.make_token("lead", "read", "run", "approve"))


@pytest.fixture(scope="module")
def viewer(shop):
    return Caller(shop, shop.make_token("viewer", "read", "run", "approve"))


@pytest.fixture(scope="module")
def asking(lead):
    """A run whose manual step waits."""
    run = lead.start("deploy")["id"]
    lead.until(run, "waiting")
    lead.post(f"/runs/{run}/approve", json={})
    with lead.stream("GET", f"/runs/{run}/stream") as stream:
        for line in stream.iter_lines():
            if '"kind":"person"' in line:
                break
    yield run
    lead.post(f"/runs/{run}/cancel", json={})


def story(lead, run):
    return lead.get("/audit", params={"thread": f"run:{run}"}).json()["entries"]


def test_a_comment_is_in_the_story_once(lead, asking):
    sent = {"json": {"text": "the disk was full"}, "headers": {"Idempotency-Key": "comment"}}
    assert lead.post(f"/runs/{asking}/comments", **sent).status_code == 200
    assert lead.post(f"/runs/{asking}/comments", **sent).headers[REPLAYED] == "true"
    assert [one["text"] for one in story(lead, asking)].count("the disk was full") == 1
    assert_problem(lead.post(f"/runs/{asking}/comments", json={"text": " "}), 422)
    assert_problem(lead.post("/runs/999999/comments", json={"text": "x"}), 404)


def test_a_run_is_taken_over_by_who_may_and_once(shop, lead, viewer):
    other = Caller(shop, (shop.data / "local.token").read_text())
    run = other.start("deploy")["id"]
    lead.until(run, "waiting")
    assert_problem(viewer.post(f"/runs/{run}/take-over", json={}), 403)
    assert_problem(other.post(f"/runs/{run}/take-over", json={}), 403)
    assert lead.post(f"/runs/{run}/take-over", json={"reason": "my shift"}).status_code == 200
    assert_problem(lead.post(f"/runs/{run}/take-over", json={}), 409)
    assert "run.taken_over" in [one["action"] for one in story(lead, run)]
    lead.post(f"/runs/{run}/cancel", json={})


def test_a_failed_run_is_resumed_with_a_reason_and_another_is_not(lead):
    failed = lead.start("fail")["id"]
    lead.until(failed, "failed")
    assert_problem(lead.post(f"/runs/{failed}/resume", json={}), 422)
    answer = lead.post(f"/runs/{failed}/resume", json={"reason": "the server is back"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] in {"queued", "running"}
    lead.until(failed, "failed")
    steps = lead.get(f"/runs/{failed}").json()["steps"]
    assert len(steps[0]["attempts"]) == 2
    done = lead.start("look")["id"]
    lead.until(done, "succeeded")
    assert_problem(lead.post(f"/runs/{done}/resume", json={"reason": "again"}), 409)


def test_a_run_is_repeated_as_a_new_one_and_once_for_a_key(lead):
    first = lead.start("greet", params={"name": "crew"})["id"]
    lead.until(first, "succeeded")
    sent = {"json": {"reason": "once more"}, "headers": {"Idempotency-Key": f"rerun-{first}"}}
    made, again = (lead.post(f"/runs/{first}/rerun", **sent) for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 200), made.text
    assert made.json()["id"] == again.json()["id"] != first
    assert again.headers[REPLAYED] == "true"
    assert made.headers["location"] == f"/api/v1/runs/{made.json()['id']}"
    assert made.json()["params"]["name"] == "crew"
    other = {**sent, "json": {"reason": "once more", "params": {"name": "others"}}}
    assert_problem(lead.post(f"/runs/{first}/rerun", **other), 409)
    assert_problem(lead.post(f"/runs/{first}/rerun", json={"reason": "x", "step": "none"}), 422)
    actions = [one["action"] for one in story(lead, made.json()["id"])]
    assert actions.count("run.rerun") == 1


def test_a_file_is_attached_listed_and_leaves_as_a_download(lead, asking):
    page = b"<script>alert(1)</script>"
    headers = {"File-Name": "%ED%99%94%EB%A9%B4.html", "Content-Type": "text/html"}
    address = f"/runs/{asking}/steps/tell/evidence"
    made = lead.post(address, content=page, headers=headers)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["name"], told["media_type"], told["step"]) == ("화면.html", "text/html", "tell")
    assert told["digest"] == hashlib.sha256(page).hexdigest()
    listed = lead.get(f"/runs/{asking}/evidence").json()["evidence"]
    assert [one["id"] for one in listed] == [told["id"]]
    got = lead.get(f"/evidence/{told['id']}")
    assert got.content == page
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["opsbook-media-type"] == "text/html"


def test_a_large_file_fits_and_one_that_is_too_large_does_not(lead, asking):
    address = f"/runs/{asking}/steps/tell/evidence"
    headers = {"File-Name": "log.txt", "Content-Type": "text/plain"}
    assert lead.post(address, content=b"x" * 3_000_000, headers=headers).status_code == 201
    answer = lead.post(address, content=b"x" * (5 * 2**20 + 1), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("../etc/passwd", b"x", 422), ("%2e%2e%2fx", b"x", 422), ("%00", b"x", 422),
        ("%ff", b"x", 422), ("a.txt", b"", 422), (None, b"x", 422),
    ],
)  # fmt: skip
def test_a_file_of_no_name_or_no_content_is_refused(name, body, status, lead, asking):
    headers = {"File-Name": name} if name else {}
    answer = lead.post(f"/runs/{asking}/steps/tell/evidence", content=body, headers=headers)
    assert_problem(answer, status)


def test_files_are_for_those_who_may_see_the_run(shop, lead, viewer, asking):
    headers = {"File-Name": "a.txt"}
    address = f"/runs/{asking}/steps/tell/evidence"
    made = lead.post(address, content=b"seen", headers=headers).json()["id"]
    assert viewer.get(f"/evidence/{made}").content == b"seen"
    assert_problem(viewer.post(address, content=b"mine", headers=headers), 403)
    stranger = Caller(shop, shop.make_token("stranger", "read", "run", "approve"))
    assert_problem(stranger.get(f"/evidence/{made}"), 404)
    assert_problem(stranger.get("/evidence/999999"), 404)
    assert_problem(lead.get("/evidence/999999"), 404)


# ---- webhooks -----------------------------------------------------------------------------------


def test_a_book_without_webhooks_has_none(lead):
    assert lead.get("/webhooks").json() == {"webhooks": []}
    assert_problem(lead.get("/webhooks/shop/bot/deliveries"), 404)
    assert_problem(lead.post("/webhooks/shop/bot/test"), 404)


# ---- the command line ---------------------------------------------------------------------------


def test_the_commands_do_what_the_interface_does(shop, lead, asking, tmp_path):
    assert shop.as_person("runs", "comment", str(asking), "by hand").status == 0
    assert "by hand" in [one["text"] for one in story(lead, asking)]
    file = tmp_path / "보고.txt"
    file.write_text("all well")
    done = shop.as_person("runs", "attach", str(asking), file, "--step", "tell")
    assert done.status == 0, done.err
    assert "보고.txt" in done.out
    names = [one["name"] for one in lead.get(f"/runs/{asking}/evidence").json()["evidence"]]
    assert "보고.txt" in names
    taken = shop.as_person("runs", "takeover", str(asking), "--reason", "shift")
    assert taken.status in {0, 1}, taken.err
    failed = lead.start("fail")["id"]
    lead.until(failed, "failed")
    assert shop.as_person("runs", "resume", str(failed)).status == 2
    assert shop.as_person("runs", "resume", str(failed), "--reason", "mended").status == 0
    lead.until(failed, "failed")
    again = shop.as_person("runs", "rerun", str(failed), "--reason", "anew", "-o", "json")
    assert again.status == 0, again.err
    assert again.json["id"] > failed
    lead.until(again.json["id"], "failed")
