import { SlidingClient, StableSlidingClient } from '#testing/sliding-client';
import { Difference, expectOneOf, expectSame, expectTrue } from './assert.js';
import { describeEvent, expectEvents, type Look, type ToldEvent } from './look.js';
import { checkEphemeral } from './look-at-ephemeral.js';
import { baseOf, checkStripped } from './look-at-sync.js';
import { checkUnread } from './look-at-unread.js';
import type { ModelEvent } from './room-model.js';
import type { KeptToken } from './world-model.js';

/** How a connection asks, each time. */
interface Kind {
  readonly isStable: boolean;
  readonly limit: number;
  readonly lazy: boolean;
  /** By a subscription; else by a list. */
  readonly isSubscribed: boolean;
}

/** A connection, and what its client made of what it was told. */
export interface SlidConnection {
  readonly client: SlidingClient;
  /** The moment of the last answer that arrived. */
  kept: KeptToken | undefined;
  /** The events that hold the keys of the state, by their ids. */
  state: Map<string, string>;
  name: string | undefined;
  /** It was told last of an invitation, or of a knock. */
  isStripped: boolean;
  /** It knew nothing of an invitation, for the user ignored who had sent it. */
  wasUninvited: boolean;
}

interface ToldRoom {
  readonly initial?: boolean;
  readonly membership?: string;
  readonly name?: string | null;
  readonly joined_count?: number;
  readonly invited_count?: number;
  readonly notification_count?: number;
  readonly highlight_count?: number;
  readonly limited?: boolean;
  readonly num_live?: number;
  readonly prev_batch?: string;
  readonly required_state?: readonly ToldEvent[];
  readonly timeline?: readonly ToldEvent[];
  readonly invite_state?: readonly ToldEvent[];
  readonly stripped_state?: readonly ToldEvent[];
}

interface Extension {
  readonly rooms: Readonly<Record<string, ToldEvent | undefined>>;
}

const KINDS: readonly Kind[] = [
  { isStable: false, limit: 3, lazy: false, isSubscribed: false },
  { isStable: false, limit: 50, lazy: true, isSubscribed: true },
  { isStable: true, limit: 1, lazy: false, isSubscribed: true },
  { isStable: true, limit: 10, lazy: true, isSubscribed: false },
  { isStable: true, limit: 0, lazy: false, isSubscribed: false },
];
const MEMBER = 'm.room.member';

/** Sliding sync in both shapes: a connection that begins, or goes on from where it was when it was looked at last. */
export async function lookAtSliding(look: Look): Promise<void> {
  const { living, number, reader, user } = look;
  const at = number(KINDS.length);
  const kind = KINDS[at]!;
  const key = `${user.userId} ${at}`;
  let slid = living.slid.get(key);
  if (slid === undefined || number(3) === 0) living.slid.set(key, (slid = begun(look, kind, `${at}`)));
  const body = bodyOf(look, kind);
  // An answer may be lost.
  if (number(4) === 0) expectSame('sliding sync', (await slid.client.ask(body)).status, 200);
  const { rooms, extensions } = await slid.client.next(body);
  const known = slid.kept?.lengths.get(reader.room.roomId) ?? 0;
  const what = `sliding sync ${slid.kept === undefined ? 'initially' : `since ${known} events`} ${JSON.stringify(kind)}`;
  const told = rooms[reader.room.roomId] as ToldRoom | undefined;
  checkPlace(look, what, kind, slid, told);
  checkExtensions(look, what, slid.kept, extensions);
  if (told !== undefined) slid.isStripped = (told.invite_state ?? told.stripped_state) !== undefined;
  slid.wasUninvited = reader.isUninvited();
  const membership = reader.room.membership(user.userId);
  if (membership === 'join') await checkIn(look, what, kind, slid, told);
  else if (told?.timeline !== undefined) checkOut(look, what, kind, slid, told);
  slid.kept = { token: '', lengths: living.world.lengths(), turn: living.world.turn };
}

function begun({ user }: Look, { isStable }: Kind, connId: string): SlidConnection {
  const client = isStable ? new StableSlidingClient(user, connId) : new SlidingClient(user, connId);
  return { client, kept: undefined, state: new Map(), name: undefined, isStripped: false, wasUninvited: false };
}

function bodyOf({ living }: Look, { isStable, limit, lazy, isSubscribed }: Kind): object {
  const stable = { include: [{}], lazy_members: lazy };
  const unstable = lazy ? [['*', '*'], [MEMBER, '$LAZY']] : [['*', '*']]; // prettier-ignore
  const config = { timeline_limit: limit, required_state: isStable ? stable : unstable };
  const range = isStable ? { range: [0, 19] } : { ranges: [[0, 19]] };
  return {
    ...(isSubscribed
      ? { room_subscriptions: { [living.room.roomId]: config } }
      : { lists: { all: { ...config, ...range } } }),
    extensions: { receipts: { enabled: true }, typing: { enabled: true } },
  };
}

/** Whether the room must, may or must not be told, and as what. */
function checkPlace(look: Look, what: string, kind: Kind, slid: SlidConnection, told?: ToldRoom): void {
  const { kept, wasUninvited } = slid;
  const { isStable, isSubscribed } = kind;
  const { reader } = look;
  const { room, world, userId } = reader;
  const membership = reader.membershipTold();
  const known = kept?.lengths.get(room.roomId) ?? 0;
  const last = reader.lastTold();
  const changed = last !== undefined && last.index >= known;
  const isTurned = kept !== undefined && wasUninvited !== reader.isUninvited();
  const stripped = told?.invite_state ?? told?.stripped_state;
  if (membership === 'join') {
    const isNew = known === 0 || room.membershipAfter(userId, known - 1) !== 'join';
    const hasNews = reader.visibleEvents().some(({ index }) => index >= known);
    if (isNew || hasNews) expectTrue(() => `${what}: is told`, told !== undefined);
    if (told !== undefined) expectSame(() => `${what}: initial`, told.initial === true, isNew);
  } else if (membership === 'invite' || membership === 'knock') {
    if (kept === undefined || changed || (isTurned && !slid.isStripped))
      expectTrue(() => `${what}: is told`, stripped !== undefined);
    if (stripped !== undefined) checkStripped(look, what, stripped);
  } else if (world.hasForgotten(userId, room) || (reader.isUninvited() && reader.isClosed())) {
    if (!reader.wasThereAfter(known)) expectSame(() => `${what}: forgotten`, told, undefined);
  } else if (kept === undefined) {
    const isOpen = reader.wasIn() && !reader.isClosed() && (isSubscribed || last!.sender !== userId);
    expectSame(() => `${what}: who is not in it any more`, told !== undefined, isOpen);
  } else if (!changed) {
    if (!isTurned) expectSame(() => `${what}: old news`, told, undefined);
  } else if (!wasUninvited && reader.wasThereAfter(known)) expectTrue(() => `${what}: is told`, told !== undefined);
  if (isStable && told !== undefined) expectSame(() => `${what}: membership`, told.membership, membership);
  if (membership !== 'invite' && membership !== 'knock')
    expectSame(() => `${what}: stripped state`, stripped, undefined);
}

async function checkIn(look: Look, what: string, kind: Kind, slid: SlidConnection, told?: ToldRoom): Promise<void> {
  const { reader } = look;
  const { room } = reader;
  const { first } = baseOf(look, slid.kept);
  if (told !== undefined) {
    const { timeline = [] } = told;
    const all = reader.visibleOrInForce().filter(({ index }) => index >= first);
    const shown = timeline.map((event) => look.checkTold(() => `${what}: timeline`, event));
    const expected = kind.limit === 0 ? [] : all.slice(-kind.limit);
    if (told.timeline !== undefined) {
      expectEvents(() => `${what}: timeline`, shown, expected);
      if (all.length > expected.length) expectSame(() => `${what}: limited`, told.limited, true);
      else if (slid.kept === undefined) expectSame(() => `${what}: limited`, told.limited, false);
      const known = slid.kept?.lengths.get(room.roomId) ?? Number.POSITIVE_INFINITY;
      const live = shown.filter(({ index }) => index >= known).length;
      if (slid.kept === undefined || first > 0) expectSame(() => `${what}: num_live`, told.num_live, live);
    }
    fold(look, what, slid, told);
    checkCounts(look, what, told);
    await checkBefore(look, what, kind, told, shown);
  }
  checkState(look, what, kind, slid, room.stateAfter(room.length - 1), told?.timeline ?? []);
  checkName(look, what, kind, slid);
}

function fold(look: Look, what: string, slid: SlidConnection, told: ToldRoom): void {
  if (told.initial === true) {
    slid.state = new Map();
    slid.name = undefined;
  }
  if (told.name !== undefined) slid.name = told.name ?? undefined;
  for (const event of told.required_state ?? []) {
    const found = look.checkTold(() => `${what}: state`, event, 'today', true);
    slid.state.set(`${found.type} ${found.stateKey}`, found.id);
  }
}

function checkState(
  { reader }: Look,
  what: string,
  { lazy }: Kind,
  { state }: SlidConnection,
  meant: ReadonlyMap<string, ModelEvent>,
  timeline: readonly ToldEvent[],
): void {
  const senders = new Set(timeline.map(({ sender }) => `${MEMBER} ${String(sender)}`));
  for (const [name, event] of meant) {
    const isNeeded = !lazy || event.type !== MEMBER || senders.has(name) || state.has(name);
    const id = state.get(name);
    const told = id === undefined ? undefined : reader.room.find(id);
    if (isNeeded && told !== event)
      expectSame(() => `${what}: the state in the end`, told && describeEvent(told), describeEvent(event));
  }
}

function checkName({ reader }: Look, what: string, { isStable }: Kind, { name }: SlidConnection): void {
  const event = reader.room.stateAfter(reader.room.length - 1).get('m.room.name ');
  const meant = event && reader.contentsOf(event).map((content) => content['name']);
  // That there is none any more only one of the shapes can say.
  if (isStable || meant?.some((one) => one !== undefined) === true)
    expectOneOf(() => `${what}: the name`, name, meant ?? [undefined]);
}

function checkCounts(look: Look, what: string, told: ToldRoom): void {
  const { reader, living } = look;
  const count = (membership: string): number =>
    living.users.filter(({ userId }) => reader.room.membership(userId) === membership).length;
  if (told.initial === true || told.joined_count !== undefined) {
    expectSame(() => `${what}: joined_count`, told.joined_count, count('join'));
    expectSame(() => `${what}: invited_count`, told.invited_count, count('invite'));
  }
  const { notification_count = 0, highlight_count = 0 } = told;
  if (told.notification_count !== undefined)
    checkUnread(look, what, { unread_notifications: { notification_count, highlight_count } });
}

async function checkBefore(
  look: Look,
  what: string,
  { limit }: Kind,
  { prev_batch: token }: ToldRoom,
  shown: readonly ModelEvent[],
): Promise<void> {
  if (token === undefined || (limit > 0 && shown.length === 0)) return;
  const { reader } = look;
  const start = shown[0]?.index ?? reader.room.length;
  const { status, body } = await look.ask('today', `${look.path}/messages?dir=b&limit=1000&from=${token}`);
  expectSame(what, status, 200);
  const earlier = reader.visibleEvents().filter(({ index }) => index < start);
  look.checkList(`${what}: what is before prev_batch`, body.chunk, earlier.toReversed());
}

/** Nothing from after the stay but what became of the reader themself. */
function checkOut(look: Look, what: string, { limit }: Kind, { kept }: SlidConnection, told: ToldRoom): void {
  const { reader } = look;
  const { room, userId } = reader;
  const own = reader.lastTold()!;
  const end = reader.isClosed() ? -1 : (reader.endOfStay() ?? -1);
  const known = kept?.lengths.get(room.roomId) ?? 0;
  const { required_state: states = [], timeline = [] } = told;
  const isOwn = (event: ToldEvent): boolean => event['type'] === MEMBER && event['state_key'] === userId;
  for (const event of [...states, ...timeline]) {
    // What is gone has a key and no more.
    if (event['event_id'] === undefined) continue;
    const { index } = look.checkTold(what, event, 'today', states.includes(event));
    if (index > end && !isOwn(event)) throw new Difference(() => `${what} tells of #${index}, which is after the stay`);
  }
  if (own.index >= known) {
    const last = room.find(String(states.findLast(isOwn)?.['event_id']));
    expectSame(() => `${what}: what became of them`, last && describeEvent(last), describeEvent(own));
  }
  const named = room.stateAfter(end).get('m.room.name ');
  const names = named === undefined ? [undefined] : reader.contentsOf(named).map((content) => content['name']);
  expectOneOf(() => `${what}: the name`, told.name ?? undefined, [undefined, ...names]);
  for (const key of ['joined_count', 'invited_count', 'notification_count'] as const)
    if (end < 0) expectSame(() => `${what}: ${key}`, told[key], undefined);
  expectTrue(() => `${what}: timeline`, timeline.length <= limit);
}

function checkExtensions(
  look: Look,
  what: string,
  kept: KeptToken | undefined,
  extensions: { readonly receipts?: Extension; readonly typing?: Extension },
): void {
  const { roomId } = look.reader.room;
  const told = [extensions.receipts, extensions.typing].map((extension) => extension?.rooms[roomId]);
  const events = told.filter((event) => event !== undefined);
  if (look.reader.room.membership(look.user.userId) !== 'join') {
    expectSame(() => `${what}: receipts and typing`, events, []);
    return;
  }
  checkEphemeral(look, what, events, baseOf(look, kept).first === 0 ? undefined : kept);
}
