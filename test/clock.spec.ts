import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { annals, annalsWith } from './support/annals.js';
import { Homeserver } from './support/homeserver.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DAY_MS = 24 * 3600_000;
const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
/** A process whose clock is behind. */
const behind = (ms: number): Record<string, string> => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`const { now } = Date; Date.now = () => now() - ${ms};`)}`,
});

let server: Homeserver;
beforeAll(async () => {
  server = await Homeserver.start();
  await server.end();
});
afterAll(() => server.remove());

const warnings = async (): Promise<readonly string[]> => {
  const { status, body } = await server.request('GET', '/health');
  expect(status).toBe(200);
  return (body as { readonly warnings: readonly string[] }).warnings;
};
const isHeld = async (): Promise<string | undefined> =>
  /^annals_clock_held (\d)$/m.exec((await server.request('GET', '/metrics')).text)?.[1];

test('a server that was off for long says that it does not believe its clock, until its operator does', async () => {
  const before = Date.now() - 40 * DAY_MS;
  const then = await annalsWith(behind(40 * DAY_MS), server, 'clock', 'accept', dayOf(before));
  expect(then).toMatchObject({ code: 0, output: expect.stringContaining('the clock is believed') });
  // Whoever keeps media of others for some days only asks for the time at each start.
  server.set({ ANNALS_MEDIA_CACHE_DAYS: '30', ANNALS_LOG: 'error' });
  await server.start();
  await expect.poll(warnings, { interval: 100 }).toEqual([expect.stringContaining('jumped ahead')]);
  expect(await isHeld()).toBe('0');
  expect((await annals(server, 'doctor')).output).toMatch(/warn +clock: .*nothing is destroyed for its age until/);

  expect(await annals(server, 'clock', 'accept', dayOf(before))).toMatchObject({ code: 1 });
  expect(await isHeld()).toBe('0');
  const accepted = await annals(server, 'clock', 'accept', dayOf(Date.now()));
  expect(accepted).toMatchObject({ code: 0, output: expect.stringContaining('goes within a day') });
  expect([await isHeld(), await warnings()]).toEqual(['1', []]);
  await server.restart();
  expect((await annals(server, 'doctor')).output).toMatch(/ok +clock: /);
});
