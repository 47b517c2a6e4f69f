import { describe, expect, it } from 'vitest';
import type { ExternalIds } from '#accounts/external-ids';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { EarlyLogouts } from './early-logouts.js';
import { FindLoggedOut } from './find-logged-out.js';
import type { UpstreamSessions } from './upstream-sessions.js';

const [BEFORE, HEAD] = ['1' as Position, '2' as Position];
const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];

describe('whose sessions end by a log-out', () => {
  /** `rows`: of the view, as it is once it is where the log is, where it gets there. */
  function whose(
    rows: Readonly<Record<string, UserId>>,
    { isPaused = false, isCurrent = false, owner }: { isPaused?: boolean; isCurrent?: boolean; owner?: UserId } = {},
  ) {
    const noted: string[] = [];
    let at = isCurrent ? HEAD : BEFORE;
    const views = {
      position: () => at,
      whenProcessed: async (position: Position) => void (at = isPaused ? at : position),
      get: async (_: string, key: readonly unknown[]) => (at === HEAD ? rows[String(key[1])] : undefined),
    };
    const externalIds = { find: async () => owner } as unknown as ExternalIds;
    const sessions = {
      nameOf: ({ subject }: { subject: string }) => `name of ${subject}`,
    } as unknown as UpstreamSessions;
    const early = {
      noteSession: async (_: string, sid: string) => void noted.push(sid),
      noteAccount: async (_: string, name: string) => void noted.push(name),
    } as unknown as EarlyLogouts;
    const find = new FindLoggedOut(externalIds, sessions, early, views as never, { head: async () => HEAD });
    return { find, noted };
  }

  it('is told by the views once they are where the log is', async () => {
    const { find, noted } = whose({ sid: ALICE });
    expect([...(await find.find('p', { sidHash: 'sid', tokenId: 'a' }))]).toEqual([ALICE]);
    expect(noted).toEqual([]);
  });

  it('is not known where they do not get there, but for whom the log tells', async () => {
    const late = whose({ sid: ALICE }, { isPaused: true });
    await expect(late.find.find('p', { sidHash: 'sid', tokenId: 'a' })).rejects.toThrow(ViewsUnavailable);
    const known = whose({}, { isPaused: true, owner: BOB });
    expect([...(await known.find.find('p', { subject: 's', tokenId: 'a' }))]).toEqual([BOB]);
  });

  it('is who has such a session by an account that is another’s by now, besides that one', async () => {
    const { find } = whose({ sid: ALICE, 'name of s': BOB }, { owner: BOB, isCurrent: true });
    const both = { subject: 's', sidHash: 'sid', tokenId: 'a' };
    expect([...(await find.find('p', both))]).toEqual([BOB, ALICE]);
    expect([...(await whose({ 'name of s': ALICE }).find.find('p', { subject: 's', tokenId: 'a' }))]).toEqual([ALICE]);
  });

  it('is noted where nobody is known, before it is looked once more', async () => {
    const { find, noted } = whose({});
    expect((await find.find('p', { sidHash: 'sid', tokenId: 'a' })).size).toBe(0);
    expect((await find.find('p', { subject: 's', tokenId: 'a' })).size).toBe(0);
    expect((await find.find('p', { subject: 's', sidHash: 'sid', tokenId: 'a' })).size).toBe(0);
    expect(noted).toEqual(['sid', 'name of s', 'sid']);
  });
});
