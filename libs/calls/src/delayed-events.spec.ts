import { beforeEach, expect, it } from 'vitest';
import { TokenRights } from '#accounts/sessions/token-rights';
import type { Consents } from '#accounts/terms/consents';
import { type AppService, createAppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { Config } from '#config/config';
import { RATE_LIMITS } from '#config/rate-limits';
import { PARTIES, RateLimits } from '#http/rate-limits';
import { RoomIsPartial } from '#rooms/partial-room';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { SendEvent } from '#rooms/commands/send-event';
import type { SetState } from '#rooms/commands/set-state';
import type { EventSent } from '#rooms/commands/transaction';
import type { Delay } from './decide/known-delays.js';
import { DelayedEvents } from './delayed-events.js';

const alice = { userId: '@alice:a.example' as UserId, deviceId: 'PHONE', isAdmin: false, requestId: 'r' } as Requester;

const draft = { room_id: '!room:a.example' as RoomId, type: 'a.state', state_key: '', delay: 10, content: '{}' };

let now: number;
let isClosed: boolean;
/** The version of the terms that has to be accepted: she has accepted the first. */
let terms: string;
let refusal: Error | undefined;
let sent: number;
let delayed: DelayedEvents;
let services: AppServices;

beforeEach(() => {
  [now, isClosed, terms, refusal, sent] = [0, false, '1', undefined, 0];
  const account = (): string =>
    JSON.stringify({ created_ts: 0, terms: { tos: '1' }, ...(isClosed ? { deactivated: true } : {}) });
  const views = { whenProcessed: () => Promise.resolve(), get: () => Promise.resolve(account()) };
  const execute = async ({ requester }: SendEvent | SetState): Promise<EventSent> => {
    refuseSuspended(requester);
    if (refusal !== undefined) throw refusal;
    sent++;
    return { eventId: '$sent' as EventId };
  };
  const clock = { now: () => now };
  services = new AppServices();
  const limits = new RateLimits({ rateLimits: true } as Config, { elapsed: () => now });
  const consents = {
    findLink: (_userId, accepted = {}) => (accepted['tos'] === terms ? undefined : () => 'the page'),
  } as Consents;
  const rights = new TokenRights(services, consents);
  delayed = new DelayedEvents(new MemoryEventStore(), clock, views as never, { execute } as never, limits, rights);
});

const find = async (id: string): Promise<Delay | undefined> => (await delayed.of(alice.userId)).get(id);

it('an event whose time has come waits on where its room waits for other servers, or its policy server is asked too much, and ends where it is refused', async () => {
  const id = await delayed.schedule(alice, draft);
  now = 10;
  for (refusal of [new RoomIsPartial(), new MatrixError('M_LIMIT_EXCEEDED')])
    await expect(delayed.sendWhenDue(alice.userId, id)).rejects.toBe(refusal);
  expect((await find(id))!.end).toBeUndefined();
  refusal = new MatrixError('M_FORBIDDEN');
  await delayed.sendWhenDue(alice.userId, id);
  expect((await find(id))!.end).toMatchObject({ outcome: 'error', reason: 'delay' });
});

it('nothing is sent for who has closed their account, though it was not let go of yet', async () => {
  const [early, due] = [await delayed.schedule(alice, draft), await delayed.schedule(alice, draft)];
  isClosed = true;
  await expect(delayed.send(alice.userId, early)).rejects.toMatchObject({ errcode: 'M_USER_DEACTIVATED' });
  now = 10;
  await delayed.sendWhenDue(alice.userId, due);
  expect([sent, (await find(due))!.end?.error?.['errcode']]).toEqual([0, 'M_USER_DEACTIVATED']);
  isClosed = false;
  await delayed.send(alice.userId, early);
  expect(sent).toBe(1);
});

it('nothing is sent for who has not accepted the terms of today, but by an application service, which is not asked for them', async () => {
  const [early, due] = [await delayed.schedule(alice, draft), await delayed.schedule(alice, draft)];
  const ofService = await delayed.schedule({ ...alice, appServiceId: 'bridge' }, draft);
  terms = '2';
  await expect(delayed.send(alice.userId, early)).rejects.toMatchObject({ errcode: 'M_CONSENT_NOT_GIVEN' });
  now = 10;
  await delayed.sendWhenDue(alice.userId, due);
  expect([sent, (await find(due))!.end?.error?.['errcode']]).toEqual([0, 'M_CONSENT_NOT_GIVEN']);
  await delayed.send(alice.userId, ofService);
  terms = '1';
  await delayed.send(alice.userId, early);
  expect(sent).toBe(2);
});

it('no more is sent at a time than its user may send: what is due waits until they may, and who says that one is to go is told so', async () => {
  const [burst, perSecond] = [RATE_LIMITS.send.burst * PARTIES.user, RATE_LIMITS.send.perSecond * PARTIES.user];
  const schedule = (): Promise<string> => delayed.schedule(alice, draft);
  for (let i = 0; i < burst; i++) await delayed.send(alice.userId, await schedule());
  expect(sent).toBe(burst);
  const [due, other] = [await schedule(), await schedule()];
  await expect(delayed.send(alice.userId, other)).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
  now = 10;
  const later = await delayed.sendWhenDue(alice.userId, due);
  expect([sent, later]).toEqual([burst, 1_000 / perSecond]);
  now = later!;
  expect(await delayed.sendWhenDue(alice.userId, due)).toBeUndefined();
  expect([sent, (await find(due))!.end?.outcome]).toEqual([burst + 1, 'send']);
});

it('what an application service has sent later that is not limited does not count, as long as its registration says so', async () => {
  const parts = { url: undefined, protocols: [], receivesEphemeral: false, receivesDevices: false };
  const users = [{ exclusive: true, pattern: /^@alice:/ }];
  const namespaces = { users, aliases: [], rooms: [] };
  const ids = { id: 'bridge', sender: '@bot:a.example' as UserId };
  const of = (isRateLimited: boolean): AppService =>
    createAppService({ ...parts, ...ids, namespaces, isRateLimited }, { asToken: 'as', hsToken: 'hs' });
  services.replace([of(false)]);
  const asService = { ...alice, appServiceId: 'bridge' };
  const schedule = (): Promise<string> => delayed.schedule(asService, draft);
  for (let i = 0; i <= RATE_LIMITS.send.burst * PARTIES.user; i++) await delayed.send(alice.userId, await schedule());
  const due = await schedule();
  now = 10;
  expect(await delayed.sendWhenDue(alice.userId, due)).toBeUndefined();
  expect(sent).toBe(RATE_LIMITS.send.burst * PARTIES.user + 2);
  services.replace([of(true)]);
  for (let i = 0; i < RATE_LIMITS.send.burst * PARTIES.user; i++) await delayed.send(alice.userId, await schedule());
  await expect(delayed.send(alice.userId, await schedule())).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
});
