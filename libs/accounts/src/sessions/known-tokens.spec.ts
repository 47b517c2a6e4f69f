import { beforeEach, describe, expect, it } from 'vitest';
import { type AppService, createAppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { RecordedFact } from '#event-store/event-store';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { DeviceId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { recordFacts } from '#testing/project';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { hashSecret } from '../credentials/secrets.js';
import type { Accounts } from '../accounts.js';
import { type Account, NO_ACCOUNT } from '../decide/account.js';
import type { DeviceRecord } from '../decide/device-tokens.js';
import { KnownTokens } from './known-tokens.js';
import { REFRESH_TOKENS } from '../projections/devices.projector.js';
import type { Consents } from '../terms/consents.js';
import type { AcceptedTerms } from '../terms/terms.js';
import type { TokenConfirmation } from './token-confirmation.js';
import { TokenRights } from './token-rights.js';

const alice = '@alice:example.org' as UserId;

const fact = (type: string, user = alice): RecordedFact =>
  recordFacts([{ stream: `user-${user}`, type, data: {} }])[0]!;

function serviceFor(id: string, pattern: RegExp): AppService {
  const namespaces = { users: [{ exclusive: false, pattern }], aliases: [], rooms: [] };
  const sender = `@${id}:example.org` as UserId;
  const told = { isRateLimited: false, protocols: [], receivesEphemeral: false, receivesDevices: false };
  return createAppService({ id, url: undefined, sender, namespaces, ...told }, { asToken: id, hsToken: id });
}

const AT_END = positionOf(1_000_000);

describe('known tokens', () => {
  let now: number;
  let reads: number;
  let whileReading: () => void;
  let rows: Map<string, string>;
  let confirmed: string[];
  let confirmation: () => Promise<void>;
  let tokens: KnownTokens;
  let services: AppServices;
  /** Where they accept what they have not accepted. */
  let wanting: (accepted: AcceptedTerms | undefined) => (() => string) | undefined;
  /** How far those are that are behind: all unless a test says it. */
  let at: Position;
  let behind: ReadonlySet<string>;
  /** Whether the views are what was written to them. */
  let areThere: () => Promise<void>;
  /** Of the log. */
  let devices: (readonly [DeviceId, DeviceRecord])[];
  let inLog: Partial<Account>;
  /** The last position of the log. */
  let head: () => Promise<Position>;
  let whileWaiting: () => void;

  beforeEach(() => {
    [now, reads, confirmed] = [1000, 0, []];
    whileReading = () => {};
    whileWaiting = () => {};
    head = async () => START;
    confirmation = async () => {};
    rows = new Map([
      [`tokens ${hashSecret('good')}`, JSON.stringify({ user: alice, device: 'D' })],
      [`tokens ${hashSecret('short')}`, JSON.stringify({ user: alice, device: 'E', expires_at: 2000 })],
      [`tokens ${hashSecret('fresh')}`, JSON.stringify({ user: alice, device: 'F', expires_at: 2000, pending: true })],
      [`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open' })],
      ...['good', 'short', 'fresh'].map((token, i): [string, string] => [
        `devices ${alice} ${'DEF'[i]}`,
        JSON.stringify({ created_ts: 1, current: { token_hash: hashSecret(token) } }),
      ]),
    ]);
    at = AT_END;
    behind = new Set(['tokens', 'accounts', 'devices']);
    [devices, inLog] = [[], {}];
    areThere = async () => {};
    const views = {
      position: (collections: readonly string[]) => (collections.some((name) => behind.has(name)) ? at : AT_END),
      confirm: () => areThere(),
      whenProcessed: async () => whileWaiting(),
      get: async (collection: string, key: readonly string[]) => {
        reads++;
        const row = rows.get(`${collection} ${key.join(' ')}`);
        await Promise.resolve();
        whileReading();
        return row;
      },
    };
    const confirming: Pick<TokenConfirmation, 'confirm'> = {
      confirm: (userId, deviceId, hash) => {
        confirmed.push(`${userId} ${deviceId} ${hash}`);
        return confirmation();
      },
    };
    const accounts: Pick<Accounts, 'load'> = {
      load: async () => ({ ...NO_ACCOUNT, exists: true, devices: new Map(devices), ...inLog }),
    };
    const log = { head: () => head() };
    services = new AppServices();
    wanting = () => undefined;
    tokens = new KnownTokens(
      views,
      { now: () => now },
      confirming as TokenConfirmation,
      accounts as Accounts,
      log,
      new TokenRights(services, { findLink: (_userId, accepted) => wanting(accepted) } as Consents),
    );
  });

  it('are read from the views once, and from then on from memory', async () => {
    const expected = {
      userId: alice,
      deviceId: 'D',
      isAdmin: false,
      isGuest: false,
      isLocked: false,
      isSuspended: false,
      requestId: '',
    };
    expect(await tokens.requesterOf('good')).toEqual(expected);
    expect(reads).toBe(3);
    expect(await tokens.requesterOf('good')).toEqual(expected);
    expect([reads, tokens.numbers.size]).toEqual([3, 1]);
  });

  it('say where terms are accepted that were not, and no more once they are', async () => {
    wanting = (accepted) => (accepted?.['rules'] === '2' ? undefined : () => 'https://a.example/consent');
    expect((await tokens.requesterOf('good')).consentUri?.()).toBe('https://a.example/consent');
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open', terms: { rules: '2' } }));
    tokens.hear([fact('terms-accepted')]);
    expect(await tokens.requesterOf('good')).not.toHaveProperty('consentUri');
  });

  it('of a session that a service opened for a person have no rights of administrators, and are good as long as it may act as them', async () => {
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open', admin: true }));
    const current = { token_hash: hashSecret('good') };
    rows.set(`devices ${alice} D`, JSON.stringify({ created_ts: 1, current, service: 'bridge' }));
    const refused = { errcode: 'M_UNKNOWN_TOKEN', fields: undefined };
    await expect(tokens.requesterOf('good')).rejects.toMatchObject(refused);
    services.replace([serviceFor('bridge', /@alice:/)]);
    expect(await tokens.requesterOf('good')).toMatchObject({ isAdmin: false, openedBy: 'bridge' });
    expect(await tokens.validUntil('good')).toBe(Infinity);
    for (const others of [[], [serviceFor('bridge', /@bob:/)], [serviceFor('other', /@alice:/)]]) {
      services.replace(others);
      await expect(tokens.requesterOf('good')).rejects.toMatchObject(refused);
      await expect(tokens.validUntil('good')).rejects.toMatchObject(refused);
    }
  });

  it('say at once that an account is locked or suspended, and a locked one answers nothing more', async () => {
    expect(await tokens.requesterOf('good')).toMatchObject({ isLocked: false, isSuspended: false });
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open', suspended: true }));
    tokens.hear([fact('account-suspended')]);
    expect(await tokens.requesterOf('good')).toMatchObject({ isLocked: false, isSuspended: true });
    expect(await tokens.validUntil('good')).toBe(Infinity);
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open', locked: true }));
    tokens.hear([fact('account-locked'), fact('account-unsuspended')]);
    expect(await tokens.requesterOf('good')).toMatchObject({ isLocked: true, isSuspended: false });
    await expect(tokens.validUntil('good')).rejects.toMatchObject({ errcode: 'M_USER_LOCKED' });
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open' }));
    tokens.hear([fact('account-unlocked')]);
    const before = reads;
    expect(await tokens.requesterOf('good')).toMatchObject({ isLocked: false });
    expect(reads).toBeGreaterThan(before);
    const after = reads;
    await tokens.requesterOf('good');
    expect(reads).toBe(after);
  });

  it('are refused where they are unknown', async () => {
    await expect(tokens.requesterOf('bad')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN', fields: undefined });
  });

  it('are refused where their device is gone or has others, though a crash has left their row', async () => {
    rows.set(`devices ${alice} D`, JSON.stringify({ created_ts: 1, current: { token_hash: hashSecret('newer') } }));
    await expect(tokens.requesterOf('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    rows.delete(`devices ${alice} E`);
    await expect(tokens.validUntil('short')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are good until the pair that replaces them is used', async () => {
    const [current, previous] = ['newer', 'good'].map((token) => ({ token_hash: hashSecret(token) }));
    rows.set(`devices ${alice} D`, JSON.stringify({ created_ts: 1, current, previous }));
    expect((await tokens.requesterOf('good')).userId).toBe(alice);
  });

  it('say of their user what the log has while views are paused', async () => {
    devices = [['D' as DeviceId, JSON.parse(rows.get(`devices ${alice} D`)!)]];
    tokens.begin(positionOf(8));
    at = positionOf(7);
    for (const [isAdmin, isGuest] of [
      [true, false],
      [false, true],
    ]) {
      inLog = { admin: isAdmin, guest: isGuest };
      expect(await tokens.requesterOf('good')).toMatchObject({ userId: alice, deviceId: 'D', isAdmin, isGuest });
    }
    inLog = { exists: false };
    await expect(tokens.requesterOf('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are none where nobody knows them while other views are paused', async () => {
    tokens.begin(positionOf(8));
    [at, behind] = [positionOf(7), new Set(['accounts'])];
    await expect(tokens.requesterOf('new')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are perhaps new where nobody knows them while views are paused, and none once these have all', async () => {
    tokens.begin(positionOf(8));
    at = positionOf(7);
    await expect(tokens.requesterOf('new')).rejects.toBeInstanceOf(ViewsUnavailable);
    whileReading = () => (at = positionOf(8));
    await expect(tokens.requesterOf('new')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are waited for where the log has more than the views, and perhaps new where these take longer', async () => {
    [at, head] = [positionOf(7), async () => positionOf(8)];
    const row = `tokens ${hashSecret('good')}`;
    const value = rows.get(row)!;
    rows.delete(row);
    await expect(tokens.requesterOf('good')).rejects.toBeInstanceOf(ViewsUnavailable);
    whileWaiting = () => {
      at = positionOf(8);
      rows.set(row, value);
    };
    expect((await tokens.requesterOf('good')).userId).toBe(alice);
    await expect(tokens.requesterOf('bad')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are not told to be none while the log is away, which may have just been told of them', async () => {
    head = () => Promise.reject(new EventStoreUnavailable('a node is dead'));
    await expect(tokens.requesterOf('new')).rejects.toBeInstanceOf(EventStoreUnavailable);
    await expect(tokens.getRow(REFRESH_TOKENS, hashSecret('new'))).rejects.toBeInstanceOf(EventStoreUnavailable);
    expect((await tokens.requesterOf('good')).userId).toBe(alice);
  });

  it('have the end of the log read once for many that nobody knows, and after they came', async () => {
    const looks: (() => void)[] = [];
    head = () => new Promise((resolve) => looks.push(() => resolve(START)));
    const ask = (token: string): Promise<unknown> => tokens.requesterOf(token).catch(({ errcode }) => errcode);
    const first = ask('bad');
    await new Promise(setImmediate);
    const others = ['worse', 'worst', 'none'].map(ask);
    await new Promise(setImmediate);
    expect(looks).toHaveLength(1);
    looks[0]!();
    expect(await first).toBe('M_UNKNOWN_TOKEN');
    await new Promise(setImmediate);
    expect(looks).toHaveLength(2);
    looks[1]!();
    expect(await Promise.all(others)).toEqual(Array.from({ length: 3 }, () => 'M_UNKNOWN_TOKEN'));
  });

  it('are as the log has them where views of accounts are paused while those of devices are waited for', async () => {
    const row = `tokens ${hashSecret('good')}`;
    const value = rows.get(row)!;
    rows.delete(row);
    rows.delete(`accounts ${alice}`);
    devices = [['D' as DeviceId, JSON.parse(rows.get(`devices ${alice} D`)!)]];
    tokens.begin(positionOf(7));
    [at, head] = [positionOf(7), async () => positionOf(8)];
    whileWaiting = () => {
      behind = new Set(['accounts']);
      rows.set(row, value);
      tokens.hear([{ ...fact('device-added'), position: positionOf(8) }]);
    };
    expect((await tokens.requesterOf('good')).userId).toBe(alice);
    expect(tokens.numbers.size).toBe(0);
  });

  it('are as the log has them where views of accounts lack what those of devices have, and nobody told of it yet', async () => {
    rows.delete(`accounts ${alice}`);
    devices = [['D' as DeviceId, JSON.parse(rows.get(`devices ${alice} D`)!)]];
    expect((await tokens.requesterOf('good')).userId).toBe(alice);
    expect(tokens.numbers.size).toBe(0);
  });

  it.each(['tokens', 'accounts', 'devices'])(
    'are not told to be none where the rows of %s are gone',
    async (collection) => {
      areThere = () => Promise.reject(new ViewsUnavailable('the views were thrown away while the server runs'));
      for (const key of rows.keys()) if (key.startsWith(`${collection} `)) rows.delete(key);
      await expect(tokens.requesterOf('good')).rejects.toBeInstanceOf(ViewsUnavailable);
      await expect(tokens.validUntil('good')).rejects.toBeInstanceOf(ViewsUnavailable);
    },
  );

  it('are as the log has them while views are paused: who is logged out then is so at once, and once they go on', async () => {
    const row = `devices ${alice} D`;
    const device = rows.get(row)!;
    const heards = [
      (): void => tokens.begin(positionOf(8)),
      (): void => tokens.hear([{ ...fact('devices-removed'), position: positionOf(8) }]),
    ]; // over a start, and while it runs
    for (const hear of heards) {
      rows.set(row, device);
      devices = [['D' as DeviceId, JSON.parse(device)]];
      at = positionOf(7);
      hear();
      expect((await tokens.requesterOf('good')).deviceId).toBe('D');
      devices = [];
      await expect(tokens.requesterOf('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
      await expect(tokens.validUntil('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
      at = positionOf(8);
      rows.delete(row);
      await expect(tokens.requesterOf('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    }
  });

  it('are forgotten upon the facts that touch their user, and only then', async () => {
    await tokens.requesterOf('good');
    tokens.hear([fact('account-data-set'), fact('devices-removed', '@bob:example.org' as UserId)]);
    await tokens.requesterOf('good');
    expect(reads).toBe(3);
    rows.set(`accounts ${alice}`, JSON.stringify({ created_ts: 1, via: 'open', admin: true }));
    tokens.hear([fact('admin-changed')]);
    expect((await tokens.requesterOf('good')).isAdmin).toBe(true);
    rows.delete(`tokens ${hashSecret('good')}`);
    tokens.hear([fact('devices-removed')]);
    await expect(tokens.requesterOf('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });

  it('are not remembered as they were before a fact that came while they were read', async () => {
    whileReading = () => {
      whileReading = () => {};
      tokens.hear([fact('devices-removed')]);
    };
    await tokens.requesterOf('good');
    expect(tokens.numbers.size).toBe(0);
    await tokens.requesterOf('good');
    expect(tokens.numbers.size).toBe(1);
  });

  it('end at their time, softly', async () => {
    await tokens.requesterOf('short');
    now = 2000;
    const refusal = { errcode: 'M_UNKNOWN_TOKEN', status: 401, fields: { soft_logout: true } };
    await expect(tokens.requesterOf('short')).rejects.toMatchObject(refusal);
  });

  it('tell until when they are good, without that being a use of them', async () => {
    expect(await tokens.validUntil('short')).toBe(2000);
    expect(await tokens.validUntil('good')).toBe(Infinity);
    expect(await tokens.validUntil('fresh')).toBe(2000);
    expect([confirmed, tokens.lastSeen(alice, 'F' as DeviceId)?.at]).toEqual([[], 0]);
    await expect(tokens.validUntil('bad')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    rows.delete(`tokens ${hashSecret('good')}`);
    tokens.hear([fact('devices-removed')]);
    await expect(tokens.validUntil('good')).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    now = 2000;
    await expect(tokens.validUntil('short')).rejects.toMatchObject({ fields: { soft_logout: true } });
  });

  it('have their first use after a refresh noted once, and again after a failure', async () => {
    confirmation = () => Promise.reject(new Error('the log is full'));
    await tokens.requesterOf('fresh');
    await new Promise(setImmediate);
    confirmation = async () => {};
    await tokens.requesterOf('fresh');
    await tokens.requesterOf('fresh');
    expect(confirmed).toEqual(Array.from({ length: 2 }, () => `${alice} F ${hashSecret('fresh')}`));
  });

  it('tell when and how a device was last seen', async () => {
    expect(tokens.lastSeen(alice, 'D' as DeviceId)).toBeUndefined();
    await tokens.requesterOf('good');
    now = 1500;
    await tokens.requesterOf('good', { ip: '10.0.0.1', headers: { 'user-agent': 'x'.repeat(1_000) } });
    expect(tokens.lastSeen(alice, 'D' as DeviceId)).toEqual({ at: 1500, ip: '10.0.0.1', userAgent: 'x'.repeat(256) });
    expect(tokens.lastSeen(alice, 'E' as DeviceId)).toBeUndefined();
  });
});
