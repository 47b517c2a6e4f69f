import { describe, expect, it } from 'vitest';
import { RevisionConflict, type EventStore } from '#event-store/event-store';
import { AppendTooLarge } from '#event-store/event-store-errors';
import { positionOf } from '#testing/position-of';
import type { ProjectionStatus } from '#projections/projection-status';
import { checkHealth, type HealthReport } from './health.js';
import { MeteredEventStore } from './metered-event-store.js';
import { Metrics } from './metrics.js';

const HEAD = positionOf(10);

function status(overrides: Partial<ProjectionStatus>): ProjectionStatus {
  const behind = { amount: 0, unit: 'facts' } as const;
  const place = { version: 1, generation: 1, position: HEAD, behind };
  return {
    name: 'timeline',
    state: 'live',
    version: 1,
    serving: place,
    next: undefined,
    previous: undefined,
    position: HEAD,
    head: HEAD,
    behind,
    facts: { done: 10, of: 10 },
    factsPerSecond: 0,
    secondsLeft: undefined,
    paused: undefined,
    lastError: undefined,
    deadLetters: 0,
    isComparing: false,
    comparison: undefined,
    ...overrides,
  };
}

/** A log whose answers the test chooses. */
function setUp() {
  const log = {
    append: (): ReturnType<EventStore['append']> => Promise.resolve({ revision: 0, position: HEAD }),
    head: (): Promise<typeof HEAD> => Promise.resolve(HEAD),
    damage: undefined as Error | undefined,
  };
  const clock = { time: 0, elapsed: () => clock.time };
  const metrics = new Metrics();
  const port: Pick<EventStore, 'append' | 'head' | 'damage'> = {
    get damage() {
      return log.damage;
    },
    append: () => log.append(),
    head: () => log.head(),
  };
  // Health asks a log for nothing else.
  const store = new MeteredEventStore(port as EventStore, metrics, clock);
  const statuses = [status({})];
  const failures: string[] = [];
  const projections = {
    position: () => HEAD,
    operations: { list: () => Promise.resolve(statuses) },
    failures: () => failures,
  };
  const check = (): Promise<HealthReport> => checkHealth({ store, projections, stopwatch: clock });
  return { log, clock, metrics, store, statuses, failures, projections, check };
}

describe('the health of the server', () => {
  it('is good where the log answers and the projections move', async () => {
    expect(await setUp().check()).toEqual({
      ok: true,
      errors: [],
      warnings: [],
      log: { head: HEAD },
      position: HEAD,
      projections: [
        { name: 'timeline', version: 1, state: 'live', position: HEAD, lag: 0, lagUnit: 'facts', deadLetters: 0 },
      ],
    });
  });

  it('tells how far behind a projection is', async () => {
    const { statuses, check } = setUp();
    statuses[0] = status({ state: 'catching-up', position: positionOf(3), behind: { amount: 7, unit: 'facts' } });
    expect(await check()).toMatchObject({ ok: true, projections: [{ lag: 7, lagUnit: 'facts' }] });
  });

  it('is bad where a projection has failed', async () => {
    const { statuses, check } = setUp();
    statuses[0] = status({ state: 'failed' });
    expect(await check()).toMatchObject({ ok: false, errors: ['the projection timeline has failed'] });
  });

  it('is bad while somebody who follows the log cannot go on', async () => {
    const { failures, check } = setUp();
    failures.push('The listener wake-users waits: the log is damaged');
    expect(await check()).toMatchObject({ ok: false, errors: failures });
  });

  it('is bad where the log cannot be read', async () => {
    const { log, check } = setUp();
    log.head = () => Promise.reject(new Error('disk gone'));
    expect(await check()).toMatchObject({
      ok: false,
      log: { head: null },
      errors: [expect.stringContaining('disk gone')],
    });
  });

  it('is bad once the log could not be appended to, until it can be again', async () => {
    const { log, clock, store, check } = setUp();
    const append = log.append;
    log.append = () => Promise.reject(new Error('disk full'));
    await expect(store.append('s', 'no-stream', [])).rejects.toThrow('disk full');
    expect((await check()).ok).toBe(false);
    log.append = append;
    await store.append('s', 'no-stream', []);
    expect((await check()).ok).toBe(true);
    log.append = () => Promise.reject(new Error('disk full'));
    await expect(store.append('s', 'no-stream', [])).rejects.toThrow('disk full');
    clock.time += 31_000;
    expect((await check()).ok).toBe(true);
  });

  it('is bad for good once the log was found damaged', async () => {
    const { log, check } = setUp();
    log.damage = new Error('the log is damaged: position 7 cannot be read');
    expect(await check()).toMatchObject({
      ok: false,
      errors: ['the log is damaged: position 7 cannot be read: run "annals verify"'],
    });
  });

  it('is bad while the views cannot be written', async () => {
    const { store, clock, projections } = setUp();
    const failure = new Error('The views cannot be written: No space left on device');
    const check = (readModels: { failure?: Error }) =>
      checkHealth({ store, projections, readModels, stopwatch: clock });
    expect(await check({ failure })).toMatchObject({ ok: false, errors: [failure.message] });
    expect(await check({})).toMatchObject({ ok: true });
  });

  it('is good, with a warning, where the views, or the clock, have something to say that keeps nobody from work', async () => {
    const { store, clock, projections } = setUp();
    const readModels = { warning: 'the views were deleted' };
    expect(await checkHealth({ store, projections, readModels, stopwatch: clock })).toMatchObject({
      ok: true,
      warnings: ['the views were deleted'],
    });
    const doubted = { warning: 'the clock may have jumped ahead' };
    expect(await checkHealth({ store, projections, readModels, clock: doubted, stopwatch: clock })).toMatchObject({
      ok: true,
      warnings: ['the views were deleted', 'the clock may have jumped ahead'],
    });
  });

  it('does not suffer from an append that the log refuses as too large', async () => {
    const { log, store, metrics, check } = setUp();
    log.append = () => Promise.reject(new AppendTooLarge('too large', 1));
    await expect(store.append('s', 'no-stream', [])).rejects.toThrow(AppendTooLarge);
    expect((await check()).ok).toBe(true);
    expect((await metrics.expose()).text).toContain('annals_appends_failed_total 0');
  });

  it('does not suffer from a lost race', async () => {
    const { log, store, metrics, check } = setUp();
    log.append = () => Promise.reject(new RevisionConflict('s', 'no-stream', 0));
    await expect(store.append('s', 'no-stream', [])).rejects.toThrow(RevisionConflict);
    expect((await check()).ok).toBe(true);
    expect((await metrics.expose()).text).toContain('annals_appends_failed_total 0');
  });
});
