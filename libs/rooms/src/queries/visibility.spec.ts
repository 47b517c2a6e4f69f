import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { positionOf } from '#kernel/position';
import type { HistoryVisibility } from '../facts/room-facts.js';
import type { RowHeader } from '../projections/timeline-row.js';
import { isVisible, membershipAtEvent, type ReaderHistory } from './visibility.js';

const READER = '@reader:a.example' as UserId;

type Header = Pick<RowHeader, 'p' | 'v' | 'w' | 't' | 'k'>;

function reader(...changes: readonly (readonly [position: number, membership: string])[]): ReaderHistory {
  return {
    userId: READER,
    changes: changes.map(([position, membership]) => ({ position: positionOf(position), membership })),
  };
}

function message(position: number, v: HistoryVisibility): Header {
  return { p: positionOf(position), v, t: 'm.room.message' };
}

function own(position: number, v: HistoryVisibility): Header {
  return { p: positionOf(position), v, t: 'm.room.member', k: READER };
}

/** The positions from 1 to 9 whose message the reader sees. */
function seen(v: HistoryVisibility, history: ReaderHistory): string {
  const positions = Array.from({ length: 9 }, (_, i) => i + 1);
  return positions.filter((position) => isVisible(message(position, v), history)).join('');
}

describe('who sees which events of a room', () => {
  it('shows world-readable events to everybody', () => {
    expect(seen('world_readable', reader())).toBe('123456789');
    expect(seen('world_readable', reader([4, 'ban']))).toBe('123456789');
  });

  it('shows nothing else to those who never were in the room', () => {
    for (const v of ['shared', 'invited', 'joined'] as const) {
      expect(seen(v, reader())).toBe('');
      expect(seen(v, reader([2, 'invite'], [5, 'leave']))).toBe('');
      expect(seen(v, reader([2, 'knock']))).toBe('');
    }
  });

  it('shows a member all that is shared, the past from the invitation on, or from the join on', () => {
    const member = reader([3, 'invite'], [5, 'join']);
    expect(seen('shared', member)).toBe('123456789');
    expect(seen('invited', member)).toBe('3456789');
    expect(seen('joined', member)).toBe('56789');
  });

  it('shows who left only what came before', () => {
    const former = reader([3, 'invite'], [5, 'join'], [7, 'leave']);
    expect(seen('shared', former)).toBe('123456');
    expect(seen('invited', former)).toBe('3456');
    expect(seen('joined', former)).toBe('56');
  });

  it('shows what was shared in between to who comes back, and nothing more', () => {
    const returned = reader([2, 'join'], [4, 'leave'], [7, 'join']);
    expect(seen('shared', returned)).toBe('123456789');
    expect(seen('joined', returned)).toBe('23789');
    expect(seen('shared', reader([2, 'join'], [4, 'ban'], [6, 'leave']))).toBe('123');
  });

  it('shows readers the events that let them in and out', () => {
    const former = reader([3, 'invite'], [5, 'join'], [7, 'leave']);
    expect([5, 7].map((position) => isVisible(own(position, 'joined'), former))).toEqual([true, true]);
    expect(isVisible(own(3, 'joined'), former)).toBe(false);
    expect(isVisible({ ...own(7, 'joined'), k: '@other:a.example' }, former)).toBe(false);
  });

  it('shows a change of the visibility to who may see before or after it', () => {
    const change = (v: HistoryVisibility, w: HistoryVisibility): Header => ({
      p: positionOf(4),
      v,
      w,
      t: 'm.room.history_visibility',
      k: '',
    });
    expect(isVisible(change('world_readable', 'joined'), reader())).toBe(true);
    expect(isVisible(change('joined', 'world_readable'), reader())).toBe(true);
    expect(isVisible(change('joined', 'shared'), reader([6, 'join']))).toBe(true);
    expect(isVisible(change('joined', 'invited'), reader([6, 'join']))).toBe(false);
  });

  it('knows what the reader was at an event, the event itself counted', () => {
    const history = reader([3, 'invite'], [5, 'join']);
    expect([2, 3, 4, 5, 9].map((position) => membershipAtEvent(history, positionOf(position)))).toEqual([
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
  const history = fc
    .array(fc.constantFrom('invite', 'join', 'leave', 'ban', 'knock'), { maxLength: 8 })
    .map((memberships) => reader(...memberships.map((membership, i) => [(i + 1) * 3, membership] as const)));
  const position = fc.integer({ min: 1, max: 30 });
  const openness: readonly HistoryVisibility[] = ['joined', 'invited', 'shared', 'world_readable'];

  it('a more open visibility never hides what a narrower one shows', () => {
    fc.assert(
      fc.property(history, position, (who, at) => {
        const shown = openness.map((v) => isVisible(message(at, v), who));
        expect(shown).toEqual(shown.toSorted((a, b) => Number(a) - Number(b)));
      }),
    );
  });

  it('who is joined at an event sees it', () => {
    fc.assert(
      fc.property(history, position, visibility, (who, at, v) => {
        fc.pre(membershipAtEvent(who, positionOf(at)) === 'join');
        expect(isVisible(message(at, v), who)).toBe(true);
      }),
    );
  });

  it('nothing behind the end of the last stay is shown unless the world may read it', () => {
    fc.assert(
      fc.property(history, visibility, fc.integer({ min: 31, max: 99 }), (who, v, at) => {
        fc.pre(v !== 'world_readable' && who.changes.at(-1)?.membership !== 'join');
        expect(isVisible(message(at, v), who)).toBe(false);
      }),
    );
  });

  it('a later change that is no join shows nothing more and hides nothing', () => {
    const away = fc.constantFrom('invite', 'leave', 'ban', 'knock');
    fc.assert(
      fc.property(history, away, position, visibility, (who, membership, at, v) => {
        const more = { ...who, changes: [...who.changes, { position: positionOf(40), membership }] };
        expect(isVisible(message(at, v), more)).toBe(isVisible(message(at, v), who));
      }),
    );
  });
});
