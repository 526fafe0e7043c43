"""The laws of journals: the store in memory keeps them, and for each there is a journal that breaks it."""

from __future__ import annotations

from functools import partial

import anyio.lowlevel
import msgspec
import pytest

from carrier_core import Handled, Spending, Spent, Usage, encode
from carrier_core.testing import InMemoryStore
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.suites.outbox import OutboxLaws
from carrier_core.testing.suites.queue import QueueLaws
from carrier_core.testing.suites.schedules import ScheduleLaws
from carrier_core.testing.suites.spending import SpendingLaws
from carrier_core.testing.suites.steps import StepLaws
from carrier_core.testing.suites.turns import TurnLaws
from tests.trial import Trials, stores

replace = msgspec.structs.replace


class OfJournals(QueueLaws, TurnLaws, StepLaws, OutboxLaws, ScheduleLaws, SpendingLaws):
    @pytest.fixture
    def make_store(self):
        return stores()


TRIALS = Trials(OfJournals)
breaks = partial(TRIALS.breaks_store, OfJournals)


# --- the queue ---


@breaks("test_an_event_is_appended_once")
class Repeating(InMemoryJournal):
    def append(self, agent, room, dedupe_key, payload):
        return super().append(agent, room, f"{dedupe_key}/{payload}/{len(self.database.ledger)}", payload)


@breaks("test_every_agent_hears_the_same_event")
class OneEar(InMemoryJournal):
    def append(self, agent, room, dedupe_key, payload):
        return super().append("", room, dedupe_key, payload)


@breaks("test_numbers_follow_the_order_of_arrival")
class Racing(InMemoryJournal):
    async def append_inbound(self, agent, room, dedupe_key, payload):
        for _ in range(40 - int(payload or b"0")):
            await anyio.lowlevel.checkpoint()
        return await super().append_inbound(agent, room, dedupe_key, payload)


@breaks("test_a_payload_comes_back_byte_for_byte")
class TextOnly(InMemoryJournal):
    def append(self, agent, room, dedupe_key, payload):
        return super().append(agent, room, dedupe_key, payload.decode(errors="replace").encode())


@breaks("test_a_room_is_ready_as_long_as_there_is_work")
class ForgetsReplies(InMemoryJournal):
    async def ready(self):
        works = {place: await self.work(*place) for place in await super().ready()}
        return tuple(place for place, work in works.items() if work.turns or work.rows)


@breaks("test_the_turns_of_a_room_are_gone_on_with_in_order")
class BackOfTheQueue(InMemoryJournal):
    async def unpark(self, turn, epoch, answer, seq=None):
        self.database.turns[turn.id] = self.database.turns.pop(turn.id)
        return await super().unpark(turn, epoch, answer, seq)


@breaks("test_rows_are_discarded_and_rewritten")
class Unedited(InMemoryJournal):
    async def discard(self, agent, room, seqs, reason, rewritten=()):
        await super().discard(agent, room, seqs, reason)


@breaks("test_a_turn_takes_its_rows_and_those_that_it_supersedes")
class AnswersAll(InMemoryJournal):
    def _take(self, turn):
        super()._take(replace(turn, inbound=(*turn.superseded, *turn.inbound), superseded=()))


# --- whose a room is ---


@breaks("test_every_claim_has_a_higher_epoch")
class OneEpoch(InMemoryJournal):
    async def claim_room(self, agent, room, owner, lease):
        return 1


@breaks("test_a_room_is_its_owners_while_the_lease_lives")
class Open(InMemoryJournal):
    async def claim_room(self, agent, room, owner, lease):
        self.release()
        return await super().claim_room(agent, room, owner, lease)


@breaks("test_a_stale_epoch_writes_nothing")
class HalfFenced(InMemoryJournal):
    async def park(self, turn, epoch, parking, steps=(), parts=(), memories=(), outbox=()):
        self._remember(parts, memories)
        await super().park(turn, epoch, parking, steps, parts, memories, outbox)


# --- turns ---


@breaks("test_a_turn_is_opened_once")
class OpensAgain(InMemoryJournal):
    async def open_turn(self, turn, epoch, connection, memories):
        self.database.turns.pop(turn.id, None)
        return await super().open_turn(turn, epoch, connection, memories)


@breaks("test_a_turn_ends_with_all_that_it_brings")
class Careless(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        await super().complete(turn, epoch, memories, parts, outbox[:1])


@breaks("test_a_turn_ends_whole_or_not_at_all")
class Piecemeal(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        for memory in memories:
            encode(memory)
            self._memory.store((memory,))
        await super().complete(turn, epoch, memories, parts, outbox)


@breaks("test_completing_again_changes_nothing")
class EndsAgain(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        known = self.database.turns.get(turn.id)
        if known is not None and known.state == "finished":
            self.database.turns[turn.id] = replace(known, state="running")
        await super().complete(turn, epoch, memories, parts, outbox)


@breaks("test_finishing_adds_the_trace_and_what_was_learned")
class FinishesOnce(InMemoryJournal):
    async def finish(self, turn, epoch, memories, outbox):
        known = self.database.turns.get(turn.id)
        if known is None or known.state != "finished":
            await super().finish(turn, epoch, memories, outbox)


@breaks("test_only_a_turn_that_has_ended_is_finished")
class FinishesAll(InMemoryJournal):
    async def finish(self, turn, epoch, memories, outbox):
        self.database.turns.setdefault(turn.id, Handled(turn, "completed"))
        await super().finish(turn, epoch, memories, outbox)


@breaks("test_a_turn_is_gone_on_with_where_it_was")
class OverAndDone(InMemoryJournal):
    async def reopen(self, turn):
        found = self.database.turns.get(turn)
        return None if found is not None and found.state == "finished" else await super().reopen(turn)


@breaks("test_a_record_comes_back_whole")
class Reading(InMemoryJournal):
    async def turn(self, turn):
        found = await super().turn(turn)
        return found and replace(found, steps=found.steps[1:])


@breaks("test_a_turn_is_found_by_a_unique_beginning")
class Guessing(InMemoryJournal):
    async def turn(self, turn):
        return next((handled.record for key, handled in self.database.turns.items() if key.startswith(turn)), None)


@breaks("test_turns_are_listed_the_newest_first")
class LimitsFirst(InMemoryJournal):
    async def turns(self, *, agent="", room="", status="", limit=20):
        found = await super().turns(agent=agent, room=room, limit=limit)
        return tuple(turn for turn in found if status in ("", turn.outcome.status.value))


@breaks("test_a_part_is_stored_once_under_its_hash")
class Overwriting(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        for part in parts:
            self.database.parts.pop(part.digest, None)
        await super().complete(turn, epoch, memories, parts, outbox)


# --- steps ---


@breaks("test_a_step_is_recorded_once")
class LastStepCounts(InMemoryJournal):
    def _record(self, turn, steps, parts, memories):
        handled, names = self.database.turns[turn], {step.name for step in steps}
        kept = tuple(step for step in handled.record.steps if step.name not in names)
        self.database.turns[turn] = replace(handled, record=replace(handled.record, steps=kept))
        return super()._record(turn, steps, parts, memories)


@breaks("test_what_a_step_brings_is_stored_with_it")
class ParksLight(InMemoryJournal):
    async def park(self, turn, epoch, parking, steps=(), parts=(), memories=(), outbox=()):
        await super().park(turn, epoch, parking, steps, (), (), outbox)


@breaks("test_steps_stay_until_the_record_has_them")
class TakesWhatIsGiven(InMemoryJournal):
    def _change(self, turn, state, parking=None):
        super()._change(turn, state, parking)
        changed = replace(self.database.turns[turn.id], record=turn)
        self.database.turns[turn.id] = changed


@breaks("test_progress_resets_the_count_of_activations")
class GivesUpEarly(InMemoryJournal):
    def _record(self, turn, steps, parts, memories):
        before = self.database.turns[turn].activations
        found = super()._record(turn, steps, parts, memories)
        self.database.turns[turn] = replace(self.database.turns[turn], activations=before)
        return found


@breaks("test_an_intent_goes_when_its_step_is_recorded")
class ByStepAlone(InMemoryJournal):
    def _record(self, turn, steps, parts, memories):
        found = super()._record(turn, steps, parts, memories)
        for key, intent in [*self.database.intents.items()]:
            if intent.step in {step.name for step in steps}:
                del self.database.intents[key]
        return found


@breaks("test_a_turn_that_ends_intends_nothing")
class StillMeansTo(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        intents = dict(self.database.intents)
        await super().complete(turn, epoch, memories, parts, outbox)
        self.database.intents.update(intents)


@breaks("test_an_effect_in_doubt_waits_for_a_person")
class ClearsUp(InMemoryJournal):
    async def finish(self, turn, epoch, memories, outbox):
        await super().finish(turn, epoch, memories, outbox)
        for key in [key for key, intent in self.database.intents.items() if intent.turn == turn.id]:
            del self.database.intents[key]


# --- parking ---


@breaks("test_a_parked_turn_leaves_the_queue")
class KeepsItsPlans(InMemoryJournal):
    async def park(self, turn, epoch, parking, steps=(), parts=(), memories=(), outbox=()):
        intents = dict(self.database.intents)
        await super().park(turn, epoch, parking, steps, parts, memories, outbox)
        self.database.intents.update(intents)


@breaks("test_an_answer_lets_a_parked_turn_run_on")
class AnswersTwice(InMemoryJournal):
    async def unpark(self, turn, epoch, answer, seq=None):
        return await super().unpark(turn, epoch, answer)


@breaks("test_an_answer_to_another_question_is_nobodys")
class AnyAnswer(InMemoryJournal):
    async def unpark(self, turn, epoch, answer, seq=None):
        known = self.database.turns.get(turn.id)
        if known is not None and known.parking is not None:
            answer = replace(answer, name=known.parking.step)
        return await super().unpark(turn, epoch, answer, seq)


@breaks("test_a_parked_turn_may_end")
class WaitsForever(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        parking = self.database.turns[turn.id].parking
        await super().complete(turn, epoch, memories, parts, outbox)
        self.database.turns[turn.id] = replace(self.database.turns[turn.id], parking=parking)


# --- the outbox ---


@breaks("test_reply_parts_are_kept_in_order")
class ByNumber(InMemoryJournal):
    async def outbox(self, *, agent="", turn="", states=(), limit=100):
        found = await super().outbox(agent=agent, turn=turn, states=states, limit=limit)
        return tuple(sorted(found, key=lambda post: post.part.number))


@breaks("test_a_delivery_is_noted")
class Anywhere(InMemoryJournal):
    async def deliver(self, agent, room, epoch, outbox):
        await anyio.lowlevel.checkpoint()
        self._fence(agent, room, epoch)
        self.database.settle(outbox)


@breaks("test_a_part_is_put_into_the_outbox_once")
class SendsAgain(InMemoryJournal):
    def _post(self, outbox):
        self.database.outbox.update({post.part.key: post for post in outbox})


# --- schedules ---


@breaks("test_a_schedule_is_kept_until_it_is_cancelled")
class FirstScheduleCounts(InMemoryJournal):
    async def schedule(self, schedule):
        if schedule.id not in self.database.schedules:
            await super().schedule(schedule)


@breaks("test_schedules_are_due_when_their_slot_has_come")
class Late(InMemoryJournal):
    async def due(self, now, *, limit=100):
        return await super().due(now - 0.5, limit=limit)


@breaks("test_a_slot_happens_once")
class TooOften(InMemoryJournal):
    async def fire(self, schedule, payload, next_at):
        known = self.database.schedules.get(schedule.id)
        self.database.ledger.clear()
        return await super().fire(
            schedule if known is None else replace(schedule, next_at=known.next_at), payload, next_at
        )


@breaks("test_a_slot_may_be_skipped_or_the_last")
class EmptyRow(InMemoryJournal):
    async def fire(self, schedule, payload, next_at):
        return await super().fire(schedule, payload or b"null", next_at)


# --- spending ---


@breaks("test_room_is_taken_up_to_the_bound_and_no_further")
class LeavesSomeRoom(InMemoryJournal):
    async def hold(self, hold):
        return await super().hold(replace(hold, estimate=hold.estimate + Usage(1, cost=1)))


@breaks("test_a_call_is_held_in_all_counters_or_in_none")
class HoldsWhatItCan(InMemoryJournal):
    async def hold(self, hold):
        lacking = await super().hold(hold)
        if lacking:
            await super().hold(replace(hold, charges=tuple(each for each in hold.charges if each not in lacking)))
        return lacking


@breaks("test_what_a_call_can_use_at_most_is_held")
class HoldsTheEstimate(InMemoryJournal):
    async def hold(self, hold):
        return await super().hold(replace(hold, most=None))


@breaks("test_there_has_to_be_room_for_the_estimate")
class AsksForTheMost(InMemoryJournal):
    async def hold(self, hold):
        return await super().hold(replace(hold, estimate=hold.most or hold.estimate))


@breaks("test_a_hold_is_made_once")
class HoldsAgain(InMemoryJournal):
    async def hold(self, hold):
        self.database.holds.pop(hold.key, None)
        return await super().hold(hold)


@breaks("test_calls_at_one_time_never_take_the_same_room")
class LooksFirst(InMemoryJournal):
    async def hold(self, hold):
        lacking = Spending(dict(self.database.counters), dict(self.database.holds)).hold(hold)
        boundless = tuple(replace(each, most_tokens=None, most_cost=None) for each in hold.charges)
        return lacking or await super().hold(replace(hold, charges=boundless))


@breaks("test_a_settlement_takes_the_place_of_its_hold")
class NeverLetsGo(InMemoryJournal):
    async def settle(self, settlements):
        await super().settle(tuple(replace(each, key="unknown") for each in settlements))


@breaks("test_uses_are_bounded_too")
class CountsNoUses(InMemoryJournal):
    async def hold(self, hold):
        return await super().hold(replace(hold, charges=tuple(replace(each, most_calls=None) for each in hold.charges)))


@breaks("test_what_is_said_on_the_way_waits_as_the_turn_goes_on")
class SaysItLater(InMemoryJournal):
    async def record_steps(self, turn, epoch, steps, parts=(), memories=(), outbox=()):
        return await super().record_steps(turn, epoch, steps, parts, memories)


@breaks("test_calls_are_counted_without_a_hold")
class CountsWhatWasHeld(InMemoryJournal):
    async def settle(self, settlements):
        await super().settle(tuple(each for each in settlements if each.key in self.database.holds))


@breaks("test_a_counter_that_is_named_twice_counts_once")
class CountsEveryCharge(InMemoryJournal):
    async def settle(self, settlements):
        await super().settle(tuple(replace(each, charges=(one,)) for each in settlements for one in each.charges))


@breaks("test_counters_are_found_by_how_they_begin")
class LooksAtLetters(InMemoryJournal):
    async def spent(self, *, scope=(), window="", limit=10_000):
        found = await super().spent(window=window)
        return tuple(each for each in found if "/".join(each.scope).startswith("/".join(scope)))[:limit]


@breaks("test_counters_go_when_their_time_has_passed")
class HoldsOn(InMemoryJournal):
    async def expire_spent(self, now):
        holds = dict(self.database.holds)
        count = await super().expire_spent(now)
        self.database.holds.update(holds)
        return count


@breaks("test_what_was_spent_is_spent_when_it_is_opened_again")
class FreshStart(InMemoryJournal):
    def release(self):
        super().release()
        self.database.holds.clear()


@breaks("test_an_archive_brings_back_what_was_spent")
class HeldTwice(InMemoryStore):
    async def restore(self, entries):
        counters = self._memory.database.counters
        new = [each for each in entries if isinstance(each, Spent) and each.counter not in counters]
        counters.update({each.counter: each for each in new})
        return len(new) + await super().restore(entries)


@breaks("test_a_forgotten_person_is_in_no_counter")
class LosesTotals(InMemoryStore):
    async def forget_person(self, entity):
        database = self._memory.database
        Spending(database.counters, database.holds).drop({key for key in database.counters if entity in key[0]})
        return {"counters": 3} | await super().forget_person(entity)


TestLaws = TRIALS.tests()
