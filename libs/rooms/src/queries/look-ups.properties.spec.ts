import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import type { RoomEvent } from '#protocol/room-event';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { type HistoryVisibility, historyVisibilityOf } from '../facts/room-facts.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import type { RoomReader } from '../reading/room-reader.js';
import { findEventByTime } from './find-event-by-time.js';
import { getContext } from './get-context.js';
import { getEvent, getEventAnywhere } from './get-event.js';
import { listMessages } from './list-messages.js';
import { listRelations } from './list-relations.js';
import { listThreads } from './list-threads.js';
import { renderEvents } from './render-event.js';

const CAROL = '@carol:b.example' as UserId;
const ERIN = '@erin:a.example' as UserId;

/** What becomes of an event of another server. */
const OUTCOMES = ['news', 'news', 'past', 'pdu-soft-failed', 'pdu-rejected', 'outlier'] as const;
type Outcome = (typeof OUTCOMES)[number];

interface Step {
  readonly who: 'bob' | 'alice' | 'carol';
  /** Carol's events stand on any there has been; what relates to another, to any. */
  readonly on: number;
  readonly what: 'say' | 'visibility' | 'redact';
  readonly visibility: HistoryVisibility;
  readonly relates: 'm.thread' | 'm.reference' | 'm.replace' | undefined;
  readonly outcome: Outcome;
}

const step: fc.Arbitrary<Step> = fc.record({
  who: fc.constantFrom('bob', 'bob', 'alice', 'carol', 'carol', 'carol'),
  on: fc.nat(30),
  what: fc.constantFrom('say', 'say', 'say', 'say', 'visibility', 'redact'),
  visibility: fc.constantFrom('joined', 'joined', 'invited', 'shared', 'world_readable'),
  relates: fc.constantFrom(undefined, 'm.thread', 'm.thread', 'm.reference', 'm.replace'),
  outcome: fc.constantFrom(...OUTCOMES),
});

/** What can become of Bob next, and who brings it about. */
const LIFE: Readonly<Record<string, readonly [membership: string, by: UserId]>> = {
  leave: ['invite', ALICE],
  invite: ['join', BOB],
  join: ['leave', BOB],
};

class Life {
  readonly log = new MemoryEventStore();
  readonly views = new RoomViews(this.log);
  room!: LocalRoom;
  others!: ForkedRoom;
  /** Those that may be shown to somebody, and those that never may. */
  readonly accepted: RoomEvent[] = [];
  readonly refused: RoomEvent[] = [];
  readonly redacted = new Set<EventId>();
  #bob = 'leave';

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
    const [membership, by] = LIFE[this.#bob]!;
    this.accepted.push(await this.room.setMembership(BOB, membership, by));
    this.#bob = membership;
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

/** All that a reader is told by whatever look-up there is. */
class Answers {
  readonly ids = new Set<EventId>();
  readonly texts: string[] = [];

  constructor(
    private readonly life: Life,
    private readonly userId: UserId,
  ) {}

  async ask(): Promise<this> {
    const { views, room } = this.life;
    const { roomId } = room;
    const reader = { userId: this.userId, ignored: new Set<UserId>() };
    for (const { eventId, originServerTs } of [...this.life.accepted, ...this.life.refused]) {
      await this.#try(async () => {
        const { room: there, row } = await getEvent(views, roomId, eventId, reader);
        await this.#tell(there, [row]);
      });
      await this.#try(async () => {
        const { room: there, row } = await getEventAnywhere(views, eventId, reader);
        await this.#tell(there, [row]);
      });
      await this.#try(async () => {
        const { room: there, event, before, after } = await getContext(views, roomId, eventId, reader, 10, {});
        await this.#tell(there, [event, ...before, ...after]);
      });
      for (const recurse of [false, true])
        await this.#try(async () => {
          const page = { direction: 'b', limit: 50, recurse } as const;
          const { room: there, rows } = await listRelations(views, roomId, eventId, reader, page);
          await this.#tell(there, rows);
        });
      for (const direction of ['b', 'f'] as const)
        await this.#try(async () => {
          const found = await findEventByTime(views, roomId, reader, originServerTs, direction);
          this.ids.add(found.eventId);
        });
    }
    for (const direction of ['b', 'f'] as const)
      await this.#try(async () => {
        const open = await openRoom(views, roomId, reader, 'events');
        await this.#tell(open.room, (await listMessages(open, { direction, limit: 100 })).rows);
      });
    await this.#try(async () => {
      const { room: there, roots } = await listThreads(views, roomId, reader, { limit: 50, participated: false });
      await this.#tell(there, roots);
    });
    return this;
  }

  async #try(ask: () => Promise<void>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      expect(error).toMatchObject({ errcode: expect.stringMatching(/^M_(NOT_FOUND|FORBIDDEN)$/) });
    }
  }

  async #tell(room: RoomReader, rows: readonly TimelineRow[]): Promise<void> {
    for (const { header } of rows) this.ids.add(header.eventId);
    this.texts.push(...(await renderEvents(rows, { room, now: 0, bundled: {} })));
  }
}

describe('whatever is looked up of a room that forks, by whomever', () => {
  it('tells nothing of what was refused, was redacted, or is not theirs to see', async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
      const life = new Life();
      await life.begin();
      for (const one of steps) await life.take(one);
      await life.views.follow();
      await life.others.extremities();
      for (const userId of [ALICE, BOB, ERIN]) {
        const { ids, texts } = await new Answers(life, userId).ask();
        const text = texts.join('\n');
        const seen = life.accepted.filter((event) => life.maySee(event, userId));
        for (const event of [...life.accepted, ...life.refused]) {
          const may = seen.includes(event);
          if (!may) expect([userId, ids.has(event.eventId)]).toEqual([userId, false]);
          const { body } = event.content;
          const isTold = typeof body === 'string' && text.includes(`"${body}"`);
          if (!may || life.redacted.has(event.eventId)) expect([userId, body, isTold]).toEqual([userId, body, false]);
        }
        // Who was there all along is shown all that was accepted.
        if (userId === ALICE) expect(seen.every(({ eventId }) => ids.has(eventId))).toBe(true);
      }
    });
    await fc.assert(property, { numRuns: Number(process.env['ANNALS_LOOK_UPS'] ?? 10) });
  });
});
