import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { effectMethods } from '#homeserver/effect-methods';
import { systemClock } from '#kernel/clock';
import { startControlServer } from '#projections/control-server';
import type { Effect } from '#projections/effects/effect';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { DataFolder } from '#testing/data-folder';
import { MemoryReadModels } from '#testing/memory-read-models';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import type { Installation } from '../installation.js';
import { listEffectLetters, listEffects, settleEffectLetters } from './run-effects.js';

let folder: DataFolder;
let installation: Installation;
let terminal: RecordedTerminal;
let isPoisoned: boolean;
let done: number;

beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
  installation = testInstallation(folder.path);
  terminal = recordedTerminal();
  isPoisoned = true;
  done = 0;
});
afterEach(() => folder.remove());

const text = { json: false };
const all = { effect: 'welcome', fact: undefined };

/** Cannot look at the first fact of a user while it is poisoned: that is given up at once. */
const welcome: Effect = {
  name: 'welcome',
  fromStart: true,
  keyOf({ stream, revision }) {
    if (!stream.startsWith('user-') || revision > 0) return undefined;
    if (isPoisoned) throw new Error('poison');
    return stream;
  },
  async run() {
    done++;
    return true;
  },
};

/** Runs the effect as the server does, with its control socket, while `work` is done. */
async function whileRunning(work: () => Promise<void>): Promise<void> {
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const runtime = new ProjectionRuntime({
    store,
    readModels: new MemoryReadModels(),
    projectors: [],
    listeners: [],
    effects: [welcome],
    clock: systemClock,
  });
  await runtime.start();
  const control = await startControlServer(join(folder.path, 'control.sock'), effectMethods(runtime.effects));
  let users = 0;
  for await (const _ of store.streams({ prefix: 'user-' })) users++;
  try {
    if (isPoisoned) await expect.poll(async () => (await letters()).length).toBe(users);
    await work();
  } finally {
    await control.close();
    await runtime.stop();
    await store.close();
  }
}

async function letters(): Promise<{ fact: string; error: string }[]> {
  const json = recordedTerminal();
  await listEffectLetters(installation, json, undefined, { json: true });
  return json.lines.map((line) => JSON.parse(line) as { fact: string; error: string });
}

describe('the effects of a running server', () => {
  test('are listed, their dead letters too; those are tried again, in vain or not, and dropped', async () => {
    await whileRunning(async () => {
      const some = await letters();
      expect(await listEffects(installation, terminal, text)).toBe(EXIT.ok);
      expect(terminal.lines[1]).toMatch(new RegExp(`^welcome +here +0 +0 +${some.length}$`));
      expect(await listEffectLetters(installation, terminal, 'welcome', text)).toBe(EXIT.found);
      expect(terminal.lines.at(-1)).toMatch(/ {2}welcome {2}[0-9a-f-]{36} {2}user-\S+ revision 0 \(\S+\): poison$/);

      const fact = some[0]!.fact;
      await settleEffectLetters(installation, terminal, 'drop', { effect: 'welcome', fact });
      expect(terminal.lines.at(-1)).toMatch(/^the dead letter of the fact .* is dropped$/);
      expect(await letters()).toHaveLength(some.length - 1);
      isPoisoned = false;
      await settleEffectLetters(installation, terminal, 'retry', all);
      expect(terminal.lines.at(-1)).toBe('the dead letters of welcome are tried again');
      await expect.poll(letters).toEqual([]);
      expect(done).toBe(some.length - 1);
      expect(await listEffectLetters(installation, terminal, undefined, text)).toBe(EXIT.ok);
    });
  });

  test('that are not there are refused', async () => {
    await whileRunning(async () => {
      const nothing = settleEffectLetters(installation, terminal, 'retry', { effect: 'nothing', fact: undefined });
      await expect(nothing).rejects.toMatchObject({ message: 'There is no effect nothing', exitCode: EXIT.found });
    });
  });
});

describe('the dead letters of a stopped server', () => {
  test('are listed, and tried again by its next start', async () => {
    await whileRunning(async () => {});
    const some = await letters();
    isPoisoned = false;
    const { fact } = some[0]!;
    expect(await settleEffectLetters(installation, terminal, 'drop', { effect: 'welcome', fact })).toBe(EXIT.ok);
    expect(await settleEffectLetters(installation, terminal, 'retry', all)).toBe(EXIT.ok);
    expect(terminal.lines.at(-1)).toBe('the dead letters of welcome are tried again when the server starts');
    expect(done).toBe(0);
    await whileRunning(async () => {
      await expect.poll(letters).toEqual([]);
    });
    expect(done).toBe(some.length - 1);
    await expect(settleEffectLetters(installation, terminal, 'drop', all)).rejects.toMatchObject({
      message: 'welcome has no dead letters',
      exitCode: EXIT.found,
    });
    await expect(listEffects(installation, terminal, text)).rejects.toMatchObject({ exitCode: EXIT.failed });
  });
});
