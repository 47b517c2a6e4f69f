import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import type { UserId } from '#kernel/ids';
import type { Projector } from '#projections/projector';
import { project, type StreamFact } from '#testing/project';
import { accountDataProjector } from './account-data.projector.js';
import { accountsProjector, ERASED_USERS } from './accounts.projector.js';
import { devicesProjector } from './devices.projector.js';
import { externalIdsProjector } from './external-ids.projector.js';
import { filtersProjector } from './filters.projector.js';
import { profilesProjector } from './profiles.projector.js';
import { registrationTokensProjector } from './registration-tokens.projector.js';
import { upstreamSessionsProjector } from './upstream-sessions.projector.js';

const room = '!room:example.org';
const alice = (type: string, data: object): StreamFact => ({ stream: 'user-@alice:example.org', type, data });
const registered = alice('account-registered', { user_id: '@alice:example.org', kind: 'user', via: 'open' });
const added = (device_id: string, token_hash: string, more: object = {}): StreamFact =>
  alice('device-added', { device_id, token_hash, ...more });
const refreshed = (used: string, n: number): StreamFact =>
  alice('tokens-refreshed', { device_id: 'D', used, token_hash: `at${n}`, refresh_hash: `rt${n}`, expires_at: n });

async function keysOf(projector: Projector, facts: readonly StreamFact[]): Promise<string[]> {
  return Object.keys(await project(projector, facts));
}

const token = (type: string, data: object): StreamFact => ({ stream: 'registration-token-abc', type, data });

describe('the views of accounts', () => {
  it('know who is here, who administers, who is gone', async () => {
    const key = 'accounts @alice:example.org';
    const facts = [registered, alice('admin-changed', { admin: true })];
    expect(await project(accountsProjector, facts)).toEqual({ [key]: { created_ts: 1, via: 'open', admin: true } });
    const end = alice('account-deactivated', { erase: true });
    expect(await project(accountsProjector, [...facts, end])).toEqual({
      [key]: { created_ts: 1, via: 'open', deactivated: true, erased: true },
      'erased-users @alice:example.org': expect.anything(),
    });
    const kept = await project(accountsProjector, [...facts, alice('account-deactivated', { erase: false })]);
    expect(Object.keys(kept)).toEqual([key]);
  });

  it('know of each time at which somebody was erased, and when their account was opened again', async () => {
    const [end, again] = [alice('account-deactivated', { erase: true }), alice('account-reopened', {})];
    const rowsAfter = async (...more: readonly StreamFact[]): Promise<unknown[]> => {
      const rows = await project(accountsProjector, [registered, ...more]);
      return [rows['accounts @alice:example.org'], rows['erased-users @alice:example.org']];
    };
    const first = { at: positionOf(2), until: { position: positionOf(3), ts: 3 } };
    const open = { created_ts: 1, via: 'open' };
    expect(await rowsAfter(end, again)).toEqual([open, [first]]);
    const erased = { ...open, deactivated: true, erased: true };
    expect(await rowsAfter(end, again, end)).toEqual([erased, [first, { at: positionOf(4) }]]);
    const closed = alice('account-deactivated', { erase: false });
    expect(await rowsAfter(closed, again)).toEqual([open, undefined]);
    expect(await rowsAfter(end, again, closed)).toEqual([{ ...open, deactivated: true }, [first]]);
  });

  it('are made anew before they are read where they say of somebody no more than one place at which they were erased', async () => {
    const written = new Map([['@alice:example.org', positionOf(21)]]);
    const rows = { get: async (_: string, [user = '']: readonly string[]) => written.get(user) };
    await expect(async () => ERASED_USERS.get(rows, ['@alice:example.org' as UserId])).rejects.toThrow('JSON');
    expect(accountsProjector.readableSince).toBe(7);
  });

  it('say again whose accounts elsewhere are whose, where these were not erased and nobody has them since', async () => {
    const linked = (user: string, id: string): StreamFact => {
      const data = { provider: 'p', id_hash: id, subject: id };
      return { stream: `user-@${user}:example.org`, type: 'external-id-linked', data };
    };
    const ownersAfter = async (...more: readonly StreamFact[]): Promise<unknown> => {
      const rows = await project(externalIdsProjector, [linked('alice', '1'), linked('alice', '2'), ...more]);
      return Object.fromEntries(Object.entries(rows).filter(([key]) => key.startsWith('external-id-owners')));
    };
    const end = (erase: boolean): StreamFact => alice('account-deactivated', { erase });
    const again = alice('account-reopened', {});
    const [one, two] = ['external-id-owners 1', 'external-id-owners 2'];
    expect(await ownersAfter(end(false))).toEqual({});
    expect(await ownersAfter(end(false), again)).toEqual({ [one]: '@alice:example.org', [two]: '@alice:example.org' });
    expect(await ownersAfter(end(false), linked('bob', '2'), again)).toEqual({
      [one]: '@alice:example.org',
      [two]: '@bob:example.org',
    });
    expect(await ownersAfter(end(true), again)).toEqual({});
  });

  it('have a row for every valid token and none for others', async () => {
    const session = [
      added('D', 'at0', { refresh_hash: 'rt0', expires_at: 7, display_name: 'mine' }),
      added('E', 'at-e'),
    ];
    const rows = await project(devicesProjector, [...session, refreshed('rt0', 1), refreshed('rt0', 2)]);
    const owner = { user: '@alice:example.org', device: 'D' };
    expect(rows).toMatchObject({
      'devices @alice:example.org D': { display_name: 'mine', created_ts: 1 },
      'devices @alice:example.org E': { created_ts: 2, current: { token_hash: 'at-e' } },
      'tokens at-e': { user: '@alice:example.org', device: 'E' },
      'tokens at0': { ...owner, expires_at: 7 },
      'tokens at2': { ...owner, expires_at: 2, pending: true },
      'refresh-tokens rt0': owner,
      'refresh-tokens rt2': owner,
    });
    expect(Object.keys(rows)).toHaveLength(7);
    const confirmed = alice('tokens-confirmed', { device_id: 'D', token_hash: 'at1' });
    expect(await project(devicesProjector, [session[0]!, refreshed('rt0', 1), confirmed])).toEqual({
      'devices @alice:example.org D': {
        display_name: 'mine',
        created_ts: 1,
        login: 0,
        current: { token_hash: 'at1', refresh_hash: 'rt1', expires_at: 1 },
      },
      'tokens at1': { ...owner, expires_at: 1 },
      'refresh-tokens rt1': owner,
    });
  });

  it('forget the tokens of a device that is removed, or logged in again', async () => {
    const renamed = alice('device-renamed', { device_id: 'D', display_name: 'new' });
    const removed = alice('devices-removed', { device_ids: ['D', 'E'], reason: 'deleted' });
    const facts = [added('D', 'at0', { refresh_hash: 'rt0' }), added('D', 'at1'), renamed, added('E', 'at2')];
    expect(await keysOf(devicesProjector, facts)).toEqual([
      'devices @alice:example.org D',
      'devices @alice:example.org E',
      'tokens at1',
      'tokens at2',
    ]);
    expect(await keysOf(devicesProjector, [...facts, removed])).toEqual([]);
    expect(await keysOf(devicesProjector, [...facts, removed, added('D', 'at3')])).toEqual([
      'devices @alice:example.org D',
      'tokens at3',
    ]);
  });

  it('know whose a session at a provider is for as long as it lasts', async () => {
    const begun = (user: string, provider: string, sid_hash: string): StreamFact => ({
      stream: `user-@${user}:example.org`,
      type: 'upstream-session-begun',
      data: { provider, sid_hash },
    });
    const facts = [
      begun('alice', 'p', '1'),
      begun('alice', 'p', '2'),
      begun('alice', 'q', '1'),
      begun('bob', 'p', '3'),
    ];
    const rowsAfter = (...more: readonly StreamFact[]): Promise<string[]> =>
      keysOf(upstreamSessionsProjector, [...facts, ...more]);
    const rowsOf = (user: string, ...sessions: readonly string[]): string[] =>
      sessions.flatMap((session) => [
        `upstream-sessions @${user}:example.org ${session}`,
        `upstream-session-owners ${session}`,
      ]);
    const bobs = rowsOf('bob', 'p 3');
    const ended = (of: object): StreamFact => alice('upstream-sessions-ended', of);
    const all = [...rowsOf('alice', 'p 1', 'p 2', 'q 1'), ...bobs];
    expect((await rowsAfter()).toSorted()).toEqual(all.toSorted());
    const one = await rowsAfter(ended({ provider: 'p', sid_hash: '1' }));
    expect(one.toSorted()).toEqual([...rowsOf('alice', 'p 2', 'q 1'), ...bobs].toSorted());
    const ofOthers = await rowsAfter(ended({ provider: 'p', sid_hash: '3' }));
    expect(ofOthers.toSorted()).toEqual(all.toSorted());
    expect((await rowsAfter(ended({ provider: 'p' }))).toSorted()).toEqual(
      [...rowsOf('alice', 'q 1'), ...bobs].toSorted(),
    );
    // In the same browser somebody else has shown who they are since.
    const taken = begun('bob', 'p', '1');
    const bobsNow = [...bobs, ...rowsOf('bob', 'p 1')].toSorted();
    for (const end of [ended({ provider: 'p' }), ended({ provider: 'p', sid_hash: '1' })])
      expect(await rowsAfter(taken, end)).toEqual(expect.arrayContaining(bobsNow));
    const closed = await rowsAfter(taken, alice('account-deactivated', { erase: false }));
    expect(closed.toSorted()).toEqual(bobsNow);
  });

  it('show a profile as it was set, and an empty one after erasure', async () => {
    const set = (key: string, value: unknown): StreamFact => alice('profile-changed', { key, value });
    const facts = [registered, set('displayname', 'Alice'), set('m.tz', 'UTC'), set('displayname', 'A')];
    const key = 'profiles @alice:example.org';
    expect(await project(profilesProjector, facts)).toEqual({ [key]: { displayname: 'A', 'm.tz': 'UTC' } });
    const removed = alice('profile-changed', { key: 'displayname', removed: true });
    expect(await project(profilesProjector, [...facts, removed])).toEqual({ [key]: { 'm.tz': 'UTC' } });
    const kept = await project(profilesProjector, [...facts, alice('account-deactivated', { erase: false })]);
    expect(kept).toEqual({ [key]: { displayname: 'A', 'm.tz': 'UTC' } });
    const erased = await project(profilesProjector, [...facts, alice('account-deactivated', { erase: true })]);
    expect(erased).toEqual({ [key]: {} });
  });

  it('have each piece of account data once, in the data and in the log of changes', async () => {
    const set = (type: string, content: object, room_id?: string): StreamFact =>
      alice('account-data-set', { type, content, room_id });
    const facts = [
      set('a', { n: 1 }),
      set('a', { n: 2 }, room),
      set('a', { n: 3 }),
      alice('tag-set', { room_id: room, tag: 'u.x', content: { order: 0.1 } }),
      alice('tag-set', { room_id: room, tag: 'u.y', content: {} }),
      alice('tag-removed', { room_id: room, tag: 'u.x' }),
      alice('push-rule-removed', { kind: 'room', rule_id: room }),
    ];
    const user = '@alice:example.org';
    expect(await project(accountDataProjector, facts)).toEqual({
      [`account-data ${user}  a`]: `${positionOf(3)}{"n":3}`,
      [`account-data ${user}  m.push_rules`]: positionOf(7),
      [`account-data ${user} ${room} a`]: `${positionOf(2)}{"n":2}`,
      [`account-data ${user} ${room} m.tag`]: `${positionOf(6)}{"tags":{"u.y":{}}}`,
      [`account-data-log ${user} ${positionOf(2)}`]: [room, 'a'],
      [`account-data-log ${user} ${positionOf(3)}`]: ['', 'a'],
      [`account-data-log ${user} ${positionOf(6)}`]: [room, 'm.tag'],
      [`account-data-log ${user} ${positionOf(7)}`]: ['', 'm.push_rules'],
    });
    const kept = [...facts, { ...set('b', {}), stream: 'user-@bob:example.org' }];
    expect(await keysOf(accountDataProjector, [...kept, alice('account-deactivated', { erase: true })])).toEqual([
      'account-data @bob:example.org  b',
      `account-data-log @bob:example.org ${positionOf(8)}`,
    ]);
  });

  it('erase more account data than one scan finds', async () => {
    const many = Array.from({ length: 1201 }, (_, i) => alice('account-data-set', { type: `t${i}`, content: {} }));
    const { applyFacts, recordFacts, rowsOf } = await import('#testing/project');
    const { MemoryReadModels } = await import('#testing/memory-read-models');
    const store = new MemoryReadModels();
    const facts = recordFacts([...many, alice('account-deactivated', { erase: true })]);
    await applyFacts(accountDataProjector, facts, store);
    expect(await rowsOf(accountDataProjector, store)).toEqual({});
  });

  it('have filters as they were uploaded', async () => {
    const created = alice('filter-created', { filter_id: 'f1', filter: { room: { rooms: [] } } });
    expect(await project(filtersProjector, [created])).toEqual({
      'filters @alice:example.org f1': { room: { rooms: [] } },
    });
  });

  it('count the uses of a registration token, each once', async () => {
    const use = token('registration-token-used', { user_id: '@alice:example.org' });
    const facts = [token('registration-token-created', { uses_allowed: 5 }), use, use];
    const returned = token('registration-token-returned', { user_id: '@alice:example.org' });
    expect(await project(registrationTokensProjector, [...facts, returned])).toEqual({
      'registration-tokens abc': {
        exists: true,
        used: 1,
        revoked: false,
        uses_allowed: 5,
        created_ts: 1,
        revision: 3,
      },
    });
  });
});
