"""Policy: whether an action call may happen. The one place where this is decided, on every path that leads to an effect.

:func:`judge` looks at a :class:`Case`, all that counts of one call: who asked, in which room, with which arguments, and whose
words were before the model that asked for it. Rules of the operator go first. Where none fits, these are the defaults:

=========  ====================================================  =================================================================
effect     all in the prompt is the operator's, the agent's or   something in it is from outside, or somebody else's
           the person's own
=========  ====================================================  =================================================================
read       allowed; one that goes somewhere asks, unless the     the same, but the place has to be in the message that is being
           person, or the operator's list, named the place       answered, or on the list
write      allowed                                               asks, unless the person named the action and said every argument
external   asks, unless the person, or the operator's list,      asks, unless the person named the action and said every argument
           named where it goes, or named the action and said
           every argument
spend      asks                                                  asks
=========  ====================================================  =================================================================

"Said" means in the message that is being answered, word for word, where something is from outside; before, it may have been
said earlier. Whatever is said elsewhere has to be known to everyone there, or to be the person's own words.
"""

from carrier_core.policy.case import Case
from carrier_core.policy.judgement import judge
from carrier_core.policy.words import Words, plain

__all__ = ["Case", "Words", "judge", "plain"]
