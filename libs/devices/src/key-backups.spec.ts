import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { decideNewVersion } from './decide/backup-versions.js';
import { type BackupState, backupStream, type SessionBackedUp } from './facts/backup-facts.js';
import { type DecideBackup, KeyBackups } from './key-backups.js';

const ALICE = { userId: '@alice:a.example' as UserId, deviceId: 'A' as DeviceId } as Requester;

describe('what becomes of the keys of a backup', () => {
  let log: MemoryEventStore;
  let version: string;
  beforeEach(async () => {
    log = new MemoryEventStore();
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

  it('lets go of which keys were removed once no view has them any more', async () => {
    const asked: unknown[] = [];
    let keep = (): void => {};
    const kept = new Promise<void>((resolve) => (keep = resolve));
    const backups = processWith({ whenKept: async (...args) => (asked.push(args), kept) });
    await change(backups);
    await change(backups);
    const remove: DecideBackup = async (_, etag) => {
      const all = [0, 1].map((n) => ({ sessions: { ['!r:a.example']: [`s${n}`] }, count: 1 - n, etag }));
      return all.map((data) => ({ type: 'sessions-removed', data }));
    };
    await change(backups, remove);
    await vi.waitFor(() => expect(asked).toEqual([[log.facts.at(-1)!.position, ['backed-up-keys']]]));
    expect(written()).toBe(4);
    keep();
    await vi.waitFor(() => expect(written()).toBe(1));
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
