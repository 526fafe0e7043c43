from carrier_core import State, impl


@impl
async def provide_state(turn):
    return State.of(weather=f"It rains where {turn.person.name} is.")
