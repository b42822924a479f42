"""Healthy and ready: without sign-in, in words, and not more than anybody may know."""

from tests.web.rig import Rig, client


async def test_a_server_that_works_says_so_to_anybody(calm: Rig) -> None:
    async with client(calm) as nobody:
        for path, word in (("/-/healthy", "healthy\n"), ("/-/ready", "ready\n")):
            answer = await nobody.get(path)
            assert (answer.status_code, answer.text) == (200, word)
            assert (await nobody.head(path)).status_code == 200
        answer = await nobody.get("/-/ready", headers={"Accept": "application/json"})
        assert answer.json() == {"state": "ready", "troubles": []}


async def test_ready_names_the_loop_that_fails_and_keeps_its_words_to_itself(calm: Rig) -> None:
    calm.loops.add("rules", None)  # type: ignore[arg-type]
    calm.loops.loops["rules"].failures = 3
    calm.loops.loops["rules"].error = "OperationalError: password of the database is 1234"
    async with client(calm) as nobody:
        answer = await nobody.get("/-/ready")
        assert answer.status_code == 503
        assert "the loop rules has failed 3 times (OperationalError)" in answer.text
        assert "1234" not in answer.text
        assert (await nobody.get("/-/healthy")).status_code == 200
