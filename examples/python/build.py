"""A build that tells how far it is: three components, compiled at the same time.

    fanfare serve &
    python3 examples/python/build.py     # and open http://127.0.0.1:8000/
"""
import asyncio
import random

import fanfare

SESSION = "example"
COMPONENTS = ("auth", "database", "web")


async def compile_component(name: str) -> None:
    for percent in range(0, 100, 20):
        await fanfare.broadcast_component_update(SESSION, name, "in_progress", percent)
        await fanfare.broadcast_terminal_output(SESSION, f"[{name}] step {percent // 20 + 1}/5\n",
                                                source=name)
        await asyncio.sleep(random.uniform(0.01, 0.05))
    await fanfare.broadcast_component_update(SESSION, name, "completed", 100)


async def main() -> None:
    done = 0
    await fanfare.broadcast_build_progress(SESSION, len(COMPONENTS), done)
    for finished in asyncio.as_completed([compile_component(name) for name in COMPONENTS]):
        await finished
        done += 1
        await fanfare.broadcast_build_progress(SESSION, len(COMPONENTS), done)
    await fanfare.broadcast_checkpoint_update(SESSION, "example_1", "done", list(COMPONENTS), [])
    await fanfare.close()


asyncio.run(main())
