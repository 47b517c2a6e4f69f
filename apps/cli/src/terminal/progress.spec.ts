import { describe, expect, test } from 'vitest';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { Progress, progressLine } from './progress.js';
import { table } from './table.js';
import { count, counted, duration, moment, size, visible } from './units.js';

describe('a line of progress', () => {
  test('has a bar, the share, facts per second and the time left', () => {
    expect(progressLine('replay', { done: 250, of: 1000, about: 'timeline' }, 50, true)).toBe(
      'replay  [######..................] 25 %  250 of 1,000 facts  50 facts/s  15 s left  timeline',
    );
    expect(progressLine('replay', { done: 1000, of: 1000 }, 50, false)).toBe(
      'replay  100 %  1,000 of 1,000 facts  50 facts/s',
    );
  });

  test('promises nothing where the end is not known', () => {
    expect(progressLine('verify', { done: 1234, of: undefined }, 0, true)).toBe('verify  1,234 facts  0 facts/s');
    expect(progressLine('verify', { done: 5, of: 10 }, 0, false)).not.toContain('left');
    const events = { done: 1234, of: undefined, what: 'events' };
    expect(progressLine('erase', events, 0, true)).toBe('erase  1,234 events  0 events/s');
  });
});

describe('progress', () => {
  test('is drawn in place on a terminal, seldom, and taken away in the end', () => {
    const terminal = recordedTerminal(true);
    const progress = new Progress(terminal, 'verify');
    for (let done = 0; done < 1000; done++) progress.show({ done, of: 1000 });
    progress.finish();
    expect(terminal.statuses.length).toBeLessThan(100);
    expect(terminal.statuses[0]).toContain('0 of 1,000 facts');
    expect(terminal.statuses.at(-1)).toBeUndefined();
    expect(terminal.notes).toEqual([]);
  });

  test('says nothing of short work where nobody watches', () => {
    const terminal = recordedTerminal();
    const progress = new Progress(terminal, 'verify');
    progress.show({ done: 1, of: 2 });
    progress.finish();
    expect(terminal.notes).toEqual([]);
  });
});

describe('what is shown', () => {
  test('has units', () => {
    expect([count(1234567.4), counted(1, 'fact'), counted(2, 'fact')]).toEqual(['1,234,567', '1 fact', '2 facts']);
    expect([0.44, 12, 200, 7500].map(duration)).toEqual(['0.4 s', '12 s', '3 min 20 s', '2 h 5 min']);
    expect([512, 1536, 5 * 1024 ** 3].map(size)).toEqual(['512 bytes', '1.5 KiB', '5.0 GiB']);
    expect(moment(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(moment(Number.NaN)).toBe('NaN');
  });

  test('cannot steer the terminal, whatever a room is called', () => {
    expect(visible('a\u001b[2Jb\nc\u009bd\u202ee')).toBe('a\\u001b[2Jb\\u000ac\\u009bd\\u202ee');
    expect(visible('Zoë 😀')).toBe('Zoë 😀');
  });

  test('stands in columns', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['one', 'x'],
          ['three', ''],
        ],
      ),
    ).toEqual(['A      LONG', 'one    x', 'three']);
  });
});
