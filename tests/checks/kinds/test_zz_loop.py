import asyncio
async def test_x(): assert "uvloop" in type(asyncio.get_running_loop()).__module__, type(asyncio.get_running_loop())
