import { beforeAll, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { membershipProjector } from '#rooms/projections/membership.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import { roomMark, SHELVES, shelfOf } from '../projections/search-collections.js';
import { searchProjector } from '../projections/search.projector.js';
import type { TextKey } from '../projections/text-order.js';
import { soughtWordsOf } from '../words/words-of.js';
import { Matches } from './match-texts.js';
import { SearchEffort } from './search-effort.js';
import type { RoomShelf } from './shelf-search.js';

const LATEST = '9'.repeat(19) as Position;
const HIDDEN = 300;
const BEHIND = 40;

/** A room in which Bob was for a while, of whose texts before and after that he is shown none, whatever they say. */
let facts: StreamFact[];
let roomId: RoomId;

beforeAll(async () => {
  const log = new MemoryEventStore();
  const room = await LocalRoom.begin(log);
  ({ roomId } = room);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
  for (let i = 0; i < HIDDEN; i++) await room.say(`hidden before ${i}`);
  await room.setMembership(BOB, 'join');
  for (let i = 0; i < BEHIND; i++) await room.say(i % 3 === 0 ? `a comet, comets ${i}` : `something ${i}`);
  await room.setMembership(BOB, 'leave');
  for (let i = 0; i < HIDDEN; i++) await room.say(`hidden after ${i}`);
  facts = log.facts.map(({ stream, type, data }): StreamFact => ({ stream, type, data: JSON.parse(data) }));
}, 60_000);

/** What Bob finds, a page after another, and where each of these ends. */
async function pagesOf(hidden: (text: string, i: number) => string, effort: number): Promise<unknown[]> {
  let n = 0;
  const told = facts.map((fact) => {
    const text = JSON.stringify(fact.data).replace(/hidden (before|after) \d+/, (said) => hidden(said, n++));
    return { ...fact, data: JSON.parse(text) as object };
  });
  const store = new MemoryReadModels();
  const recorded = recordFacts(told);
  const reader = createRoomFactReader();
  for (const projector of [searchProjector(reader), membershipProjector(reader)])
    await applyFacts(
      projector,
      recorded.filter(({ type }) => projector.handles(type)),
      store,
      100,
    );
  const views = store as unknown as Views;
  const row = (await SHELVES.get(views, [shelfOf(roomMark(roomId), false)]))!;
  const shelf: RoomShelf = { roomId, isHistory: false, row, isIn: false };
  const sought = { words: soughtWordsOf('comet'), kinds: new Set(['body'] as const), senders: undefined, upTo: LATEST };
  const pages: unknown[] = [];
  let behind: TextKey | undefined;
  do {
    const by = { views, reader: { userId: BOB, ignored: new Set<never>() } };
    const page = new Matches(by, [shelf], { ...sought, behind }, new SearchEffort(effort));
    const found: Position[] = [];
    for (let match = await page.next(); match !== undefined; match = await page.next()) found.push(match.position);
    behind = page.place;
    pages.push([found, behind]);
  } while (behind !== undefined);
  return pages;
}

it('finds what was said while the reader was there, and by no page whether what they are not shown has the words, or others like them', async () => {
  for (const effort of [1, 20, 70, 1_000]) {
    const without = await pagesOf((said) => said, effort);
    const found = without.flatMap((page) => (page as [Position[]])[0]);
    expect(found).toHaveLength(Math.ceil(BEHIND / 3));
    for (const hidden of [() => 'a comet', (_: string, i: number) => `cometa${i}`])
      expect([effort, await pagesOf(hidden, effort)]).toEqual([effort, without]);
  }
}, 60_000);
