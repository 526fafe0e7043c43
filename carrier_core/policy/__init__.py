"""Policy: whether an action call may happen. The one place where this is decided, on every path that leads to an effect.

:func:`judge` looks at a :class:`Case`, all that counts of one call: who asked, in which room, with which arguments, and whose
words were before the model that asked for it. Rules of the operator go first. Where none fits, these are the defaults:

=========  ====================================================  ==========================================================
effect     all in the prompt is the operator's, the agent's or   something in it is from outside, or somebody else's
           the person's own
=========  ====================================================  ==========================================================
read       allowed; one that goes somewhere asks, unless the     the same, but the place has to be in this message or on
           person, or the operator's list, named the place       the list, and what it tells the place in this message
write      allowed                                               asks, unless the person asked for just that
external   asks, unless the person, or the operator's list,      asks, unless the person asked for just that
           named where it goes, or the person asked for just
           that
spend      asks                                                  asks
=========  ====================================================  ==========================================================

"Just that" is a clause of the message that is being answered which begins with the action's name, or a simile, and has behind it
the arguments and nothing else (:mod:`carrier_core.policy.clauses`). What would be said in another room has to be known to everyone
there, or be just that; or, where nothing in the prompt is from elsewhere, have only words of this message.
"""

from carrier_core.policy.case import Case
from carrier_core.policy.judgement import judge
from carrier_core.policy.words import Words, plain, visible

__all__ = ["Case", "Words", "judge", "plain", "visible"]
