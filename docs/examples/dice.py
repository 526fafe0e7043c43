from carrier_core import Effect, action, impl


@action(effect=Effect.READ, own=True)
async def roll_dice(turn, sides: int = 6) -> str:
    """Roll a dice."""
    return f"It shows {turn.seed % sides + 1}."


@impl
def register_actions():
    return roll_dice
