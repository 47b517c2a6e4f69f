import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { NotedClock } from '#projections/held-clock';
import { DataFolder } from '#testing/data-folder';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { runDoctor } from '../doctor/run-doctor.js';
import { acceptClock } from './accept-clock.js';

const DAY_MS = 24 * 3600_000;

let folder: DataFolder;
beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
});
afterEach(() => folder.remove());

const clockSaid = async (): Promise<string> => {
  const terminal = recordedTerminal();
  await runDoctor(() => testInstallation(folder.path), terminal, { json: true });
  return terminal.lines.find((line) => line.includes('"name":"clock"'))!;
};

it('has a clock believed that the log knows nothing of, once an operator says which day it is', async () => {
  const today = new Date().toISOString().slice(0, 10);
  const accept = async (date: string): Promise<string[]> => {
    const terminal = recordedTerminal();
    await acceptClock(testInstallation(folder.path), terminal, date);
    return terminal.lines;
  };
  expect(await clockSaid()).toContain('"level":"ok"');
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const log = { info: () => {}, warn: () => {} };
  for (const days of [40, 39]) await new NotedClock(store, { now: () => systemClock.now() - days * DAY_MS }, log).now();
  await store.close();
  expect(await clockSaid()).toMatch(/"level":"warn".*nothing is destroyed for its age.*annals clock accept/);
  await expect(accept('2026-01-01')).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(today) });
  expect(await clockSaid()).toContain('"level":"warn"');
  expect(await accept(today)).toEqual(['the clock is believed: what is over by it goes within a day']);
  expect(await clockSaid()).toContain('"level":"ok"');
  expect(await accept(today)).toEqual(['the clock was believed already']);
});
