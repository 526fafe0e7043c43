"""What a turn costs: the whole default loop, scripted provider, SQLite on disk, 30 messages of history."""

import statistics
import tempfile
import time
from pathlib import Path

import anyio

from carrier_core.daemon import spare_collector
from carrier_core.host import Host
from carrier_core.logs import configure
from carrier_core.messages import Entity, Inbound, Room
from carrier_core.settings import LogSettings, load

CONFIG = """
[agents.tifa]
conversation_length = 30
[plugins]
enabled = [
    "carrier-provider-scripted", "carrier-memory-sqlite", "carrier-context-standard", "carrier-context-knowledge",
    "carrier-actions-standard", "carrier-actions-web", "carrier-evaluator-standard",
]
[policy]
trusted = ["carrier-context-standard", "carrier-context-knowledge", "carrier-evaluator-standard"]
[clients.terminal]
enabled = false
"""
TALK = (
    "I went to the market this morning and bought some apples",
    "what do you think about the weather in the mountains",
    "my brother repairs old radios in his garage",
    "tell me something about the sea",
    "yesterday we watched a film about lighthouse keepers",
    "Where do I live?",
)
HISTORY = 15  # turns, which makes 30 messages
SAMPLES = 15


async def say(host: Host, room: Room, person: Entity, number: int) -> str:
    """One message; returns the id of its turn."""
    text = TALK[number % len(TALK)]
    event = f"{room.native}/{number}"
    inbound = Inbound.say(room, person, f"{text} ({number})", event=event, at=time.time(), client="local")
    accepted = await host.accept(inbound)
    return accepted.heard[0].turn


async def batch(host: Host, places: list[tuple[Room, Entity]], first: int, each: int) -> tuple[float, list[float]]:
    """So many messages in every room, in turn; CPU milliseconds a turn and the wall milliseconds of each."""
    walls: list[float] = []

    async def one(room: Room, person: Entity) -> None:
        for number in range(first, first + each):
            result = await host.wait(await say(host, room, person, number))
            assert result["status"] == "replied", result
            walls.append(float(str(result["duration_ms"])))

    started = time.process_time()
    async with anyio.create_task_group() as group:
        for room, person in places:
            group.start_soon(one, room, person)
    return (time.process_time() - started) / (each * len(places)) * 1000, walls


async def cost(rooms: int, each: int) -> dict[str, float]:
    """CPU and wall a turn over so many rooms, after the history is there."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "carrier.toml"
        config.write_text(CONFIG)
        characters = Path(__file__).parents[2] / "config" / "characters"
        (Path(folder) / "characters").symlink_to(characters)
        places = [(Room.of("local", f"r{i}"), Entity.of("local", f"person{i}")) for i in range(rooms)]
        async with Host(load(config, {}), Path(folder) / "state", clients="none").running() as host:
            spare_collector()
            await batch(host, places, 0, HISTORY)
            cpus, walls = [], []
            for sample in range(SAMPLES):
                cpu, wall = await batch(host, places, HISTORY + sample * each, each)
                cpus.append(cpu)
                walls += wall
    walls.sort()
    return {
        "cpu_min": min(cpus),
        "cpu_p50": statistics.median(cpus),
        "cpu_p95": sorted(cpus)[-1],
        "wall_p50": walls[len(walls) // 2],
        "wall_p95": walls[int(len(walls) * 0.95)],
    }


def measure() -> dict[str, dict[str, object]]:
    """Measure over 100 rooms and in one."""
    configure(LogSettings(), least="warning")
    results: dict[str, dict[str, object]] = {}
    for name, rooms, each, goal in (("100_rooms", 100, 2, 2), ("1_room", 1, 40, 3)):
        costs = anyio.run(cost, rooms, each)
        for key, value in costs.items():
            kind = "CPU" if key.startswith("cpu") else "wall"
            entry: dict[str, object] = {"value": round(value, 3), "unit": f"ms {kind} a turn", "samples": SAMPLES}
            if key == "cpu_min":
                entry["goal"] = f"<= {goal}"
            results[f"turn_{name}_{key}_ms"] = entry
    return results
