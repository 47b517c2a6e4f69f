import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { START } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { readerWith, READER } from '#testing/reader-with';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { SeenHeader } from './may-see.js';
import type { RoomReader } from './room-reader.js';

type Changes = readonly (readonly [position: number, membership: string])[];

/** A reader whose membership changed at these positions, over the whole log. */
async function reader(...changes: Changes): Promise<RoomReader> {
  return (await readerWith(changes)).overStretch(START, positionOf(999));
}

function message(position: number, v: HistoryVisibility): SeenHeader {
  return { position: positionOf(position), visibility: v, type: 'm.room.message' };
}

function own(position: number, v: HistoryVisibility): SeenHeader {
  return { position: positionOf(position), visibility: v, type: 'm.room.member', stateKey: READER };
}

/** The positions from 1 to 9 whose message the reader sees. */
function seen(v: HistoryVisibility, who: RoomReader): string {
  const positions = Array.from({ length: 9 }, (_, i) => i + 1);
  return positions.filter((position) => who.maySee(message(position, v))).join('');
}

describe('who sees which events of a room', () => {
  it('shows world-readable events to everybody', async () => {
    expect(seen('world_readable', await reader())).toBe('123456789');
    expect(seen('world_readable', await reader([4, 'ban']))).toBe('123456789');
  });

  it('shows nothing else to those who never were in the room, but to the invited what is visible to them', async () => {
    for (const v of ['shared', 'joined'] as const) {
      expect(seen(v, await reader([2, 'invite'], [5, 'leave']))).toBe('');
    }
    for (const v of ['shared', 'invited', 'joined'] as const) {
      expect(seen(v, await reader())).toBe('');
      expect(seen(v, await reader([2, 'knock']))).toBe('');
    }
    expect(seen('invited', await reader([3, 'invite']))).toBe('3456789');
    expect(seen('invited', await reader([3, 'invite'], [6, 'leave']))).toBe('345');
  });

  it('shows a member all that is shared, the past from the invitation on, or from the join on', async () => {
    const member = await reader([3, 'invite'], [5, 'join']);
    expect(seen('shared', member)).toBe('123456789');
    expect(seen('invited', member)).toBe('3456789');
    expect(seen('joined', member)).toBe('56789');
  });

  it('shows who left only what came before', async () => {
    const former = await reader([3, 'invite'], [5, 'join'], [7, 'leave']);
    expect(seen('shared', former)).toBe('123456');
    expect(seen('invited', former)).toBe('3456');
    expect(seen('joined', former)).toBe('56');
  });

  it('shows what was shared in between to who comes back, and nothing more', async () => {
    const returned = await reader([2, 'join'], [4, 'leave'], [7, 'join']);
    expect(seen('shared', returned)).toBe('123456789');
    expect(seen('joined', returned)).toBe('23789');
    expect(seen('shared', await reader([2, 'join'], [4, 'ban'], [6, 'leave']))).toBe('123');
  });

  it('shows readers the events that let them in and out', async () => {
    const former = await reader([3, 'invite'], [5, 'join'], [7, 'leave']);
    expect([5, 7].map((position) => former.maySee(own(position, 'joined')))).toEqual([true, true]);
    expect(former.maySee(own(3, 'joined'))).toBe(false);
    expect(former.maySee({ ...own(7, 'joined'), stateKey: '@other:a.example' })).toBe(false);
    const declined = await reader([3, 'invite'], [5, 'leave']);
    expect([3, 5].map((position) => declined.maySee(own(position, 'invited')))).toEqual([true, true]);
    expect([3, 5].map((position) => declined.maySee(own(position, 'shared')))).toEqual([false, false]);
  });

  it('shows a change of the visibility to who may see before or after it', async () => {
    const change = (v: HistoryVisibility, w: HistoryVisibility): SeenHeader => ({
      position: positionOf(4),
      visibility: v,
      setsVisibility: w,
      type: 'm.room.history_visibility',
      stateKey: '',
    });
    expect((await reader()).maySee(change('world_readable', 'joined'))).toBe(true);
    expect((await reader()).maySee(change('joined', 'world_readable'))).toBe(true);
    expect((await reader([6, 'join'])).maySee(change('joined', 'shared'))).toBe(true);
    expect((await reader([6, 'join'])).maySee(change('joined', 'invited'))).toBe(false);
  });

  it('takes away what a reader may see however often their membership had changed before', async () => {
    const changes: [number, string][] = [];
    for (let i = 1; i <= 12_000; i++) changes.push([i, i % 2 === 0 ? 'leave' : 'join']);
    const who = await readerWith([...changes, [12_001, 'ban']]);
    const at = async (position: number): Promise<boolean> =>
      (await who.overStretch(positionOf(position), positionOf(position))).maySee(message(position, 'shared'));
    expect([await at(1), await at(6_000), await at(11_999)]).toEqual([true, true, true]);
    expect([await at(12_000), await at(12_500)]).toEqual([false, false]);
  });

  it('knows what the reader was at an event, the event itself counted', async () => {
    const { memberships } = await reader([3, 'invite'], [5, 'join']);
    expect([2, 3, 4, 5, 9].map((position) => memberships.at(positionOf(position)))).toEqual([
      'leave',
      'invite',
      'invite',
      'join',
      'join',
    ]);
  });
});

describe('for every history of memberships', () => {
  const visibility = fc.constantFrom<HistoryVisibility>('invited', 'joined', 'shared', 'world_readable');
  // More changes than are read at once, too.
  const history = fc
    .array(fc.constantFrom('invite', 'join', 'leave', 'ban', 'knock'), { maxLength: 160 })
    .map((memberships) => memberships.map((membership, i) => [(i + 1) * 3, membership] as const));
  const position = fc.integer({ min: 1, max: 500 });
  const openness: readonly HistoryVisibility[] = ['joined', 'invited', 'shared', 'world_readable'];

  /** The rules as they stand in the specification, over the plain list. */
  function slowly(changes: Changes, at: number, v: HistoryVisibility): boolean {
    const membership = changes.findLast(([from]) => from <= at)?.[1];
    const joins = membership === 'join' || changes.some(([from, what]) => from > at && what === 'join');
    if (v === 'world_readable' || membership === 'join') return true;
    return v === 'shared' ? joins : v === 'invited' && membership === 'invite';
  }

  it('what is read of it answers as the whole of it would, wherever one begins to look', async () => {
    const places = fc.array(position, { minLength: 1, maxLength: 5 });
    const property = fc.asyncProperty(history, places, visibility, async (changes, at, v) => {
      const who = await readerWith(changes);
      const rows = at.map((p) => ({
        header: { ...message(p, v), eventId: '', sender: '', sentAt: 0, depth: 0 } as never,
      }));
      const there = await who.over(rows);
      for (const p of at) expect(there.maySee(message(p, v))).toBe(slowly(changes, p, v));
    });
    await fc.assert(property);
  });

  it('a more open visibility never hides what a narrower one shows, save that the invited need not join', async () => {
    const property = fc.asyncProperty(history, position, async (changes, at) => {
      const who = await reader(...changes);
      const shown = openness.filter((v) => v !== 'invited').map((v) => who.maySee(message(at, v)));
      expect(shown).toEqual(shown.toSorted((a, b) => Number(a) - Number(b)));
    });
    await fc.assert(property);
  });

  it('nothing after the end of the last stay is shown unless the world or the invited may read it', async () => {
    const hidden = fc.constantFrom<HistoryVisibility>('joined', 'shared');
    const property = fc.asyncProperty(history, hidden, fc.integer({ min: 501, max: 600 }), async (changes, v, at) => {
      fc.pre(changes.at(-1)?.[1] !== 'join');
      expect((await reader(...changes)).maySee(message(at, v))).toBe(false);
    });
    await fc.assert(property);
  });

  it('a later change that is no join shows nothing more and hides nothing', async () => {
    const away = fc.constantFrom('invite', 'leave', 'ban', 'knock');
    const property = fc.asyncProperty(history, away, position, visibility, async (changes, membership, at, v) => {
      const more = await reader(...changes, [600, membership]);
      expect(more.maySee(message(at, v))).toBe((await reader(...changes)).maySee(message(at, v)));
    });
    await fc.assert(property);
  });
});
