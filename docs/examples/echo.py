from carrier_core import Completion, Part, impl


@impl
async def generate(prompt):
    said = prompt.messages[-1].text
    return Completion((Part(f"You said: {said}"),))
