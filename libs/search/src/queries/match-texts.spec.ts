import { beforeAll, describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { numbersFrom } from '#testing/numbers-from';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import { roomMark, senderMark, SHELVES, shelfOf } from '../projections/search-collections.js';
import { searchProjector } from '../projections/search.projector.js';
import type { TextKey } from '../projections/text-order.js';
import { soughtWordsOf } from '../words/words-of.js';
import { Matches } from './match-texts.js';
import type { Match, RoomShelf, Sought } from './shelf-search.js';
import { SearchEffort } from './search-effort.js';

const ROOMS = ['!large:a.example', '!small:a.example', '!past:a.example', '!silent:a.example'] as RoomId[];
const SENDERS = ['@a:a.example', '@b:a.example'] as UserId[];
const WORDS = ['often', 'oftentimes', 'seldom', 'rarely', 'never'];
/** Is in all of these rooms. */
const READER = { userId: SENDERS[0]!, ignored: new Set<UserId>() };
const LATEST = '9'.repeat(19) as Position;

/** A text of a room as it was told to the projector. */
interface Told {
  readonly roomId: RoomId;
  readonly sender: UserId;
  readonly body: string;
  readonly position: Position;
}

let views: Views;
let shelves: RoomShelf[];
const told: Told[] = [];

/** Messages of several rooms, as they come: frequent words and rare ones, clocks that are wrong, a past that is fetched backwards. */
beforeAll(async () => {
  const log = new MemoryEventStore();
  const said = await (await LocalRoom.begin(log)).say('template');
  const template = log.facts.find(({ data }) => data.includes(said.eventId))!;
  const number = numbersFrom(7);
  const facts = Array.from({ length: 2_200 }, (_, i): StreamFact => {
    const roomId = ROOMS[i < 40 ? 3 : number(3) === 0 ? number(4) : 0]!;
    const isPast = roomId === ROOMS[2] ? number(4) > 0 : number(10) === 0;
    const body = [
      ...(number(3) > 0 ? [WORDS[number(2)]] : []),
      ...(number(3) === 0 ? [WORDS[2]] : []),
      ...(number(200) === 0 ? [WORDS[3]] : []),
      `number${i}`,
    ].join(' ');
    const data = JSON.parse(template.data) as { pdu: object };
    const time = isPast ? 1_000_000 - i * 10 + number(50) : 1_000_000 + i * 10 + number(number(20) === 0 ? 5_000 : 5);
    const pdu = {
      ...data.pdu,
      sender: SENDERS[number(2)],
      content: { msgtype: 'm.text', body },
      origin_server_ts: number(300) === 0 ? 1 : time,
    };
    const marks = isPast ? { history: true, origin: 'b.example' } : {};
    return {
      stream: `room-${roomId}`,
      type: 'pdu-accepted',
      data: { ...data, ...marks, event_id: `$${i}`, pdu },
      at: 1_000_000 + i * 10 - number(number(10) === 0 ? 300 : 1),
    };
  });
  const recorded = recordFacts(facts);
  const store = new MemoryReadModels();
  await applyFacts(searchProjector(createRoomFactReader()), recorded, store, 100);
  for (const { stream, data, position } of recorded) {
    const { pdu } = JSON.parse(data) as { pdu: { sender: UserId; content: { body: string } } };
    told.push({ roomId: stream.slice(5) as RoomId, sender: pdu.sender, body: pdu.content.body, position });
  }
  views = store as unknown as Views;
  shelves = [];
  for (const roomId of ROOMS) {
    for (const isHistory of [false, true]) {
      const row = await SHELVES.get(views, [shelfOf(roomMark(roomId), isHistory)]);
      if (row !== undefined) shelves.push({ roomId, isHistory, row, isIn: true });
    }
  }
});

const soughtFor = (term: string, behind?: TextKey, senders?: readonly UserId[]): Sought => ({
  words: soughtWordsOf(term),
  kinds: new Set(['body']),
  senders: senders && new Set(senders.map(senderMark)),
  upTo: LATEST,
  behind,
});

/** All that matches, page by page: each goes on where the one before ended. */
async function pagesOf(
  term: string,
  { effort, limit, senders }: { effort: number; limit: number; senders?: readonly UserId[] },
): Promise<{ matches: Match[]; pages: number }> {
  const matches: Match[] = [];
  let behind: TextKey | undefined;
  for (let pages = 1; ; pages++) {
    const page = new Matches(
      { views, reader: READER },
      shelves,
      soughtFor(term, behind, senders),
      new SearchEffort(effort),
    );
    for (let n = 0; n < limit; n++) {
      const match = await page.next();
      if (match === undefined) break;
      matches.push(match);
    }
    behind = page.place;
    if (behind === undefined) return { matches, pages };
  }
}

const positionsOf = (matches: readonly Match[]): Position[] => matches.map(({ position }) => position);
/** Where those stand that have words which begin with all of these. */
const having = (...words: string[]): Position[] =>
  told
    .filter(({ body }) => words.every((word) => body.split(' ').some((one) => one.startsWith(word))))
    .map(({ position }) => position);

const TERMS = ['often', 'oftentimes seldom', 'seldom often', 'rarely', 'rarely seldom', 'number77', 'number77 often'];

describe('the texts that match', () => {
  it.each(TERMS)(
    'are found for %j, each once and in one order, however little is looked at for a page',
    async (term) => {
      const whole = await pagesOf(term, { effort: Infinity, limit: Infinity });
      expect(whole.pages).toBe(1);
      const words = term.split(' ');
      expect(positionsOf(whole.matches).toSorted()).toEqual(having(...words).toSorted());
      for (const wish of [
        { effort: Infinity, limit: 7 },
        { effort: 10, limit: Infinity },
        { effort: 40, limit: 5 },
        { effort: 300, limit: 20 },
      ])
        expect(positionsOf((await pagesOf(term, wish)).matches)).toEqual(positionsOf(whole.matches));
    },
  );

  it('come in the order in which they came here, those of the past as they were sent, and never before what was fetched first', async () => {
    const { matches } = await pagesOf('often', { effort: Infinity, limit: Infinity });
    for (const { roomId, isHistory } of shelves) {
      const own = positionsOf(matches.filter((match) => match.roomId === roomId && match.isHistory === isHistory));
      expect(own).toEqual(isHistory ? own.toSorted() : own.toSorted().toReversed());
    }
    const times = matches.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  it('end where nobody of those asked for has said anything, after no more than a few looks at a time', async () => {
    const { matches, pages } = await pagesOf('often', { effort: 200, limit: 10, senders: ['@c:a.example' as UserId] });
    expect(matches).toEqual([]);
    expect(pages).toBeGreaterThan(5);
    const some = await pagesOf('often', { effort: 200, limit: 10, senders: [SENDERS[0]!] });
    expect(positionsOf(some.matches)).toHaveLength(
      told.filter(({ sender, body }) => sender === SENDERS[0] && body.startsWith('often')).length,
    );
  });

  it('need no look at rooms that were silent for longer than those in which enough is found', async () => {
    const asked: string[] = [];
    const watched = {
      ...views,
      scan: (name: string, options: { prefix: readonly string[] }) => {
        asked.push(String(options.prefix[0]));
        return views.scan(name, options as never);
      },
      getMany: views.getMany.bind(views),
    } as unknown as Views;
    const page = new Matches(
      { views: watched, reader: READER },
      shelves,
      soughtFor('often'),
      new SearchEffort(Infinity),
    );
    for (let n = 0; n < 10; n++) await page.next();
    expect(asked.length).toBeGreaterThan(0);
    // They are looked at side by side with those that come first: nothing but what stands beside them is looked at.
    expect(new Set(asked).size).toBeLessThanOrEqual(4);
  });
});
