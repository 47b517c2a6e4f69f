import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeyedNames } from '#event-store/keyed-names';
import type { UserId } from '#kernel/ids';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { Accounts, BY_SERVER } from '../accounts.js';
import { AddThreepid } from '../commands/add-threepid.js';
import { DeactivateAccount, DeactivateAccountHandler } from '../commands/deactivate-account.js';
import { ProvideAccount } from '../commands/provide-account.js';
import { RegisterAccount } from '../commands/register-account.js';
import { RemoveThreepid } from '../commands/remove-threepid.js';
import { ReopenAccount } from '../commands/reopen-account.js';
import { findByThreepid, listThreepids } from '../queries/threepids.js';
import { parseThreepid } from './threepid.js';
import { ThreepidClaims } from './threepid-claims.js';

const MINUTE = 60_000;
const [alice, bob] = ['@alice:example.org' as UserId, '@bob:example.org' as UserId];
const mail = (name: string) => parseThreepid('email', `${name}@mail.example`);

describe('an address', () => {
  let app: AccountsApp;
  beforeAll(async () => {
    app = await startAccountsApp();
    for (const username of ['alice', 'bob']) await execute(new RegisterAccount({ username, via: 'open' }));
  });
  afterAll(() => app.close());

  type Changing = RegisterAccount | AddThreepid | RemoveThreepid | DeactivateAccount | ReopenAccount | ProvideAccount;
  const execute = (command: Changing): Promise<unknown> => app.get(CommandBus).execute(command);
  const add = (userId: UserId, name: string) => execute(new AddThreepid(userId, mail(name), 5, BY_SERVER));
  const addressesOf = async (userId: UserId) => (await listThreepids(app.views, userId)).map(({ address }) => address);

  it('is of an account, in whatever case it was typed', async () => {
    await execute(new AddThreepid(alice, parseThreepid('email', ' Alice@Mail.example'), 5, BY_SERVER));
    expect(await listThreepids(app.views, alice)).toEqual([
      { medium: 'email', address: 'alice@mail.example', validated_at: 5, added_at: app.time.now },
    ]);
    expect(await findByThreepid(app.views, mail('alice'))).toBe(alice);
    expect(await app.get(ThreepidClaims).findOwner(mail('alice'))).toBe(alice);
    await add(alice, 'alice');
    expect(await addressesOf(alice)).toEqual(['alice@mail.example']);
  });

  it('is of one account at a time, also where two want it at once', async () => {
    await add(alice, 'one');
    await expect(add(bob, 'one')).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE', status: 400 });
    const race = await Promise.allSettled([add(alice, 'race'), add(bob, 'race')]);
    expect(race.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('stays with the account that has it where two make the same account with it at once', async () => {
    const threepid = { ...mail('twice'), validatedAt: 5 };
    const register = () => execute(new RegisterAccount({ username: 'twice', via: 'open', threepid }));
    const both = await Promise.allSettled([register(), register()]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await app.get(ThreepidClaims).findOwner(mail('twice'))).toBe('@twice:example.org');
    await expect(add(bob, 'twice')).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
  });

  it('is free once it was removed, or its account is no more', async () => {
    await add(alice, 'free');
    await execute(new RemoveThreepid(alice, mail('free'), BY_SERVER));
    await execute(new RemoveThreepid(alice, mail('free'), BY_SERVER));
    expect(await findByThreepid(app.views, mail('free'))).toBeUndefined();
    await add(bob, 'free');
    expect(await findByThreepid(app.views, mail('free'))).toBe(bob);
    await execute(new RegisterAccount({ username: 'carol', via: 'open' }));
    const carol = '@carol:example.org' as UserId;
    await add(carol, 'gone');
    await execute(new DeactivateAccount(carol, false, BY_SERVER));
    expect(await addressesOf(carol)).toEqual([]);
    await add(bob, 'gone');
    expect(await findByThreepid(app.views, mail('gone'))).toBe(bob);
  });

  it('is free where its account is closed with erase, also where that cannot be written down yet', async () => {
    await execute(new RegisterAccount({ username: 'dora', via: 'open' }));
    const dora = '@dora:example.org' as UserId;
    await add(dora, 'full');
    const full = {
      noteAccount: () => Promise.reject(new Error('no disk has room for it')),
      checkReopening: async () => {},
    };
    const handler = new DeactivateAccountHandler(app.get(Accounts), app.get(ThreepidClaims), {}, full);
    await expect(handler.execute(new DeactivateAccount(dora, true, BY_SERVER))).rejects.toThrow('no disk');
    await add(bob, 'full');
    expect(await findByThreepid(app.views, mail('full'))).toBe(bob);
  });

  describe('that an account has lost, and has again before it is free', () => {
    const [name, erin] = ['again', '@erin:example.org' as UserId];
    beforeAll(() => execute(new RegisterAccount({ username: 'erin', via: 'open', password: 'a password' })));

    /** What `command` has taken away is there again as soon as the log says that it is gone. */
    const loseAndHave = async (command: Changing, isClosed: boolean): Promise<void> => {
      await add(erin, name);
      const accounts = app.get(Accounts);
      const change = accounts.change.bind(accounts);
      const spy = vi.spyOn(accounts, 'change').mockImplementationOnce(async (...args) => {
        const lost = await change(...args);
        if (isClosed) await execute(new ReopenAccount(erin, 'another', BY_SERVER));
        await add(erin, name);
        return lost;
      });
      await execute(command);
      spy.mockRestore();
    };

    it.each([
      ['closed, and opened again', () => new DeactivateAccount(erin, false, BY_SERVER), true],
      ['closed by who looks after accounts', () => new ProvideAccount(erin, { isClosed: true }, BY_SERVER), true],
      ['removed', () => new RemoveThreepid(erin, mail(name), BY_SERVER), false],
      ['left out of what it is to have', () => new ProvideAccount(erin, { threepids: [] }, BY_SERVER), false],
    ])('stays with it: %s', async (_, command, isClosed) => {
      await loseAndHave(command(), isClosed);
      expect(await app.get(ThreepidClaims).findOwner(mail(name))).toBe(erin);
      await expect(add(bob, name)).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    });

    it('stays claimed for it where it has it only after that', async () => {
      const claims = app.get(ThreepidClaims);
      await add(erin, name);
      await execute(new RemoveThreepid(erin, mail(name), BY_SERVER));
      await claims.claim(mail(name), erin);
      const lostAt = await app.store.head();
      await claims.claim(mail(name), erin);
      await claims.release(mail(name), erin, lostAt);
      await expect(add(bob, name)).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
      await claims.release(mail(name), erin, await app.store.head());
      await add(bob, name);
      expect(await claims.findOwner(mail(name))).toBe(bob);
    });
  });

  describe('that an account is about to have', () => {
    let count = 0;
    let name: string;
    let faye: UserId;
    beforeEach(async () => {
      [name, faye] = [`about${++count}`, `@faye${count}:example.org` as UserId];
      await execute(new RegisterAccount({ username: `faye${count}`, via: 'open', password: 'a password' }));
    });

    /** Does something else at the last moment before a command has the account have it; or after it, where nothing was to be written. */
    const haveWhile = async (command: Changing, meanwhile: () => Promise<unknown>): Promise<unknown> => {
      const accounts = app.get(Accounts);
      const change = accounts.change.bind(accounts);
      let isMeanwhile = false;
      const spy = vi.spyOn(accounts, 'change').mockImplementationOnce(async (...args) => {
        isMeanwhile = true;
        await meanwhile();
        return change(...args);
      });
      const answer = await execute(command).catch((error: unknown) => error);
      spy.mockRestore();
      if (!isMeanwhile) await meanwhile();
      return answer;
    };
    const addOwn = () => new AddThreepid(faye, mail(name), 5, BY_SERVER);
    const remove = () => execute(new RemoveThreepid(faye, mail(name), BY_SERVER));
    const provide = (...names: string[]) =>
      new ProvideAccount(faye, { displayname: 'Faye', threepids: names.map(mail) }, BY_SERVER);
    const addAndRemove = async () => {
      await add(faye, name);
      await remove();
    };
    const beRefused = async () => {
      await add(alice, `${name}.taken`);
      await expect(execute(provide(name, `${name}.taken`))).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    };

    it.each([
      ['removed, and it is added once more meanwhile', false, addOwn, addAndRemove],
      ['refused together with another one meanwhile', false, addOwn, beRefused],
      ['removed, which it is to keep', true, () => provide(name), remove],
    ])('is of nobody else: %s', async (_, isThere, command, meanwhile) => {
      if (isThere) await add(faye, name);
      expect(await haveWhile(command(), meanwhile)).not.toBeInstanceOf(Error);
      expect(await addressesOf(faye)).toEqual([mail(name).address]);
      await expect(add(bob, name)).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    });

    it.each([
      ['removed', true, remove, undefined],
      ['somebody else’s by then', false, () => addAndRemove().then(() => add(bob, name)), 'M_THREEPID_IN_USE'],
      [
        'gone with the account',
        false,
        () => execute(new DeactivateAccount(faye, false, BY_SERVER)),
        'M_USER_DEACTIVATED',
      ],
    ])('is not its, and for others to have: %s', async (_, isThere, meanwhile, errcode) => {
      if (isThere) await add(faye, name);
      expect(((await haveWhile(addOwn(), meanwhile)) as { errcode?: string } | undefined)?.errcode).toBe(errcode);
      expect(await addressesOf(faye)).toEqual([]);
      await add(bob, name);
      expect(await app.get(ThreepidClaims).findOwner(mail(name))).toBe(bob);
    });
  });

  it('is of who claims it anew while somebody else finds that they never got it', async () => {
    await app.get(ThreepidClaims).claim(mail('anew'), bob);
    app.time.now += MINUTE;
    const accounts = app.get(Accounts);
    const load = accounts.load.bind(accounts);
    let isMeanwhile = false;
    const spy = vi.spyOn(accounts, 'load').mockImplementation(async (userId) => {
      if (userId === alice && !isMeanwhile) {
        isMeanwhile = true;
        await add(bob, 'anew');
      }
      return load(userId);
    });
    await expect(add(alice, 'anew')).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    spy.mockRestore();
    expect(isMeanwhile).toBe(true);
    expect(await app.get(ThreepidClaims).findOwner(mail('anew'))).toBe(bob);
    expect(await addressesOf(alice)).not.toContain(mail('anew').address);
  });

  it('is free after a while where it was claimed for an account that never got it', async () => {
    await app.get(ThreepidClaims).claim(mail('lost'), alice);
    await expect(add(bob, 'lost')).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    app.time.now += MINUTE;
    await add(bob, 'lost');
    expect(await app.get(ThreepidClaims).findOwner(mail('lost'))).toBe(bob);
  });

  it('stays with the account that has it where the key is lost by which the log names addresses', async () => {
    await add(alice, 'kept');
    const names = new KeyedNames(new Uint8Array(32).fill(9), true);
    const { store, views } = app;
    const clock = { now: () => app.time.now, elapsed: () => app.time.now };
    const claims = new ThreepidClaims(store, clock, { eventStoreUrl: undefined }, app.get(Accounts), names, views);
    expect(await claims.findOwner(mail('kept'))).toBe(alice);
    await expect(claims.claim(mail('kept'), bob)).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
    await claims.claim(mail('kept'), alice);
    expect(await claims.findOwner(mail('kept'))).toBe(alice);
    // By a view that does not show it, it is not nobody's.
    await app.views.operations.pause('threepids', 'a test');
    await add(alice, 'unseen');
    await expect(claims.findOwner(mail('unseen'))).rejects.toBeInstanceOf(ViewsUnavailable);
    await expect(claims.claim(mail('unseen'), bob)).rejects.toBeInstanceOf(ViewsUnavailable);
    await app.views.operations.resume('threepids');
    await app.views.whenProcessed(await store.head(), ['threepids']);
    expect(await claims.findOwner(mail('unseen'))).toBe(alice);
  });

  it('goes to nobody who is not there, and is not lost by that', async () => {
    await expect(add('@nobody:example.org' as UserId, 'x')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    await add(bob, 'x');
  });

  it.each([
    ['email', 'no address'],
    ['email', 'a@b.example,c@d.example'],
    ['msisdn', '0049123'],
    ['msisdn', 'alice'],
    ['pigeon', 'alice'],
  ])('is none: %s %s', (medium, address) => {
    expect(() => parseThreepid(medium, address)).toThrow(expect.objectContaining({ errcode: 'M_INVALID_PARAM' }));
  });

  it('may be a phone number, of digits with the code of the country', () => {
    expect(parseThreepid('msisdn', '+447700900001')).toEqual({ medium: 'msisdn', address: '447700900001' });
  });
});
