import * as fc from 'fast-check';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import type { RoomEvent } from '#protocol/room-event';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { type HistoryVisibility, historyVisibilityOf } from '../src/facts/room-facts.js';

/** Of another server: her events fork the room. */
export const CAROL = '@carol:b.example' as UserId;
/** Never in the room. */
export const ERIN = '@erin:a.example' as UserId;

/** What becomes of an event of another server. */
const OUTCOMES = ['news', 'news', 'past', 'pdu-soft-failed', 'pdu-rejected', 'outlier'] as const;
type Outcome = (typeof OUTCOMES)[number];

export interface Step {
  readonly who: 'bob' | 'alice' | 'carol';
  /** Carol's events stand on any there has been; what relates to another, to any. */
  readonly on: number;
  readonly what: 'say' | 'visibility' | 'redact';
  readonly visibility: HistoryVisibility;
  readonly relates: 'm.thread' | 'm.reference' | 'm.replace' | undefined;
  readonly outcome: Outcome;
}

/** What happens next, whatever was before. */
export const step: fc.Arbitrary<Step> = fc.record({
  who: fc.constantFrom('bob', 'bob', 'alice', 'carol', 'carol', 'carol'),
  on: fc.nat(30),
  what: fc.constantFrom('say', 'say', 'say', 'say', 'visibility', 'redact'),
  visibility: fc.constantFrom('joined', 'joined', 'invited', 'shared', 'world_readable'),
  relates: fc.constantFrom(undefined, 'm.thread', 'm.thread', 'm.reference', 'm.replace'),
  outcome: fc.constantFrom(...OUTCOMES),
});

/** What can become of Bob next, and who brings it about. */
const LIFE: Readonly<Record<string, readonly [membership: string, by?: UserId]>> = {
  leave: ['invite', ALICE],
  invite: ['join'],
  join: ['leave'],
};

/** A room of Alice's that forks, in which somebody comes and goes: Bob, or who takes his part. */
export class Life {
  readonly log = new MemoryEventStore();
  readonly views = new RoomViews(this.log);
  room!: LocalRoom;
  others!: ForkedRoom;
  /** Those that may be shown to somebody, and those that never may. */
  readonly accepted: RoomEvent[] = [];
  readonly refused: RoomEvent[] = [];
  readonly redacted = new Set<EventId>();
  #membership = 'leave';

  constructor(readonly bob: UserId = BOB) {}

  async begin(): Promise<void> {
    this.room = await LocalRoom.begin(this.log);
    await this.room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 100 } });
    await this.room.setState('m.room.join_rules', { join_rule: 'public' });
    await this.room.setState('m.room.history_visibility', { history_visibility: 'joined' });
    this.others = new ForkedRoom(this.log, this.room);
    this.accepted.push(await this.others.join(CAROL));
  }

  async take({ who, on, what, visibility, relates, outcome }: Step): Promise<void> {
    const target = this.accepted[on % this.accepted.length]!;
    if (what === 'redact') return this.#redact(target);
    if (who === 'bob') return this.#moveBob();
    const body = `body ${this.accepted.length} ${this.refused.length}.`;
    const relation = relates && { 'm.relates_to': { event_id: target.eventId, rel_type: relates } };
    const draft =
      what === 'visibility'
        ? { type: 'm.room.history_visibility', stateKey: '', content: { history_visibility: visibility, body } }
        : { type: 'm.room.message', content: { body, 'm.new_content': { body }, ...relation } as JsonObject };
    if (who === 'alice') {
      this.accepted.push(await this.room.send(draft));
      return;
    }
    const prevEvents = [target.eventId];
    const foreign = { ...draft, sender: CAROL, prevEvents };
    if (outcome === 'news') this.accepted.push(await this.others.receive(foreign));
    else if (outcome === 'past') this.accepted.push(await this.others.fetch(foreign));
    else if (outcome === 'outlier') this.refused.push(await this.others.storeOutlier(foreign));
    else {
      const told = outcome === 'pdu-rejected' ? { reason: 'none', check: 'state' } : {};
      this.refused.push(await this.others.receive(foreign, outcome, told));
    }
  }

  async #moveBob(): Promise<void> {
    const [membership, by] = LIFE[this.#membership]!;
    this.accepted.push(await this.room.setMembership(this.bob, membership, by ?? this.bob));
    this.#membership = membership;
  }

  async #redact(target: RoomEvent): Promise<void> {
    if (target.type !== 'm.room.message' || this.redacted.has(target.eventId)) return;
    await this.room.redact(target);
    this.redacted.add(target.eventId);
  }

  /** Whether the rules can let a reader see an event, by the state that was resolved for it; too much rather than too little. */
  maySee({ eventId, prevEvents, content, type, stateKey }: RoomEvent, userId: UserId): boolean {
    const { others, room } = this;
    const after = others.stateAfter(eventId);
    const before = resolveState(
      prevEvents.map((id) => others.stateAfter(id)),
      room.version,
      others,
    );
    const contentIn = (state: typeof after, key: string, of = ''): JsonObject => {
      const id = state.get(key, of);
      return id === undefined ? {} : others.get(id)!.content;
    };
    const seen = [historyVisibilityOf(contentIn(before, 'm.room.history_visibility'))];
    if (type === 'm.room.history_visibility') seen.push(historyVisibilityOf(content));
    const memberships = [contentIn(after, 'm.room.member', userId)['membership']];
    if (stateKey === userId) memberships.push(contentIn(before, 'm.room.member', userId)['membership']);
    const everIn = this.accepted.some((one) => one.stateKey === userId && one.content['membership'] === 'join');
    return (
      memberships.includes('join') ||
      seen.includes('world_readable') ||
      (seen.includes('shared') && (everIn || userId === ALICE)) ||
      (seen.includes('invited') && memberships.includes('invite'))
    );
  }
}
