import { expect, test } from 'vitest';
import type { Config } from '#config/config';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { eraseUser } from './run-erase.js';
import { listErasures } from './run-erasures.js';

const ALICE = '@alice:a.example';
const ORDER = 'fact-of-the-order';
const LETTER = { key: ALICE, fact: ORDER, error: 'the media store is away', stream: 'erasures' };

/** A server that has an erasure under way, and has given up what these letters say. */
function serverWith(letters: readonly object[]): Installation {
  let looks = 0;
  const answers: Record<string, () => unknown> = {
    'erasures.preview': () => ({ user_id: ALICE, removed: {}, kept: {} }),
    'erasures.order': () => 'an-erasure',
    'erasures.status': () =>
      ++looks > 2
        ? { fact: ORDER, ended: { at: 1, removed: { messages: 3 }, kept: {} } }
        : { fact: ORDER, progress: { doing: 'redacting', events: 1234, room: 2, rooms: 5 } },
    'effects.dead-letters': () => letters,
    'effects.list': () => [],
    'views.renew': () => ({ behind: [] }),
  };
  const client = { call: async ({ method }: { method: string }) => answers[method]!(), close: () => undefined };
  return { config: {} as Config, connect: async () => client } as unknown as Installation;
}

async function erase(letters: readonly object[], statuses: string[] = []): Promise<string[]> {
  const lines: string[] = [];
  const terminal: Terminal = {
    line: async (text: string) => void lines.push(text),
    note: () => undefined,
    status: (text) => void statuses.push(text ?? ''),
    isLive: true,
    columns: 100,
  };
  const options = { isDry: false, here: false, confirm: async () => undefined };
  await eraseUser(serverWith(letters), terminal, 'alice', options, new AbortController().signal);
  return lines;
}

test('whoever waits for an erasure is told that it was given up, and how it goes on', async () => {
  await expect(erase([LETTER])).rejects.toThrow(
    /given up: the media store is away; .*effects retry ordered-erasures fact-of-the-order/,
  );
});

test('it is waited for while it is tried again, whatever was given up of others, or of the same user before', async () => {
  const lines = await erase([
    { ...LETTER, retrying: true },
    { ...LETTER, key: '@bob:a.example', fact: 'fact-of-another' },
    { ...LETTER, fact: 'fact-of-before' },
  ]);
  expect(lines).toEqual([`${ALICE} is erased`, 'removed: messages (3)']);
});

test('it is told how far it is', async () => {
  const statuses: string[] = [];
  await erase([], statuses);
  expect(statuses[0]).toBe('erase  1,234 events  0 events/s  redacted, room 2 of 5');
  expect(statuses.at(-1)).toBe('');
});

test('whoever lists erasures is told so, too', async () => {
  const progress = { doing: 'erasing', events: 1, room: 5, rooms: 5 };
  const client = { call: async () => [{ user_id: ALICE, at: 0, content: true, progress }], close: () => undefined };
  const lines: string[] = [];
  const terminal = { line: async (text: string) => void lines.push(text) } as unknown as Terminal;
  await listErasures({ connect: async () => client } as unknown as Installation, terminal, { status: true });
  expect(lines).toEqual([
    `${ALICE} of 1970-01-01T00:00:00.000Z: all they said: under way, 1 event, taken from the log, room 5 of 5`,
  ]);
});
