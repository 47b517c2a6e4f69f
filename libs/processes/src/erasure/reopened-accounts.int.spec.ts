import { CommandBus } from '@nestjs/cqrs';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { Accounts } from '#accounts/accounts';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { ProvideAccount } from '#accounts/commands/provide-account';
import { ReopenAccount } from '#accounts/commands/reopen-account';
import { ExternalIds } from '#accounts/external-ids';
import type { RecordedFact } from '#event-store/event-store';
import type { ExternalId } from '#accounts/facts/external-id-facts';
import { erasureListIn, readErasureList } from '#admin/erasures/erasure-list';
import { Erasures } from '#admin/erasures/erasures';
import { ErasuresAgain } from '#admin/erasures/erasures-again';
import { Receipts } from '#ephemeral/commands/receipts';
import type { RoomId, UserId } from '#kernel/ids';
import { EffectTries, type TryParts } from '#projections/effects/effect-tries';
import { silentLog } from '#projections/runtime-parts';
import { CompiledRules } from '#push/compiled-rules';
import { pusherAt } from '#testing/push-gateway';
import { endAtEachStep } from '#testing/end-at-each-step';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { roomPath, SyncApp, SyncUser } from '#testing/sync-app';
import { AccountErasure } from './account-erasure.effect.js';
import { KeptOfUser } from './kept-of-user.js';
import { OrderedErasures } from './ordered-erasures.effect.js';
import { Departure } from '../departure/departure.effect.js';
import { EFFECTS } from '../processes.module.js';
import { EndedStays } from '../stays/ended-stays.effect.js';
import { TAKEN_BACK_BY } from '../taken-back-by.js';

const MINUTES = 10 * 60_000;
const OPERATOR = { actor: 'server' } as const;
const REBUILT = ['accounts', 'profiles', 'names', 'external-ids', 'threepids', 'filters', 'membership', 'timeline'];

async function close(app: SyncApp, { userId }: SyncUser, erase = true): Promise<void> {
  await app.get(CommandBus).execute(new DeactivateAccount(userId as UserId, erase, OPERATOR));
}

/** They log in by the new password. */
async function reopen(app: SyncApp, { userId }: SyncUser, password = 'another'): Promise<SyncUser> {
  await app.get(CommandBus).execute(new ReopenAccount(userId as UserId, password, OPERATOR));
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password };
  const answer = await app.call('POST', '/_matrix/client/v3/login', undefined, body);
  expect([userId, answer.status]).toEqual([userId, 200]);
  return new SyncUser(app, userId, answer.body.access_token);
}

let sent = 0;
async function say(user: SyncUser, room: string, text: string): Promise<void> {
  await user.ok('PUT', `${roomPath(room)}/send/m.room.message/${sent++}`, { msgtype: 'm.text', body: text });
}

/** What somebody reads in a room of what was said. */
async function readBy(user: SyncUser, room: string): Promise<(string | undefined)[]> {
  const { chunk } = await user.ok('GET', `${roomPath(room)}/messages?dir=f&limit=100`);
  const messages = (chunk as { type: string; content: { body?: string } }[]).filter(
    ({ type }) => type === 'm.room.message',
  );
  return messages.map(({ content }) => content.body);
}

describe('an account that is opened again', () => {
  let app: SyncApp;
  let alice: SyncUser;
  let bob: SyncUser;
  let room: RoomId;

  beforeEach(async () => {
    app = await SyncApp.start();
    [alice, bob] = [await app.register('alice'), await app.register('bob')];
    room = (await bob.createRoom({ preset: 'public_chat', name: 'Kitchen' })) as RoomId;
    await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Ms Before' });
    await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    await say(alice, room, 'before');
  });
  afterEach(() => app.close());

  const comeIn = async (name: string): Promise<SyncUser> => {
    const user = await app.register(name);
    await user.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    return user;
  };
  const closingOf = async ({ userId }: SyncUser): Promise<RecordedFact> =>
    (await app.factsOf(`user-${userId}`)).find(({ type }) => type === 'account-deactivated')!;
  const found = async (term: string): Promise<string[]> => {
    const { results } = await bob.ok('POST', '/user_directory/search', { search_term: term });
    return (results as { user_id: string }[]).map(({ user_id: id }) => id);
  };
  const stay = async (user: SyncUser): Promise<string[]> => (await user.ok('GET', '/joined_rooms')).joined_rooms;

  it('has lost what was its; what was said before stays erased, and what is said since is for everybody', async () => {
    await close(app, alice);
    const carol = await comeIn('carol');
    const again = await reopen(app, alice);
    expect(await stay(again)).toEqual([]);
    expect((await bob.ok('GET', `/profile/${alice.userId}`)).displayname).toBeUndefined();
    expect((await alice.call('GET', '/account/whoami')).status).toBe(401);
    await again.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Ms Before' });
    await again.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    await say(again, room, 'after');
    const dave = await comeIn('dave');
    const read = async (): Promise<unknown[]> => Promise.all([bob, carol, dave].map((one) => readBy(one, room)));
    const expected = [
      ['before', 'after'],
      [undefined, 'after'],
      [undefined, 'after'],
    ];
    expect(await read()).toEqual(expected);
    const { joined } = await dave.ok('GET', `${roomPath(room)}/joined_members`);
    expect(joined[alice.userId].display_name).toBe('Ms Before');
    expect([await found('before'), await found('alice')]).toEqual([[alice.userId], [alice.userId]]);
    await expectSameRowsRebuilt(app, REBUILT);
    expect(await read()).toEqual(expected);

    // And once more: of what was said in between all who could read it still can.
    await close(app, again);
    const erin = await comeIn('erin');
    await expect
      .poll(async () => (await read()).concat([await readBy(erin, room)]))
      .toEqual([...expected, [undefined, undefined]]);
    const listed = readErasureList(erasureListIn(app.directory));
    expect(listed).toMatchObject([{ user_id: alice.userId }, { user_id: alice.userId, reopened: expect.any(Number) }]);
    // To a log that knows of all of it the list says nothing; not to a log that was put back to before.
    expect(await app.get(ErasuresAgain).apply(listed)).toBe(0);
    expect(await app.get(ErasuresAgain).apply([{ ...listed[1]!, reopened: 1 }])).toBe(1);
  });

  it('has what it kept where it was not erased: the name, and where others find it; not the rooms, nor the addresses', async () => {
    await alice.ok('POST', '/user/@alice:a.example/filter', { room: {} });
    await close(app, alice, false);
    expect(await found('before')).toEqual([]);
    const again = await reopen(app, alice);
    expect(await stay(again)).toEqual([]);
    expect((await bob.ok('GET', `/profile/${alice.userId}`)).displayname).toBe('Ms Before');
    await again.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    expect(await found('before')).toEqual([alice.userId]);
    expect(await readBy(await comeIn('carol'), room)).toEqual(['before']);
    await expectSameRowsRebuilt(app, REBUILT);
  });

  it('has filters made again, by what was a filter of theirs before', async () => {
    const { filter_id: id } = await alice.ok('POST', '/user/@alice:a.example/filter', { room: {} });
    await close(app, alice);
    const again = await reopen(app, alice);
    expect((await again.call('GET', `/user/@alice:a.example/filter/${id}`)).status).toBe(404);
    await again.ok('POST', '/user/@alice:a.example/filter', { room: {} });
    expect(await again.ok('GET', `/user/@alice:a.example/filter/${id}`)).toMatchObject({ room: {} });
  });

  it('has no push rule of before, whoever remembers it', async () => {
    const rule = '/pushrules/global/content/cake';
    await alice.ok('PUT', rule, { pattern: 'cake', actions: ['notify'] });
    const compiled = app.get(CompiledRules);
    expect((await compiled.of(alice.userId as UserId)).text).toContain('cake');
    await close(app, alice);
    const again = await reopen(app, alice);
    expect((await compiled.recall(alice.userId as UserId)).text).toBeUndefined();
    expect((await again.call('GET', rule)).status).toBe(404);
    expect((await again.call('PUT', `${rule}/enabled`, { enabled: false })).status).toBe(404);
    await again.ok('PUT', rule, { pattern: 'cake', actions: ['notify'] });
    expect(await again.ok('GET', rule)).toMatchObject({ pattern: 'cake', enabled: true });
    await expectSameRowsRebuilt(app, ['push-rules']);
  });

  it('has an account elsewhere again by which it came in, where nobody else has it since', async () => {
    const [ids, commands] = [app.get(ExternalIds), app.get(CommandBus)];
    const [hers, another] = ['alice', 'another'].map((subject) => ({ provider: 'idp', subject }));
    for (const id of [hers!, another!]) await ids.link(id, alice.userId as UserId, OPERATOR);
    await close(app, alice);
    await expect.poll(() => ids.find(hers!)).toBeUndefined();
    const open = (externalIds: readonly ExternalId[]): Promise<boolean> =>
      commands.execute(
        new ProvideAccount(alice.userId as UserId, { isClosed: false, password: 'another', externalIds }, OPERATOR),
      );
    await expect.poll(() => ids.link(another!, bob.userId as UserId, OPERATOR)).toBeUndefined();
    await expect(open([hers!, another!])).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect((await app.get(Accounts).load(alice.userId as UserId)).deactivated).toBe(true);
    await open([hers!]);
    expect([await ids.find(hers!), await ids.find(another!)]).toEqual([alice.userId, bob.userId]);
  });

  it('keeps what it has since where it is erased once more by how it was closed before, as by a process that stood still', async () => {
    const [userId, ids] = [alice.userId as UserId, app.get(ExternalIds)];
    const id = { provider: 'idp', subject: 'alice' };
    await ids.link(id, userId, OPERATOR);
    await close(app, alice);
    const again = await reopen(app, alice);
    await ids.link(id, userId, OPERATOR);
    await again.ok('PUT', `/profile/${userId}/displayname`, { displayname: 'Ms After' });
    const closing = await closingOf(alice);
    const listErasures = async (): Promise<string[]> => [...(await app.get(Erasures).load()).keys()];
    const [noted, end] = [await listErasures(), vi.spyOn(app.get(Receipts), 'end')];
    await app.get(AccountErasure).run(closing);
    const text = JSON.stringify(await app.factsOf(`user-${userId}`));
    expect([text.includes('Ms Before'), text.includes('Ms After')]).toEqual([false, true]);
    // Nor what it has read since; and it is not to be closed once more where a log of before comes in the place of this one.
    expect([end.mock.calls, await listErasures()]).toEqual([[], noted]);
    expect(await ids.find(id)).toBe(userId);
    await expect(ids.link(id, bob.userId as UserId, OPERATOR)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  });

  it('keeps all it has since from what follows from how it was closed, where that is looked at late or once more', async () => {
    await close(app, alice);
    const again = await reopen(app, alice);
    await again.join(room);
    await again.ok('POST', '/pushers/set', pusherAt('https://push.example.org/_matrix/push/v1/notify'));
    await again.ok('PUT', `/presence/${alice.userId}/status`, { presence: 'online', status_msg: 'back' });
    const closing = await closingOf(alice);
    const parts = { store: app.store, takenBackBy: TAKEN_BACK_BY, log: silentLog, live: app.views, retryMs: 1 };
    const due = EFFECTS.map((token) => app.get(token)).filter((effect) => effect.keyOf(closing) !== undefined);
    expect(due.length).toBeGreaterThan(12);
    const before = await app.store.head();
    for (const effect of due) {
      const tries = new EffectTries(effect, parts as unknown as TryParts, new AbortController().signal);
      expect([effect.name, await tries.run(closing, closing.stream)]).toEqual([effect.name, 'idle']);
    }
    // And those that were under way by then, at another process that stood still or had handed them over.
    for (const effect of [app.get(Departure), app.get(EndedStays)]) await effect.run(closing, async () => false);
    expect(await app.store.head()).toBe(before);
    expect(await stay(again)).toEqual([room]);
  });

  it('is not closed once more by an erasure that another process carried out while this one stood still', async () => {
    const [erasures, effect, kept] = [app.get(Erasures), app.get(OrderedErasures), app.get(KeptOfUser)];
    let goOn = (): void => {};
    const stands = new Promise<void>((resolve) => (goOn = resolve));
    const count = vi.spyOn(kept, 'count').mockImplementationOnce(() => stands.then(() => ({})));
    const id = await erasures.order({ user_id: alice.userId as UserId }, 'server');
    await expect.poll(() => count.mock.calls.length).toBe(1);
    const ordered = (await app.factsOf('erasures')).find((fact) => effect.keyOf(fact) === alice.userId)!;
    await effect.run(ordered);
    expect((await erasures.load()).get(id)?.ended).toBeDefined();
    const again = await reopen(app, alice);
    goOn();
    await expect.poll(() => app.views.effects.list().find(({ name }) => name === effect.name)?.waiting).toBe(0);
    expect((await again.call('GET', '/account/whoami')).status).toBe(200);
  });

  it('is not before all has followed from how it was closed, and stays in rooms that are joined since', async () => {
    const departure = app.get(Departure);
    let go = (): void => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    const run = departure.run.bind(departure);
    departure.run = (fact, stands) => held.then(() => run(fact, stands));
    await close(app, alice);
    const opening = app.get(CommandBus).execute(new ReopenAccount(alice.userId as UserId, 'another', OPERATOR));
    await expect(
      Promise.race([opening, new Promise((_, reject) => setTimeout(reject, 300, new Error('waits')))]),
    ).rejects.toThrow('waits');
    expect((await app.get(Accounts).load(alice.userId as UserId)).deactivated).toBe(true);
    go();
    await opening;
    const again = await reopen(app, alice);
    await again.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    await app.restart(true);
    const after = again.on(app);
    expect(await stay(after)).toEqual([room]);
    // What is looked at once more, as in a copy of the log, is over.
    expect(await app.views.effects.stateOf(await closingOf(alice))).toBe('done');
  });

  it('is not one of which all was erased that its user said', async () => {
    const id = await app.get(Erasures).order({ user_id: alice.userId as UserId, content: true }, 'server');
    await expect.poll(async () => (await app.get(Erasures).load()).get(id)?.ended, { timeout: 60_000 }).toBeDefined();
    await expect(reopen(app, alice)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect((await app.get(Accounts).load(alice.userId as UserId)).deactivated).toBe(true);
  });

  it('is open, and not locked, after the list of erasures had it closed again', async () => {
    await app.get(ErasuresAgain).apply([{ user_id: alice.userId as UserId, at: Date.now() }]);
    await expect.poll(async () => (await alice.call('GET', '/account/whoami')).status, { timeout: 60_000 }).toBe(401);
    await expect
      .poll(async () => [...(await app.get(Erasures).load()).values()].every(({ ended }) => ended !== undefined))
      .toBe(true);
    const again = await reopen(app, alice);
    expect((await again.call('GET', '/account/whoami')).status).toBe(200);
  });
});

test(
  'a process that ends while an account is closed and opened again leaves it one or the other, and nobody is taken out of rooms later',
  async () => {
    await endAtEachStep({
      async prepare(app: SyncApp) {
        const [alice, bob] = [await app.register('alice'), await app.register('bob')];
        const room = await bob.createRoom({ preset: 'public_chat' });
        await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
        return { alice, bob, room };
      },
      async act(app, { alice, room }) {
        await close(app, alice);
        const again = await reopen(app, alice);
        await again.ok('POST', `/join/${encodeURIComponent(room)}`, {});
        return again;
      },
      async check(app, { alice, room }, answer) {
        const { deactivated } = await app.get(Accounts).load(alice.userId as UserId);
        if (answer !== undefined) expect(deactivated).toBe(false);
        if (answer !== undefined)
          expect((await answer.on(app).ok('GET', '/joined_rooms')).joined_rooms).toEqual([room]);
        const again = deactivated ? await reopen(app, alice) : undefined;
        if (again !== undefined) expect((await again.ok('GET', '/joined_rooms')).joined_rooms).toEqual([]);
      },
    });
  },
  MINUTES,
);
