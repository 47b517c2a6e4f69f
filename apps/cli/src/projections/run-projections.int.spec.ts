import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DELAYED_EVENTS } from '#calls/projections/delayed-events.projector';
import { controlMethods } from '#homeserver/control-methods';
import { listProjectors } from '#homeserver/projectors';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import { START } from '#kernel/position';
import { ForgottenMarks } from '#projections/forgotten-marks';
import { startControlServer } from '#projections/control-server';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { DataFolder } from '#testing/data-folder';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { checkViews } from '../doctor/views-checks.js';
import { EXIT } from '../failure.js';
import type { Installation } from '../installation.js';
import {
  changeProjection,
  listDeadLetters,
  listProjections,
  pauseProjection,
  rebuildProjection,
  showChecksums,
  showProjection,
} from './run-projections.js';

let folder: DataFolder;
let installation: Installation;
let terminal: RecordedTerminal;

beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
  installation = testInstallation(folder.path);
  terminal = recordedTerminal();
});
afterEach(() => folder.remove());

const text = { json: false };
const wait = { byHand: false, fromStart: false, wait: true, signal: new AbortController().signal };

/** Runs the projections as the server does, with its control socket, while `work` is done. */
async function whileRunning(work: (runtime: ProjectionRuntime) => Promise<void>): Promise<void> {
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const readModels = await openLmdbReadModels(join(folder.path, 'views'));
  const runtime = new ProjectionRuntime({
    store,
    readModels,
    projectors: listProjectors(),
    listeners: [],
    clock: systemClock,
  });
  await runtime.start();
  const control = await startControlServer(join(folder.path, 'control.sock'), controlMethods(runtime.operations));
  try {
    await work(runtime);
  } finally {
    await control.close();
    await runtime.stop();
    await readModels.close();
    await store.close();
  }
}

async function statusOf(name: string): Promise<Record<string, unknown>> {
  const json = recordedTerminal();
  await showProjection(installation, json, name, { json: true });
  return JSON.parse(json.lines[0] ?? '') as Record<string, unknown>;
}

describe('the projections of a stopped server', () => {
  test('are told of as it left them, and nothing is written', async () => {
    expect(await listProjections(installation, terminal, text)).toBe(EXIT.ok);
    expect(terminal.notes).toEqual(['the server is not running: this is what it left']);
    expect(terminal.lines).toHaveLength(1 + listProjectors().length);
    expect(terminal.lines[1]).toMatch(/^timeline +catching-up +\d+ +1 +\d+ +0$/);
    expect(await listDeadLetters(installation, terminal, undefined, text)).toBe(EXIT.ok);
  });

  test('are told of as nothing where they were put back and lack what the log has forgotten since', async () => {
    const views = join(folder.path, 'views');
    const copy = join(folder.path, 'copy');
    await whileRunning(async () => {});
    cpSync(views, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    await folder.write((store) => new ForgottenMarks(store, systemClock).note(['other'], START, LogHistory.UNBROKEN));
    await whileRunning((runtime) => runtime.whenKept(runtime.position(), [DELAYED_EVENTS.name]));
    rmSync(views, { recursive: true });
    renameSync(copy, views);
    await listProjections(installation, terminal, text);
    expect(terminal.notes.slice(1)).toEqual([
      'delayed-events: the log has forgotten since what would take rows of it away: the next start fills it anew',
    ]);
    expect(terminal.lines.find((line) => line.startsWith('delayed-events'))).toMatch(/ catching-up +\d+ +2 /);
    expect(await checkViews(installation)).toContainEqual(
      expect.objectContaining({ name: 'projection delayed-events' }),
    );
  });

  test('are rebuilt, compared, and serve; the former generation comes back by rollback', async () => {
    expect(await rebuildProjection(installation, terminal, 'timeline', wait)).toBe(EXIT.ok);
    expect(terminal.lines[0]).toMatch(/^timeline: generation 2 serves, rebuilt in /);
    expect(terminal.lines[1]).toMatch(/^generation 2 against 1: \d+ rows, all the same$/);
    expect(await statusOf('timeline')).toMatchObject({ state: 'live', serving: { generation: 2 } });

    await changeProjection(installation, terminal, 'timeline', 'rollback');
    expect(await statusOf('timeline')).toMatchObject({ next: { generation: 1, state: 'filling' } });
  });

  test('wait for the switch where that is wanted', async () => {
    expect(await rebuildProjection(installation, terminal, 'membership', { ...wait, byHand: true })).toBe(EXIT.ok);
    expect(terminal.lines).toEqual([expect.stringContaining('generation 2 is ready')]);
    expect(await statusOf('membership')).toMatchObject({ serving: { generation: 1 }, next: { state: 'ready' } });
    await changeProjection(installation, terminal, 'membership', 'switch');
    expect(await statusOf('membership')).toMatchObject({ serving: { generation: 2 } });
  });

  test('are paused and resumed for the next start', async () => {
    await pauseProjection(installation, terminal, 'accounts', 'to look at it');
    expect(terminal.lines).toEqual(['accounts is paused (from the next start of the server on)']);
    expect(await statusOf('accounts')).toMatchObject({ state: 'paused', paused: { reason: 'to look at it' } });
    await expect(rebuildProjection(installation, terminal, 'accounts', wait)).rejects.toMatchObject({
      message: 'accounts is paused: resume it first',
      exitCode: EXIT.found,
    });
    await changeProjection(installation, terminal, 'accounts', 'resume');
    expect(await statusOf('accounts')).not.toMatchObject({ state: 'paused' });
  });

  test('have checksums that a rebuild does not change', async () => {
    await rebuildProjection(installation, terminal, 'room-state', wait);
    const before = recordedTerminal();
    await showChecksums(installation, before, undefined, text);
    await rebuildProjection(installation, terminal, 'room-state', wait);
    const after = recordedTerminal();
    await showChecksums(installation, after, undefined, text);
    expect(after.lines).toEqual(before.lines);
    expect(after.lines.some((line) => /^[0-9a-f]{32} +[1-9]\d* {2}room-state\.room-state$/.test(line))).toBe(true);
  });

  test.each(['status', 'resume', 'cancel', 'switch', 'rollback'] as const)(
    '%s says what cannot be done',
    async (command) => {
      const doing =
        command === 'status'
          ? showProjection(installation, terminal, 'nothing', text)
          : changeProjection(installation, terminal, command === 'resume' ? 'nothing' : 'timeline', command);
      await expect(doing).rejects.toMatchObject({ exitCode: EXIT.found });
    },
  );

  test('are left alone while another process has the right to write', async () => {
    const store = await openLmdbEventStore(join(folder.path, 'log'));
    await expect(changeProjection(installation, terminal, 'timeline', 'rollback')).rejects.toMatchObject({
      message: expect.stringContaining('being written by another process'),
      exitCode: EXIT.failed,
    });
    await store.close();
  });

  test('are reached past a socket that a crash left behind', async () => {
    writeFileSync(join(folder.path, 'control.sock'), '');
    expect(await listProjections(installation, terminal, text)).toBe(EXIT.ok);
  });
});

describe('the projections of a running server', () => {
  test('are steered through its socket', async () => {
    await whileRunning(async () => {
      await listProjections(installation, terminal, text);
      expect(terminal.notes).toEqual([]);
      expect(terminal.lines[1]).toMatch(/^timeline +live +\d+ +1 +0 +\d+$/);

      expect(await rebuildProjection(installation, terminal, 'timeline', wait)).toBe(EXIT.ok);
      expect(terminal.lines.at(-1)).toMatch(/^generation 2 against 1: \d+ rows, all the same$/);
      await pauseProjection(installation, terminal, 'accounts', 'to look at it');
      expect(terminal.lines.at(-1)).toBe('accounts is paused');
      await expect(rebuildProjection(installation, terminal, 'accounts', wait)).rejects.toMatchObject({
        message: 'accounts is paused: resume it first',
        exitCode: EXIT.found,
      });
      await changeProjection(installation, terminal, 'accounts', 'resume');
      expect(await statusOf('accounts')).toMatchObject({ state: 'live' });
      expect(await rebuildProjection(installation, terminal, 'accounts', { ...wait, wait: false })).toBe(EXIT.ok);
      expect(await listDeadLetters(installation, terminal, 'accounts', text)).toBe(EXIT.ok);
      await showChecksums(installation, terminal, 'timeline', text);
      expect(terminal.lines.at(-1)).toMatch(/timeline\.\S+$/);
    });
  });

  test('a wait that is interrupted says that the server goes on', async () => {
    await whileRunning(async () => {
      const client = await installation.connect();
      await client?.call({ method: 'projections.throttle', factsPerSecond: 1 });
      client?.close();
      const signal = AbortSignal.abort();
      await expect(rebuildProjection(installation, terminal, 'timeline', { ...wait, signal })).rejects.toMatchObject({
        message: expect.stringContaining('the server goes on'),
        exitCode: EXIT.interrupted,
      });
    });
  });
});
