import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { EffectNotes } from '#projections/effects/effect-notes';
import { DataFolder } from '#testing/data-folder';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import type { Check } from './check.js';
import { runDoctor } from './run-doctor.js';

let folder: DataFolder;

beforeEach(() => {
  folder = new DataFolder();
});
afterEach(() => folder.remove());

async function examine(settings: Record<string, string> = {}): Promise<{ code: number; checks: Map<string, Check> }> {
  const terminal = recordedTerminal();
  const code = await runDoctor(() => testInstallation(folder.path, settings), terminal, { json: true });
  const checks = terminal.lines.map((line) => JSON.parse(line) as Check);
  return { code, checks: new Map(checks.map((check) => [check.name, check])) };
}

test('a server that is well has no failures', async () => {
  await folder.fill();
  const { code, checks } = await examine();
  expect([...checks.values()].filter(({ level }) => level === 'fail')).toEqual([]);
  expect(code).toBe(EXIT.ok);
  expect(checks.get('log')?.text).toMatch(/^readable up to position 0{13}\d+, .* in .*data\.mdb$/);
  expect(checks.get('views')?.text).toContain('they follow when the server starts');
  expect(checks.get('server')?.text).toBe('not running');
  expect(checks.get('signing key')?.level).toBe('ok');
});

test('a folder nobody has used yet is well too', async () => {
  const { code, checks } = await examine();
  expect(code).toBe(EXIT.ok);
  expect(checks.get('log')?.text).toContain('the first start makes it');
});

test('what is wrong is a failure, with advice', async () => {
  await folder.fill();
  chmodSync(join(folder.path, 'keys/signing.key'), 0o644);
  const { code, checks } = await examine({ ANNALS_SERVER_NAME: 'b.example' });
  expect(code).toBe(EXIT.found);
  expect(checks.get('server name')).toMatchObject({ level: 'fail', advice: expect.stringContaining('a.example') });
  expect(checks.get('signing key')).toMatchObject({ level: 'warn', advice: expect.stringContaining('chmod 600') });
  rmSync(join(folder.path, 'keys'), { recursive: true });
  expect((await examine()).checks.get('signing key')).toMatchObject({ level: 'fail' });
});

test('effects that were given up are told, and can wait', async () => {
  await folder.fill();
  expect((await examine()).checks.get('effects')).toMatchObject({ level: 'ok' });
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const place = { key: '@a:a.example', fact: 'id', stream: 'user-@a:a.example', revision: 0, type: 'profile-changed' };
  const letter = { effect: 'profile-announcement', ...place, error: 'poison', tries: 11, at: 7 };
  await new EffectNotes(store, systemClock).change(() => [{ type: 'effect-given-up', data: { by: 'here', letter } }]);
  await store.close();
  const { code, checks } = await examine();
  expect(code).toBe(EXIT.ok);
  expect(checks.get('effects')).toMatchObject({
    level: 'warn',
    text: 'profile-announcement: what follows from 1 fact was given up',
  });
});

test('a process that holds the log without answering is told', async () => {
  await folder.fill();
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const { checks } = await examine();
  await store.close();
  expect(checks.get('server')).toMatchObject({
    level: 'warn',
    text: expect.stringContaining(`process ${process.pid}`),
  });
});

test('a wrong setting is told, and the rest is not guessed', async () => {
  const { code, checks } = await examine({ ANNALS_LISTEN: 'nowhere at all' });
  expect(code).toBe(EXIT.found);
  expect([...checks.keys()]).toEqual(['node', 'configuration']);
  expect(checks.get('configuration')?.text).toContain('ANNALS_LISTEN');
});

test('stores that do not answer are told without their passwords', async () => {
  await folder.fill();
  const { code, checks } = await examine({ ANNALS_READ_MODELS_URL: 'mongodb://user:hunter2@127.0.0.1:1/x' });
  expect(code).toBe(EXIT.found);
  expect(checks.get('database')?.level).toBe('fail');
  expect(JSON.stringify([...checks])).not.toContain('hunter2');
});
