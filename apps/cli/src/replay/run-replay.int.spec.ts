import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listProjectors } from '#homeserver/projectors';
import { sealFacts } from '#event-store/seal-facts';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { DataFolder } from '#testing/data-folder';
import { MongoProxy } from '#testing/mongo-proxy';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { withStoppedProjections } from '../projections/open-projections.js';
import { runReplay } from './run-replay.js';

let folder: DataFolder;

beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
});
afterEach(() => folder.remove());

const { signal } = new AbortController();

const mongo = process.env['ANNALS_READ_MODELS_URL'];

async function replay(options = {}, settings = {}): Promise<{ code: number; terminal: RecordedTerminal }> {
  const terminal = recordedTerminal();
  const code = await runReplay(testInstallation(folder.path, settings), terminal, {
    json: false,
    checksums: false,
    signal,
    ...options,
  });
  return { code, terminal };
}

const names = listProjectors().map(({ name }) => name);

describe('a replay of the whole log', () => {
  test('fills views that are not there', async () => {
    const { code, terminal } = await replay();
    expect(code).toBe(EXIT.ok);
    expect(terminal.lines.slice(0, -1)).toEqual(names.map((name) => `ok    ${name}: filled`));
    expect(terminal.lines.at(-1)).toMatch(/^replayed \d+ facts through \d+ projections in .* facts a second$/);
  });

  test('rebuilds every projection and finds the same in each, again and again, and from nothing', async () => {
    const sums = async (): Promise<string[]> => {
      const { code, terminal } = await replay({ checksums: true });
      expect(code).toBe(EXIT.ok);
      return terminal.lines.filter((line) => /^ +[0-9a-f]{32} /.test(line));
    };
    const filled = await sums();
    expect(filled.length).toBeGreaterThan(names.length);
    const { terminal } = await replay();
    expect(terminal.lines.slice(0, -1)).toEqual(
      names.map((name) => expect.stringMatching(`^ok    ${name}: generation 2 against 1: \\d+ rows?, all the same$`)),
    );
    expect(await sums()).toEqual(filled);
    rmSync(join(folder.path, 'views'), { recursive: true });
    expect(await sums()).toEqual(filled);
  });

  test.skipIf(mongo === undefined)('waits for views that come over a network', async () => {
    const url = new URL(mongo ?? '');
    url.pathname = `/annals_replay_${randomUUID().slice(0, 8)}`;
    const proxy = await MongoProxy.begin(url.href);
    const settings = { ANNALS_READ_MODELS_URL: proxy.url };
    expect((await replay({}, settings)).code).toBe(EXIT.ok);
    proxy.holdAfter(0);
    const again = replay({}, settings);
    // It has looked how far they are, and found nothing, before it may take the lease.
    await delay(1000);
    proxy.comeBack();
    const { code, terminal } = await again;
    expect([code, terminal.lines[0]]).toEqual([EXIT.ok, expect.stringContaining('generation 2 against 1')]);
    await proxy.end();
  });

  test('names the projection whose rows were not those of the log, with exit code 1, and mends it', async () => {
    await replay();
    const views = await openLmdbReadModels(join(folder.path, 'views'));
    const accounts = (await views.collections()).find((name) => name.includes('accounts.accounts')) ?? '';
    await views.write([{ collection: accounts, key: ['@eve:a.example'], value: '{"created_ts":1,"admin":true}' }]);
    await views.close();

    const { code, terminal } = await replay();
    expect(code).toBe(EXIT.found);
    expect(terminal.lines.filter((line) => line.startsWith('FAIL'))).toEqual([
      'FAIL  accounts: generation 2 against 1: 1 of 3 rows differ, such as accounts @eve:a.example',
    ]);
    expect((await replay()).code).toBe(EXIT.ok);
  });

  test('stops at a fact that cannot be projected, names it, and leaves what serves alone', async () => {
    await replay();
    await folder.write(async (store) => {
      const bad = { id: randomUUID(), type: 'account-registered', data: 'not JSON', at: 1, actor: 'server' };
      await store.append('user-@mallory:a.example', 'no-stream', sealFacts(undefined, [bad]));
    });
    const { code, terminal } = await replay({ json: true });
    expect(code).toBe(EXIT.found);
    const results = terminal.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(results.find(({ projection }) => projection === 'accounts')).toMatchObject({
      ok: false,
      outcome: expect.stringContaining('user-@mallory:a.example, revision 0'),
    });
    expect(results.find(({ projection }) => projection === 'timeline')).toMatchObject({ ok: true, differences: 0 });
    expect(results.at(-1)).toMatchObject({ kind: 'summary', ok: false });
  });

  test('that is interrupted is taken up by the next one', async () => {
    await replay();
    await expect(replay({ signal: AbortSignal.abort() })).rejects.toMatchObject({ exitCode: EXIT.interrupted });
    // As an interruption leaves it: begun, and not filled yet.
    await withStoppedProjections(testInstallation(folder.path), recordedTerminal(), async (runtime) => {
      await runtime.load();
      await runtime.operations.rebuild('timeline');
    });
    const { code, terminal } = await replay();
    expect(code).toBe(EXIT.ok);
    expect(terminal.lines.filter((line) => line.startsWith('ok'))).toHaveLength(names.length);
  });
});
