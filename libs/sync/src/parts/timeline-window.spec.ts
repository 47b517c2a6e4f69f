import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import type { Row, ScanOptions } from '#read-models/read-model-store';
import { timelineRowOf, waitingRowOf } from '#rooms/projections/make-row';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { MemoryReadModels } from '#testing/memory-read-models';
import { RecentRows } from './recent-rows.js';
import { readWindow } from './timeline-window.js';

const room = '!r:x' as RoomId;

/** A timeline of events at the positions 1 to `count`; every third is a state event, and at one of them the state was resolved. */
async function timelineOf(count: number, resolved?: number): Promise<MemoryReadModels & { scans: ScanOptions[] }> {
  const store = Object.assign(new MemoryReadModels(), { scans: [] as ScanOptions[] });
  const rows = Array.from({ length: count }, (_, i) => {
    const position = positionOf(i + 1);
    const state = (i + 1) % 3 === 0 ? { state_key: '' } : {};
    const pdu = { type: 'm', sender: '@a:x', origin_server_ts: 0, depth: i, content: {}, ...state };
    const event_id = `$${i + 1}` as EventId;
    const more = { visibility: 'shared', room_version: '12', lenient: false, isResolved: i + 1 === resolved } as const;
    const value = timelineRowOf({ event_id, position, pdu, ...more });
    return { collection: 'timeline', key: [room, position], value };
  });
  await store.write(rows);
  const scan = store.scan.bind(store);
  store.scan = (collection: string, options: ScanOptions): Promise<Row[]> => {
    store.scans.push(options);
    return scan(collection, options);
  };
  return store;
}

const ids = (rows: readonly TimelineRow[]): number[] => rows.map(({ header }) => Number(header.eventId.slice(1)));

describe('readWindow', () => {
  it('shows the newest events up to the limit, in order, and says whether there are more', async () => {
    const store = await timelineOf(20);
    const window = (limit: number, after?: number) =>
      readWindow(
        new RecentRows(store, room, positionOf(18), limit + 1, after === undefined ? undefined : positionOf(after)),
        { after: after === undefined ? undefined : positionOf(after), limit, shows: () => true },
      );
    expect(await window(3).then(({ shown, limited }) => [ids(shown), limited])).toEqual([[16, 17, 18], true]);
    expect(await window(3, 15).then(({ shown, limited }) => [ids(shown), limited])).toEqual([[16, 17, 18], false]);
    expect(await window(3, 14).then(({ limited }) => limited)).toBe(true);
    expect(await window(50).then(({ shown, limited }) => [shown.length, limited])).toEqual([18, false]);
    expect(await window(0, 17).then(({ shown, limited }) => [shown.length, limited])).toEqual([0, true]);
  });

  it('looks past what is hidden, and keeps the state events among it', async () => {
    const store = await timelineOf(200);
    const recent = new RecentRows(store, room, positionOf(200), 3);
    const shows = ({ header }: TimelineRow): boolean =>
      header.stateKey === undefined && Number(header.eventId.slice(1)) < 100;
    const { shown, hidden, limited } = await readWindow(recent, { after: undefined, limit: 2, shows });
    expect(ids(shown)).toEqual([97, 98]);
    expect(ids(hidden).at(-1)).toBe(198);
    expect(limited).toBe(true);
  });

  it('keeps hidden redactions that took effect, apart from the state', async () => {
    const store = await timelineOf(3);
    const pdu = { type: 'm.room.redaction', sender: '@a:x', origin_server_ts: 0, depth: 4, content: {}, redacts: '$3' };
    for (const at of [4, 5]) {
      const [event_id, position] = [`$${at}` as EventId, positionOf(at)];
      const row = timelineRowOf({ event_id, position, pdu, visibility: 'shared', room_version: '10', lenient: false });
      await store.write([{ collection: 'timeline', key: [room, position], value: waitingRowOf(row, at === 5) }]);
    }
    const window = (shows: boolean) =>
      readWindow(new RecentRows(store, room, positionOf(5), 6), { after: undefined, limit: 9, shows: () => shows });
    const [shown, hidden] = [await window(true), await window(false)];
    expect([ids(shown.redactions), ids(hidden.redactions), ids(hidden.hidden)]).toEqual([[], [4], [3]]);
  });

  it('begins after an event whose state key has a hidden one last, for who folds the state from it', async () => {
    const store = await timelineOf(20);
    const window = (isFolded: boolean, hidden: string) =>
      readWindow(new RecentRows(store, room, positionOf(20), 21), {
        after: undefined,
        limit: 20,
        shows: ({ header }) => header.eventId !== hidden,
        isSo: isFolded ? () => Promise.resolve(true) : undefined,
      });
    const folded = await window(true, '$18');
    expect([ids(folded.shown), ids(folded.hidden), folded.limited]).toEqual([[16, 17, 19, 20], [18], true]);
    const plain = await window(false, '$18');
    expect([plain.shown.length, plain.limited]).toEqual([19, false]);
    // Where a later one is shown the client folds the state right.
    const overtaken = await window(true, '$15');
    expect([overtaken.shown.length, overtaken.limited]).toEqual([19, false]);
  });

  it('leaves out a state event that is no more, where resolution replaced it, for who folds the state from it', async () => {
    const asked: number[] = [];
    const window = async (isFolded: boolean, resolved: number) => {
      const recent = new RecentRows(await timelineOf(20, resolved), room, positionOf(20), 21);
      const isSo = (row: TimelineRow): Promise<boolean> => {
        asked.push(...ids([row]));
        return Promise.resolve(row.header.eventId === '$12');
      };
      const options = { after: undefined, limit: 20, shows: () => true, isSo: isFolded ? isSo : undefined };
      return readWindow(recent, options);
    };
    const folded = await window(true, 19);
    expect(ids(folded.shown)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20]);
    expect([folded.limited, folded.isResolved, asked]).toEqual([false, true, [18, 15, 12]]);
    // What came after the resolution, or after what came after it, is so.
    expect((await window(true, 17)).shown).toHaveLength(20);
    expect((await window(false, 19)).shown).toHaveLength(20);
    expect(asked).toEqual([18, 15, 12]);
  });

  it('gives up where nothing is to be shown for long, and calls that limited', async () => {
    const store = await timelineOf(1_100);
    const recent = new RecentRows(store, room, positionOf(1_100), 11);
    const { shown, limited } = await readWindow(recent, { after: undefined, limit: 10, shows: () => false });
    expect([shown.length, limited]).toEqual([0, true]);
  });
});

describe('RecentRows', () => {
  it('reads once for all who ask, and no further than anybody asks', async () => {
    const store = await timelineOf(100);
    const recent = new RecentRows(store, room, positionOf(100), 5, positionOf(98));
    const rows = await Promise.all([recent.at(0), recent.at(1), recent.at(0)]);
    expect(rows.map((row) => row?.header.eventId)).toEqual(['$100', '$99', '$100']);
    expect(store.scans).toHaveLength(1);
  });

  it('goes on behind its beginning where somebody asks for more', async () => {
    const store = await timelineOf(100);
    const recent = new RecentRows(store, room, positionOf(100), 5, positionOf(98));
    expect((await recent.at(2))?.header.eventId).toBe('$98');
    expect((await recent.at(99))?.header.eventId).toBe('$1');
    expect(await recent.at(100)).toBeUndefined();
  });
});
