import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PageParameters } from '#http/pagination';
import { formatStreamPlace } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { EventId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { TIMELINE } from '../projections/timeline-collections.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import { openRoom } from '../reading/open-room.js';
import { listMessages } from './list-messages.js';
import { listMessagesV1 } from './list-messages-v1.js';
import { parseTimelineBounds } from './timeline-places.js';

const CAROL = '@carol:b.example' as UserId;
const reader = { userId: ALICE, ignored: new Set<UserId>() };

let log: MemoryEventStore;
let room: LocalRoom;
let others: ForkedRoom;
let views: RoomViews;
/** Other servers' events stand on any of these. */
let known: EventId[];

beforeEach(begin);

async function begin(): Promise<void> {
  log = new MemoryEventStore();
  views = new RoomViews(log);
  room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  others = new ForkedRoom(log, room);
  known = [(await others.join(CAROL)).eventId];
}

const said = (parent: EventId, depth?: number) => ({
  sender: CAROL,
  type: 'm.room.message',
  content: {},
  prevEvents: [parent],
  ...(depth === undefined ? {} : { depth }),
});

/** What happens in a room: by us, by others anywhere in the graph and of whatever depth, or long ago. */
type Step = 'ours' | { readonly on: number; readonly depth?: number; readonly isPast?: boolean };

async function take(step: Step): Promise<void> {
  if (step === 'ours') known.push((await room.say('ours')).eventId);
  else {
    const draft = said(known[step.on % known.length]!, step.depth);
    const { eventId } = await (step.isPast === true ? others.fetch(draft) : others.receive(draft));
    known.push(eventId);
  }
}

function tokenAt(position: Position): string {
  return formatStreamPlace(views.history, { place: position, typing: NO_TYPING });
}

/** What was news in the room after a position, or up to it. */
async function news(side: 'after' | 'to', position: Position): Promise<EventId[]> {
  const rows = await TIMELINE.scan(views, { prefix: [room.roomId], [side]: [room.roomId, position], limit: 500 });
  return idsOf(rows.map(({ value }) => parseRow(value)));
}

const idsOf = (rows: readonly TimelineRow[]): EventId[] => rows.map(({ header }) => header.eventId);

async function page(
  direction: 'b' | 'f',
  ends: { readonly from?: Position; readonly to?: Position },
): Promise<EventId[]> {
  const tokenOf = (end: Position | undefined): string | undefined => end && tokenAt(end);
  const tokens = { from: tokenOf(ends.from), to: tokenOf(ends.to) };
  const bounds = await parseTimelineBounds(views, room.roomId, tokens, direction);
  const open = await openRoom(views, room.roomId, reader, 'events');
  return idsOf((await listMessages(open, { direction, limit: 500, ...bounds })).rows);
}

async function pageV1(more: Partial<PageParameters>): Promise<EventId[]> {
  const parameters = { from: undefined, to: undefined, limit: 500, dir: undefined, ...more };
  return idsOf((await listMessagesV1(views, room.roomId, reader, parameters)).rows);
}

describe('a page of which one end is a place of the log', () => {
  const step = fc.oneof(
    fc.constant<Step>('ours'),
    fc.record({ on: fc.nat(), depth: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }) }),
    fc.record({ on: fc.nat(), isPast: fc.constant(true) }),
  );

  it('has all that was news on its side of that, wherever it stands in the graph', async () => {
    const steps = fc.array(step, { maxLength: 8 });
    const property = fc.asyncProperty(steps, steps, async (before, after) => {
      await begin();
      for (const one of before) await take(one);
      const at = log.facts.at(-1)!.position;
      for (const one of after) await take(one);
      await views.follow();
      const token = tokenAt(at);
      const later = expect.arrayContaining(await news('after', at)) as EventId[];
      expect(await page('b', { to: at })).toEqual(later);
      expect(await page('f', { from: at })).toEqual(later);
      expect(await pageV1({ from: 'END', to: token })).toEqual(later);
      expect(await pageV1({ from: token, to: 'END' })).toEqual(later);
      expect(await pageV1({ dir: 'b', to: token })).toEqual(later);
      const earlier = expect.arrayContaining(await news('to', at)) as EventId[];
      expect(await page('b', { from: at })).toEqual(earlier);
      expect(await page('f', { to: at })).toEqual(earlier);
      expect(await pageV1({ from: token, to: 'START' })).toEqual(earlier);
      expect(await pageV1({ from: 'START', to: token })).toEqual(earlier);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it('has nothing else where nothing came late', async () => {
    for (const one of ['ours', 'ours'] as const) await take(one);
    const at = log.facts.at(-1)!.position;
    for (const one of ['ours', 'ours', 'ours'] as const) await take(one);
    await views.follow();
    const later = await news('after', at);
    expect((await page('b', { to: at })).toReversed()).toEqual(later);
    expect(await page('f', { from: at })).toEqual(later);
    expect(await page('f', { to: at })).toEqual(await news('to', at));
  });
});
