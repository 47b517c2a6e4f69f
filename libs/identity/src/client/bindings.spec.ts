import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { Associations } from '../associations/associations.js';
import { Bindings } from './bindings.js';
import type { IdentityServers } from './identity-servers.js';

const ALICE = '@alice:a.example' as UserId;
const SERVER = 'id.example' as ServerName;
/** One that the operator lets nobody ask. */
const FORBIDDEN = 'forbidden.example';
const OF = { medium: 'email', address: 'alice@mail.example' } as const;
const SHOWN = { token: 't', sid: 's', clientSecret: 'c' };

describe('a binding', () => {
  let store: MemoryEventStore;
  /** What the identity server was asked, in order. */
  let asked: string[];
  /** What it does as it is asked to bind. */
  let onBind: () => void | Promise<void>;
  let onUnbind: () => void;
  beforeEach(() => {
    store = new MemoryEventStore();
    asked = [];
    onBind = onUnbind = () => {};
  });

  /** As of a start of the server: it knows what the log has. */
  function begin(): Bindings {
    const servers = {
      parseServer: (text: string) => text as ServerName,
      findServer: (text: string) => (text === FORBIDDEN ? undefined : (text as ServerName)),
      findValidated: () => Promise.resolve(OF),
      ask: async (_: ServerName, { path }: { path: string }) => {
        asked.push(path);
        if (path === '/3pid/bind') await onBind();
        if (path === '/3pid/unbind') onUnbind();
        return {};
      },
    };
    return new Bindings(
      store,
      { now: () => 1 },
      { serverName: 'a.example' as ServerName, identityRole: undefined },
      generateSigningKey(),
      servers as unknown as IdentityServers,
      {} as Associations,
    );
  }

  it('is noted before it is made: it is undone where the server ended as it was being made', async () => {
    let known = 0;
    onBind = async () => {
      for await (const fact of store.readStream(`bindings-${ALICE}`)) if (fact.type === 'binding-noted') known++;
      throw new Error('the process has ended');
    };
    await expect(begin().bind(ALICE, SERVER, SHOWN)).rejects.toThrow('ended');
    expect(known).toBe(1);
    expect(await begin().endAll(ALICE, new Set())).toBe(true);
    expect(asked).toEqual(['/3pid/bind', '/3pid/unbind']);
  });

  it.each([
    ['no answer', new PeerUnavailable('away')],
    ['none but of what is before it', new PeerRefused(502, {})],
    ['none but that it has no time', new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' })],
  ])('is undone, too, where the identity server gave %s', async (_, error) => {
    onBind = () => {
      throw error;
    };
    const bindings = begin();
    await expect(bindings.bind(ALICE, SERVER, SHOWN)).rejects.toBe(error);
    expect(await bindings.forget(ALICE, OF)).toBe('success');
  });

  it.each([429, 502, 503])('is to be ended once more where the identity server answered %i', async (status) => {
    const bindings = begin();
    await bindings.bind(ALICE, SERVER, SHOWN);
    onUnbind = () => {
      throw new PeerRefused(status, { error: `${OF.address} has to wait` });
    };
    const away = new Set<ServerName>();
    expect(await bindings.endAll(ALICE, away)).toBe(true);
    expect([...away]).toEqual([SERVER]);
    onUnbind = () => {};
    await bindings.endAll(ALICE, away);
    expect(asked.filter((path) => path === '/3pid/unbind')).toHaveLength(1);
    await bindings.endAll(ALICE, new Set());
    expect(await bindings.of(ALICE)).toEqual([]);
  });

  it('of a closed account is noted no more once the identity server refuses to end it', async () => {
    const bindings = begin();
    await bindings.bind(ALICE, SERVER, SHOWN);
    onUnbind = () => {
      throw new PeerRefused(403, { errcode: 'M_FORBIDDEN' });
    };
    const away = new Set<ServerName>();
    await bindings.endAll(ALICE, away);
    expect([away.size, await bindings.of(ALICE)]).toEqual([0, []]);
  });

  it('of an account that ends is ended where it was made, and where else the user says; of what was made known elsewhere nobody can say', async () => {
    const bindings = begin();
    await bindings.bind(ALICE, SERVER, SHOWN);
    const other = { medium: 'email', address: 'other@mail.example' } as const;
    const unbound = (): number => asked.filter((path) => path === '/3pid/unbind').length;
    expect(await (await bindings.planForgetting(ALICE, [OF, other]))()).toBe('no-support');
    expect([unbound(), await bindings.of(ALICE)]).toEqual([1, []]);

    await bindings.bind(ALICE, SERVER, SHOWN);
    const planned = await bindings.planForgetting(ALICE, [OF]);
    // Whoever else ends it meanwhile changes nothing in what is known of it.
    await bindings.endAll(ALICE, new Set());
    expect([await planned(), unbound()]).toEqual(['success', 3]);

    expect(await (await bindings.planForgetting(ALICE, [OF, other], SERVER))()).toBe('success');
    expect(unbound()).toBe(5);
    expect(await (await bindings.planForgetting(ALICE, []))()).toBe('success');
  });

  it('at a server that may not be asked is in the way of nothing: nobody can say that it is ended, and what was made elsewhere is', async () => {
    const bindings = begin();
    await bindings.bind(ALICE, SERVER, SHOWN);
    expect(await bindings.forget(ALICE, OF, FORBIDDEN)).toBe('no-support');
    expect(await (await bindings.planForgetting(ALICE, [OF], FORBIDDEN))()).toBe('no-support');
    expect([asked, await bindings.of(ALICE)]).toEqual([['/3pid/bind', '/3pid/unbind'], []]);
  });

  it('that the user says there is as their account ends is ended also where the server ends on the way, or the identity server is away', async () => {
    await begin().planForgetting(ALICE, [OF], SERVER);
    const bindings = begin();
    expect([await bindings.endAll(ALICE, new Set()), asked]).toEqual([true, ['/3pid/unbind']]);
    onUnbind = () => {
      throw new PeerUnavailable('away');
    };
    expect(await (await bindings.planForgetting(ALICE, [OF], SERVER))()).toBe('no-support');
    onUnbind = () => {};
    expect([await bindings.endAll(ALICE, new Set()), await bindings.of(ALICE)]).toEqual([true, []]);
  });

  it('is none where the identity server refuses, unless there was one before', async () => {
    const refuse = (): void => {
      throw new PeerRefused(403, { errcode: 'M_FORBIDDEN' });
    };
    const bindings = begin();
    onBind = refuse;
    await expect(bindings.bind(ALICE, SERVER, SHOWN)).rejects.toMatchObject({ status: 403 });
    expect(await bindings.forget(ALICE, OF)).toBe('no-support');
    onBind = () => {};
    await bindings.bind(ALICE, SERVER, SHOWN);
    onBind = refuse;
    await expect(bindings.bind(ALICE, SERVER, SHOWN)).rejects.toMatchObject({ status: 403 });
    expect(await bindings.forget(ALICE, OF)).toBe('success');
  });

  it('that an identity server does not end is logged without what it says of whom that is about', async () => {
    const bindings = begin();
    await bindings.bind(ALICE, SERVER, SHOWN);
    onUnbind = () => {
      throw new PeerRefused(403, { errcode: 'M_FORBIDDEN', error: `${OF.address} is not yours` });
    };
    const logged = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    expect(await bindings.forget(ALICE, OF)).toBe('no-support');
    expect(logged.mock.calls).toEqual([[{ reason: '403 M_FORBIDDEN' }, expect.any(String)]]);
    logged.mockRestore();
  });
});
