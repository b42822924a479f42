"""A server killed while it starts a step: either nothing of the step runs, or its end is known."""

import subprocess
import sys
from pathlib import Path

import pytest

from opsbook.runs.supervisor import Finished, Gone, Running, find

DYING = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
from opsbook.runs.supervisor import Spawner, StepRequest

async def main(folder, delay):
    spawner = Spawner()
    await spawner.start()
    await asyncio.sleep(0.2)
    def die():
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=die).start()
    await spawner.spawn(StepRequest(
        attempt_id="1", scratch=folder / "step", argv=["bash"], script=f"echo ran >> {folder}/ran",
        env={"PATH": "/usr/bin:/bin"}, timeout_s=10,
    ))
    await asyncio.sleep(5)

asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
"""


@pytest.mark.parametrize("microseconds", [0, 300, 600, 900, 1200, 1500, 2000, 3000, 5000])
async def test_a_step_that_ran_has_an_end_that_is_known(tmp_path: Path, microseconds: int) -> None:
    delay = str(microseconds / 1e6)
    subprocess.run([sys.executable, "-c", DYING, tmp_path, delay], check=False, timeout=30)
    found = await find(tmp_path / "step")
    if isinstance(found, Running):
        outcome = await found.step.outcome()
        assert outcome.outcome == "succeeded"
        await found.step.acknowledge()
    else:
        assert isinstance(found, Finished | Gone)
    ran = (tmp_path / "ran").exists()
    assert ran is not isinstance(found, Gone)
