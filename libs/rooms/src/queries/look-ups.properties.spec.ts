import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import { ALICE, BOB } from '#testing/local-room';
import { ERIN, Life, step } from '../../test/life-that-forks.js';
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
