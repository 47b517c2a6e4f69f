import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Reports } from '#admin/reports/reports';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { systemClock } from '#kernel/clock';
import type { EventId, RoomId } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { DataFolder } from '#testing/data-folder';
import { ALICE, BOB } from '#testing/local-room';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { closeReport, listAllReports, showReport } from './run-reports.js';

let folder: DataFolder;
let terminal: RecordedTerminal;
const thing = { kind: 'event', room_id: '!r:a.example' as RoomId, event_id: '$e' as EventId, sender: BOB } as const;

beforeEach(async () => {
  terminal = recordedTerminal();
  folder = new DataFolder();
  await folder.fill();
  await folder.write(async (store) => {
    const reports = new Reports(new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS), systemClock);
    await reports.add(ALICE, thing, { reason: 'rude\nand loud', content: { body: 'boo' } }, { actor: ALICE });
    await reports.add(ALICE, { kind: 'user', user_id: BOB }, { reason: 'again' }, { actor: ALICE });
  });
});
afterEach(() => folder.remove());

describe('the reports of users', () => {
  test('are listed in one line each, shown whole, and gone from the log once they are closed', async () => {
    const installation = testInstallation(folder.path);
    expect(await listAllReports(installation, terminal, { json: false, all: false })).toBe(EXIT.ok);
    expect(terminal.lines.join('\n')).toMatch(
      /0 .*@alice:a\.example.*\$e by @bob:a\.example in !r:a\.example.*rude and loud/,
    );
    expect(terminal.lines).toHaveLength(3);
    await showReport(installation, terminal, 0);
    expect(terminal.lines.at(-1)).toContain('"body": "boo"');
    expect(await closeReport(installation, terminal, 0)).toBe(EXIT.ok);
    expect(await closeReport(installation, terminal, 0)).toBe(EXIT.ok);
    terminal = recordedTerminal();
    await listAllReports(installation, terminal, { json: true, all: false });
    expect(terminal.lines.map((line) => JSON.parse(line).id)).toEqual([1]);
    await listAllReports(installation, terminal, { json: true, all: true });
    expect(terminal.lines.map((line) => JSON.parse(line).isClosed)).toEqual([false, true, false]);
    await folder.write(async (store) => {
      for await (const { data } of store.readStream('reports')) expect(data).not.toMatch(/rude|boo/);
    });
  });

  test('that are not there cannot be shown nor closed', async () => {
    const installation = testInstallation(folder.path);
    for (const run of [showReport, closeReport])
      await expect(run(installation, terminal, 2)).rejects.toMatchObject({ exitCode: EXIT.found });
  });
});
