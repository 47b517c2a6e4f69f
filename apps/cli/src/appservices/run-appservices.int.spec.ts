import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ServiceNotes } from '#appservices/sending/service-notes';
import { listServices } from '#appservices/sending/service-status';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { serviceMethods } from '#homeserver/service-methods';
import { systemClock } from '#kernel/clock';
import { startControlServer } from '#projections/control-server';
import { DataFolder } from '#testing/data-folder';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import type { Installation } from '../installation.js';
import { listAppservices, skipTransaction } from './run-appservices.js';

let folder: DataFolder;
let installation: Installation;
let terminal: RecordedTerminal;

beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
  installation = testInstallation(folder.path);
  terminal = recordedTerminal();
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const notes = new ServiceNotes(store, systemClock);
  const begun = await notes.begin('bridge');
  const data = {
    number: 1,
    made_at: 1_700_000_000_000,
    up_to: begun.data.up_to,
    streams: ['room-!r:a'],
    events: [[0, 1]],
  } as const;
  await notes.write('bridge', begun, { type: 'service-transaction', data });
  await notes.begin('another');
  await store.close();
});
afterEach(() => folder.remove());

const text = { json: false };

/** Answers as a running server does whose bridge takes nothing. */
async function whileRunning(work: () => Promise<void>): Promise<void> {
  const store = await openLmdbEventStore(join(folder.path, 'log'));
  const notes = new ServiceNotes(store, systemClock);
  const methods = serviceMethods({
    list: async () =>
      (await listServices(store, notes)).map((status) =>
        status.underWay === undefined ? status : { ...status, refused: { tries: 7, reason: 'it answered 500' } },
      ),
    skip: async (id, transaction) => void (await notes.skip(id, transaction)),
  });
  const control = await startControlServer(join(folder.path, 'control.sock'), methods);
  try {
    await work();
  } finally {
    await control.close();
    await store.close();
  }
}

describe('what application services are sent', () => {
  test('is listed, with what is refused and since when, and passed over', async () => {
    await whileRunning(async () => {
      expect(await listAppservices(installation, terminal, text)).toBe(EXIT.found);
      expect(terminal.lines[2]).toMatch(/^bridge +1 +\S+Z +1 +1 +2023-11-14T22:13:20\.000Z +7 +it answered 500$/);
      await expect(skipTransaction(installation, terminal, 'bridge', '2')).rejects.toMatchObject({
        exitCode: EXIT.found,
        message: 'bridge is not being sent a transaction 2',
      });
      expect(await skipTransaction(installation, terminal, 'bridge', '1')).toBe(EXIT.ok);
      expect(await listAppservices(installation, recordedTerminal(), text)).toBe(EXIT.ok);
    });
  });

  test('is listed and passed over while the server does not run', async () => {
    expect(await listAppservices(installation, terminal, { json: true })).toBe(EXIT.ok);
    expect(terminal.lines.map((line) => JSON.parse(line) as object)).toEqual([
      { id: 'another', transactions: 0, upTo: expect.any(Number) },
      {
        id: 'bridge',
        transactions: 1,
        upTo: expect.any(Number),
        underWay: { id: '1', events: 1, since: 1_700_000_000_000 },
      },
    ]);
    expect(await skipTransaction(installation, terminal, 'bridge', '1')).toBe(EXIT.ok);
    expect(terminal.lines.at(-1)).toBe('transaction 1 is not sent to bridge any more: it goes on with the next');
    await expect(skipTransaction(installation, terminal, 'bridge', '1')).rejects.toMatchObject({
      exitCode: EXIT.found,
    });
  });
});
