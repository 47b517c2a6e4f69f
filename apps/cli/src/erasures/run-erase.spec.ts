import { expect, test } from 'vitest';
import type { Config } from '#config/config';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { eraseUser } from './run-erase.js';

const ALICE = '@alice:a.example';
const LETTER = { key: ALICE, fact: 'fact-of-the-order', error: 'the media store is away', stream: 'erasures' };

/** A server that has an erasure under way, and has given up what these letters say. */
function serverWith(letters: readonly object[]): Installation {
  let looks = 0;
  const answers: Record<string, () => unknown> = {
    'erasures.preview': () => ({ user_id: ALICE, removed: {}, kept: {} }),
    'erasures.order': () => 'an-erasure',
    'erasures.status': () => (++looks > 2 ? { ended: { at: 1, removed: { messages: 3 }, kept: {} } } : {}),
    'effects.dead-letters': () => letters,
    'effects.list': () => [],
    'views.renew': () => ({ behind: [] }),
  };
  const client = { call: async ({ method }: { method: string }) => answers[method]!(), close: () => undefined };
  return { config: {} as Config, connect: async () => client } as unknown as Installation;
}

async function erase(letters: readonly object[]): Promise<string[]> {
  const lines: string[] = [];
  const terminal = {
    line: async (text: string) => void lines.push(text),
    note: () => undefined,
  } as unknown as Terminal;
  const options = { isDry: false, here: false, confirm: async () => undefined };
  await eraseUser(serverWith(letters), terminal, 'alice', options, new AbortController().signal);
  return lines;
}

test('whoever waits for an erasure is told that it was given up, and how it goes on', async () => {
  await expect(erase([LETTER])).rejects.toThrow(
    /given up: the media store is away; .*effects retry ordered-erasures fact-of-the-order/,
  );
});

test('it is waited for while it is tried again, whatever was given up of others', async () => {
  const lines = await erase([
    { ...LETTER, retrying: true },
    { ...LETTER, key: '@bob:a.example' },
  ]);
  expect(lines).toEqual([`${ALICE} is erased`, 'removed: messages (3)']);
});
