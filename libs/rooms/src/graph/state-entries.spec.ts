import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { formatEntries, readEntries, type StateValue } from './state-entries.js';

const HASH = 'A'.repeat(43);

/** What is read of entries as they are written, behind the head of a row. */
function readBack(entries: readonly StateValue[], without?: string): StateValue[] {
  const text = `=#root${formatEntries(entries)}`;
  const found: StateValue[] = [];
  readEntries(text, text.indexOf('\n'), (one) => found.push(one), without);
  return found;
}

function entry(stateKey: string, eventId: string | null, type = 'm.room.member'): StateValue {
  return { type, stateKey, eventId: eventId as EventId | null };
}

describe('entries of a state as text', () => {
  it('are read as they were written, whatever their types, keys and ids are', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '$', '\t', '\n', '\\', 't', 'n', '\u00e9', '\u{1f600}'),
      maxLength: 50,
    });
    const id = fc.oneof(
      fc.constant(null),
      fc.constant(`$${HASH}`),
      // Those that senders choose may be of any length, and with what comes behind them as long as a hash.
      fc.integer({ min: 1, max: 50 }).map((length) => `$${'b'.repeat(length)}`),
    );
    const types = fc.oneof(fc.constant('m.room.member'), fc.constant('m.room.name'), text);
    const entries = fc.array(
      fc.tuple(text, id, types).map(([key, eventId, of]) => entry(key, eventId, of)),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(entries, (list) => {
        expect(readBack(list)).toEqual(list);
        expect(readBack(list, 'm.room.member')).toEqual(list.filter(({ type }) => type !== 'm.room.member'));
      }),
    );
  });

  it.each([
    // What stands between the first tab and the end of a line is as long as an id.
    ['a type that is told, before a short id', [entry('$a', `$${'b'.repeat(40)}`, 'x'), entry('k', `$${HASH}`)]],
    ['a key that is deleted, and the line behind it', [entry('a', null), entry('$', `$${'b'.repeat(40)}`)]],
    ['a short id, and the line behind it', [entry('a', '$'), entry('b', `$${'c'.repeat(39)}`)]],
  ])('are told apart where lines look alike: %s', (_, entries) => {
    expect(readBack(entries)).toEqual(entries);
  });
});
