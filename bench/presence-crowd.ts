import type { Subscribers } from '#ephemeral/lists/subscribers';
import { Presence } from '#ephemeral/presence/presence';
import { RemotePresence } from '#ephemeral/presence/remote-presence';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { Row, ScanOptions } from '#read-models/read-model-store';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import type { Interest } from '#sync/notifier/interest';
import { ActiveUsers, type Watch } from '#sync/notifier/active-users';
import { PresenceChanges } from '#sync/presence/presence-changes';
import { PresenceNews } from '#sync/presence/presence-news';
import { type Figure, under } from './figures.js';
import { keepCrowd } from './kept-crowd.js';

const USERS = Number(process.env['BENCH_USERS'] ?? 10_000);
const ROOMS_OF_EACH = 20;
const MEMBERS_OF_EACH = 100;
const ROOMS = Math.ceil((USERS * ROOMS_OF_EACH) / MEMBERS_OF_EACH);
/** As if each changed once in five minutes. */
const CHANGES_PER_SECOND = USERS / 300;
const SECONDS = 30;
/** So many come at once: each is kept durably before the next. */
const AT_ONCE = 64;
const STATES = ['unavailable', 'online', 'busy'] as const;

const userOf = (n: number): UserId => `@user${n}:bench.example` as UserId;

/** Somebody who waits in /sync, without HTTP: told is what an answer would say of presence. */
interface Waiting extends Watch {
  readonly userId: UserId;
  since: StreamMoment;
}

/** What telling took. */
interface Told {
  answers: number;
  events: number;
  bytes: number;
}

/**
 * So many people who are all there, each in twenty rooms of a hundred, who change now and then as people do: what a change costs the process,
 * and how much of it is told. In one process and without HTTP, whose cost for each answer the part above shows; who is in which room stands in memory, and
 * what is kept of presence in a log and views.
 */
export async function benchPresenceCrowd(): Promise<Figure[]> {
  const clock = { now: () => Date.now(), elapsed: () => performance.now() };
  const log = await keepCrowd(Array.from({ length: USERS }, (_, n) => userOf(n)));
  const presence = new Presence({ presence: true }, clock, log.kept, new RemotePresence(clock));
  const views = viewsOfCrowd();
  const active = new ActiveUsers(views, clock, [USER_ROOMS.name]);
  const followers = { here: new Set<UserId>(), servers: new Set<never>() };
  const subscribers: Pick<Subscribers, 'of' | 'onChange'> = { of: () => followers, onChange: () => () => true };
  const changes = new PresenceChanges(presence, active, subscribers as Subscribers, clock);
  const news = new PresenceNews(presence, changes, active, views, clock);
  const told: Told = { answers: 0, events: 0, bytes: 0 };
  const crowd = await gather(presence, active, changes);
  const stop = new AbortController();
  const following = crowd.map((one) => follow(one, changes, news, told, stop.signal));
  // That they came has been told.
  await quiet(5_000);
  Object.assign(told, { answers: 0, events: 0, bytes: 0 });
  const before = process.cpuUsage();
  let count = 0;
  for (let second = 0; second < SECONDS; second++) {
    const until = performance.now() + 1_000;
    for (let i = 0; i < CHANGES_PER_SECOND; i++, count++) {
      const requester = {
        userId: userOf((count * 7919) % USERS),
        deviceId: 'D' as DeviceId,
        isAdmin: false,
        requestId: '',
      };
      await presence.choose(requester, { state: STATES[count % STATES.length]! }, undefined);
    }
    await quiet(until - performance.now());
  }
  // What changed last is told too.
  await quiet(31_000);
  const { user, system } = process.cpuUsage(before);
  stop.abort();
  for (const { interest } of crowd) interest.wake();
  await Promise.all(following);
  changes.onModuleDestroy();
  await presence.onModuleDestroy();
  await log.close();
  const of = `${USERS} who are there, each in ${ROOMS_OF_EACH} rooms of ${MEMBERS_OF_EACH}, ${Math.round(CHANGES_PER_SECOND)} changes a second`;
  const ms = (user + system) / 1_000;
  return [
    under(`${of}: processor for each change`, 'ms', ms / count, 50),
    under(`${of}: told of each change, to all`, 'kB', told.bytes / count / 1_024, 512),
    under(`${of}: to how many each change is told`, '', told.events / count, 2_000),
    under(`${of}: events in an answer that tells`, '', told.events / Math.max(1, told.answers), 1_000),
    under(`${of}: part of a processor while they change`, '%', (100 * ms) / (SECONDS * 1_000), 100),
  ];
}

async function gather(presence: Presence, active: ActiveUsers, changes: PresenceChanges): Promise<Waiting[]> {
  const crowd: Waiting[] = [];
  for (let from = 0; from < USERS; from += AT_ONCE) {
    const users = Array.from({ length: Math.min(AT_ONCE, USERS - from) }, (_, i) => userOf(from + i));
    const come = async (userId: UserId): Promise<Waiting> => {
      const watch = await active.watch(userId);
      await presence.connect({ userId, deviceId: 'D' as DeviceId, isAdmin: false, requestId: '' }, 'online');
      return { ...watch, userId, since: { position: START, presence: changes.mark() } as StreamMoment };
    };
    crowd.push(...(await Promise.all(users.map(come))));
  }
  return crowd;
}

async function follow(
  one: Waiting,
  changes: PresenceChanges,
  news: PresenceNews,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  const { user, interest, userId }: { readonly interest: Interest } & Waiting = one;
  const reader = { userId, ignored: new Set<UserId>() };
  while (!signal.aborted) {
    interest.rearm();
    const until = { position: START, presence: changes.mark() } as StreamMoment;
    const changed = await news.changed({ userId, rooms: user.rooms }, one.since, until);
    one.since = until;
    const events = news.render(reader, changed);
    if (events.length > 0) {
      told.answers++;
      told.events += events.length;
      for (const text of events) told.bytes += text.length;
    }
    await interest.wait(3_600_000, []);
  }
}

/** Views that have nothing but who is in which rooms. */
function viewsOfCrowd(): Views {
  const rowsOf = (userId: string): Row[] => {
    const n = Number(/\d+/.exec(userId)![0]);
    return Array.from({ length: ROOMS_OF_EACH }, (_, i) => {
      const roomId = `!room${(n + i * 101) % ROOMS}:bench.example` as RoomId;
      const row = { membership: 'join', event_id: '$e' as EventId, pos: START, sender: userId as UserId };
      return { key: [userId, roomId], value: USER_ROOMS.codec.encode(row) };
    });
  };
  const views: Pick<Views, 'get' | 'getMany' | 'scan' | 'position'> = {
    get: async () => undefined,
    getMany: async (_, keys) => keys.map(() => undefined),
    scan: async (collection, { prefix, after }: ScanOptions) =>
      collection === USER_ROOMS.name && after === undefined ? rowsOf(prefix![0]!) : [],
    position: () => START,
  };
  return views as Views;
}

function quiet(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
