import socket

from tests.checks.making import Looking, closed_port, serving, silent


async def test_an_open_port_is_fine_and_its_value_is_the_time_to_connect(looking: Looking) -> None:
    async with serving(silent) as port:
        seen = await looking.look(kind="tcp", host="127.0.0.1", port=port)
    assert (seen.state, seen.unit) == ("ok", "ms")
    assert seen.value is not None
    assert 0 < seen.value <= seen.latency_ms
    assert seen.message == f"127.0.0.1:{port} takes connections"


async def test_a_name_is_tried_at_each_of_its_addresses(looking: Looking) -> None:
    async with serving(silent) as port:  # on 127.0.0.1 alone; localhost may be ::1 first
        seen = await looking.look(kind="tcp", host="localhost", port=port)
    assert seen.state == "ok"


async def test_a_refused_connection_is_critical(looking: Looking) -> None:
    with closed_port() as port:
        seen = await looking.look(kind="tcp", host="127.0.0.1", port=port)
    assert (seen.state, seen.value) == ("critical", None)
    assert seen.message == f"127.0.0.1:{port} refuses connections"


async def test_no_answer_in_time_is_an_outage(looking: Looking) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        seen = await looking.look(kind="tcp", host="127.0.0.1", port=port, timeout="100ms")
        for one in crowd:
            one.close()
    assert (seen.state, seen.value) == ("critical", None)
    assert seen.message == "no answer within 100ms"


async def test_a_name_nobody_knows_is_said_to_be_the_name(looking: Looking) -> None:
    seen = await looking.look(kind="tcp", host="no-such-host.invalid", port=1)
    assert seen.state in {"critical", "nodata"}  # nodata where this machine has no resolver
    assert "the name of no-such-host.invalid:1" in seen.message


async def test_a_name_that_cannot_be_one_is_not_known(looking: Looking) -> None:
    for n, host in enumerate(("a..b", "x" * 70 + ".example")):
        seen = await looking.look(f"n{n}", kind="tcp", host=host, port=1)
        assert (seen.state, seen.message) == ("critical", f"the name of {host}:1 is not known")
