import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { isSaidAgain } from '#event-store/shorten-stream';
import { systemClock } from '#kernel/clock';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ForgetfulEventStore } from '#testing/forgetful-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { decideNewVersion } from './decide/backup-versions.js';
import { type BackedUpSession, type BackupState, backupStream, type SessionBackedUp } from './facts/backup-facts.js';
import { type DecideBackup, KeyBackups } from './key-backups.js';
import { keyBackupProjector } from './projections/key-backup.projector.js';

const ALICE = { userId: '@alice:a.example' as UserId, deviceId: 'A' as DeviceId } as Requester;

describe('what becomes of the keys of a backup', () => {
  let log: ForgetfulEventStore;
  let version: string;
  beforeEach(async () => {
    log = new ForgetfulEventStore();
    const { last } = await processWith({}).changeVersions(ALICE, (_, next) => decideNewVersion(next, 'a', {}));
    version = String(last);
  });

  /** One process, whose views show all unless told otherwise. */
  const processWith = (views: Partial<Views>): KeyBackups => {
    const shown = {
      history: LogHistory.UNBROKEN,
      whenProcessed: async () => {},
      whenKept: async () => {},
      confirm: async () => {},
      position: () => log.facts.at(-1)?.position ?? START,
      ...views,
    };
    return new KeyBackups(log, systemClock, shown as unknown as Views, new MemoryReadModels());
  };
  /** One key more. */
  const one: DecideBackup = async ({ count }, etag) => {
    const session = { first_message_index: 0, forwarded_count: 0, is_verified: false, session_data: {} };
    const named = { room_id: '!r:a.example' as RoomId, session_id: `s${count}` };
    const data: SessionBackedUp = { ...session, ...named, count: count + 1, etag };
    return [{ type: 'session-backed-up', data }];
  };
  const change = (by: KeyBackups, decide = one): Promise<BackupState> =>
    by.change(ALICE, version, { mustBeCurrent: true, decide });
  const written = (): number => log.facts.filter(({ stream }) => stream === backupStream(ALICE.userId, version)).length;

  const KEPT: BackedUpSession = { first_message_index: 0, forwarded_count: 0, is_verified: false, session_data: {} };
  const ROOM = '!r:a.example' as RoomId;
  const put =
    (sessionId: string, count: number): DecideBackup =>
    async (_, etag) => [
      { type: 'session-backed-up', data: { ...KEPT, room_id: ROOM, session_id: sessionId, count, etag } },
    ];
  const remove =
    (count: number, ...ids: string[]): DecideBackup =>
    async (_, etag) => [{ type: 'sessions-removed', data: { sessions: { [ROOM]: ids }, count, etag } }];

  it('lets go of which keys were removed once no view has them any more, behind what was stored of them', async () => {
    const asked: unknown[] = [];
    let keep = (): void => {};
    const kept = new Promise<void>((resolve) => (keep = resolve));
    const backups = processWith({ whenKept: async (...args) => (asked.push(args), kept) });
    for (const decide of [put('a', 1), put('b', 2), remove(1, 'a'), remove(0, 'b')]) await change(backups, decide);
    await expect.poll(() => asked.length).toBe(1);
    expect(asked).toEqual([[log.facts.at(-1)!.position, ['backed-up-keys']]]);
    const types = (): string[] => log.facts.slice(1).map(({ type }) => type);
    expect(types()).toEqual(['sessions-removed', 'sessions-removed']);
    keep();
    await expect.poll(types).toEqual(['sessions-removed']);
  });

  it('keeps in no view a key that was removed, or stored again, wherever it stands while they go from the log', async () => {
    const backups = processWith({});
    for (let n = 0; n < 300; n++) await change(backups, put('again', 1));
    for (const decide of [put('gone', 2), put('back', 3), remove(1, 'gone', 'back'), put('back', 2)])
      await change(backups, decide);
    for (let n = 0; n < 300; n++) await change(backups, put('again', 2));
    await expect.poll(written).toBeLessThan(150);
    await change(backups, put('last', 3));
    const ways = await log.rowsWhileForgetting(keyBackupProjector);
    expect(ways).toHaveLength(1);
    expect(Object.keys(JSON.parse(ways[0]!) as object).filter((key) => key.startsWith('backed-up-keys'))).toEqual(
      ['again', 'back', 'last'].map((id) => `backed-up-keys ${ALICE.userId} 0000000001 ${ROOM} ${id}`),
    );
  });

  it('says nothing again of a backup out of which all keys were taken at once', async () => {
    const whenKept = vi.fn<() => Promise<void>>();
    const backups = processWith({ whenKept });
    for (const decide of [put('a', 1), put('b', 2), remove(0, 'a', 'b')]) await change(backups, decide);
    await expect.poll(written).toBe(1);
    expect([whenKept.mock.calls, log.facts.filter(isSaidAgain)]).toEqual([[], []]);
  });

  it('is decided again where another process was faster', async () => {
    const [first, second] = [processWith({}), processWith({})];
    let decided = 0;
    const { count } = await change(first, async (state, etag) => {
      if (decided++ === 0) await change(second);
      return one(state, etag);
    });
    expect([count, decided, written()]).toEqual([2, 2, 2]);
  });

  it('is decided again where another process put another key in the place of one, of which there are as many', async () => {
    const [first, second] = [processWith({}), processWith({})];
    const again: DecideBackup = ({ count, etag: last }, etag) => one({ count: count - 1, etag: last }, etag);
    await change(first);
    let decided = 0;
    const { count } = await change(first, async (state, etag) => {
      if (decided++ === 0) expect((await change(second, again)).count).toBe(1);
      return one(state, etag);
    });
    expect([count, decided, written()]).toEqual([2, 2, 3]);
  });

  it('is not decided while the views do not show what was decided before', async () => {
    let shown: Position | undefined;
    const process = processWith({ position: () => shown ?? log.facts.at(-1)!.position });
    await change(process);
    shown = START;
    await expect(change(process)).rejects.toThrow(ViewsUnavailable);
    expect(written()).toBe(1);
  });

  it('is not written where it was decided upon views that have gone meanwhile', async () => {
    const process = processWith({ confirm: () => Promise.reject(new ViewsUnavailable('gone')) });
    await expect(change(process)).rejects.toThrow(ViewsUnavailable);
    expect(written()).toBe(0);
  });
});
