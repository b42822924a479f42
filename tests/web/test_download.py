"""What a step wrote, as a file: whole, as it was written, and for those who may see the run."""

import sqlalchemy as sa

from opsbook.runs.tables import attempt, output, step
from tests.web.conftest import Enter
from tests.web.rig import Rig

PIECES = 30


async def test_a_long_output_is_sent_in_pieces_and_arrives_whole(
    trouble: Rig, enter: Enter
) -> None:
    def write(tx):  # type: ignore[no-untyped-def]
        made = tx.insert(
            step, run_id=2, position=90, key="move[1]", title="Move", kind="bash", effect="read",
            state="failed",
        )  # fmt: skip
        for number in (1, 2):
            tried = tx.insert(
                attempt, run_id=2, step_id=made, number=number, epoch=1, state="failed",
                intended_at=trouble.clock.now(),
            )  # fmt: skip
            for piece in range(PIECES):
                text = f"\x1b[31mtry {number} <b> 줄 {piece}\x1b[0m\n"
                tx.insert(output, attempt_id=tried, start=piece * 1000, text=text)

    await trouble.database.write(write)
    operator = await enter(trouble)
    answer = await operator.client.get("/runs/2/steps/move%5B1%5D/output.txt")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="run-2-move-1-2.txt"'
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    lines = answer.text.splitlines()
    assert lines == [f"\x1b[31mtry 2 <b> 줄 {piece}\x1b[0m" for piece in range(PIECES)]
    first = await operator.client.get("/runs/2/steps/move%5B1%5D/output.txt?attempt=1")
    assert first.text.startswith("\x1b[31mtry 1")
    for wrong in ("?attempt=3", "?attempt=0", "?attempt=x"):
        refused = await operator.client.get(f"/runs/2/steps/move%5B1%5D/output.txt{wrong}")
        assert refused.status_code in (404, 422)
    page = await operator.see("/runs/2")
    assert '<span class="red">try 2 &lt;b&gt; 줄 29</span>' in page


async def test_a_step_that_has_not_run_has_no_output(trouble: Rig, enter: Enter) -> None:
    def find(tx):  # type: ignore[no-untyped-def]
        ran = sa.select(attempt.c.step_id)
        mine = sa.select(step.c.key).where(step.c.run_id == 2, step.c.id.not_in(ran))
        return tx.scalar(mine)

    key = await trouble.database.read(find)
    operator = await enter(trouble)
    answer = await operator.client.get(f"/runs/2/steps/{key}/output.txt")
    assert answer.status_code == 404
    assert "has not run yet" in answer.text
