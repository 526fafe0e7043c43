from carrier_core import Block, impl


@impl(guard=True)
async def transform_reply(reply):
    return Block("it names a password") if "password" in reply.text.lower() else None
