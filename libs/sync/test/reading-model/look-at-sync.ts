import { Difference, expectOneOf, expectSame, expectTrue } from './assert.js';
import { describeEvent, expectEvents, type Look, type ToldEvent } from './look.js';
import { checkEphemeral } from './look-at-ephemeral.js';
import { checkUnread } from './look-at-unread.js';
import type { ModelEvent, ModelState } from './room-model.js';
import type { KeptToken } from './world-model.js';

/** How a client asks. */
interface Wish {
  readonly limit: number;
  readonly lazy: boolean;
  readonly stateAfter: boolean;
  readonly includeLeave: boolean;
  readonly fullState: boolean;
  /** Only these in the timeline. */
  readonly types: readonly string[] | undefined;
}

type Section = 'join' | 'invite' | 'knock' | 'leave';

/** A room as /sync tells of it. */
interface ToldRoom {
  readonly state?: { readonly events: readonly ToldEvent[] };
  readonly state_after?: { readonly events: readonly ToldEvent[] };
  readonly timeline: { readonly events: readonly ToldEvent[]; readonly limited: boolean; readonly prev_batch: string };
  readonly ephemeral?: { readonly events: readonly ToldEvent[] };
  readonly unread_notifications?: { readonly highlight_count: number; readonly notification_count: number };
  readonly summary?: Readonly<Record<string, unknown>>;
  readonly invite_state?: { readonly events: readonly ToldEvent[] };
  readonly knock_state?: { readonly events: readonly ToldEvent[] };
}

const LIMITS = [0, 1, 2, 3, 5, 10, 50];
/** What those are told who are not in the room: "Stripped state". */
const STRIPPED = ['create', 'name', 'avatar', 'topic', 'join_rules', 'canonical_alias', 'encryption', 'member'];

/** GET /sync: everything, and what is new since a token, also one from better days. */
export async function lookAtSync(look: Look): Promise<void> {
  const kept = look.living.world.tokens.get(look.user.userId) ?? [];
  const token = await syncOnce(look, undefined);
  for (const since of new Set([kept[look.number(kept.length)], kept[look.number(kept.length)]])) {
    if (since !== undefined) await syncOnce(look, since);
  }
  look.living.keep(look.user.userId, token);
}

async function syncOnce(look: Look, since: KeptToken | undefined): Promise<string> {
  const { reader, number } = look;
  const wish: Wish = {
    limit: LIMITS[number(LIMITS.length)]!,
    lazy: number(3) === 0,
    stateAfter: number(3) === 0,
    includeLeave: number(2) === 0,
    fullState: number(6) === 0,
    types: number(4) === 0 ? ['m.room.message'] : undefined,
  };
  const filter = {
    room: {
      include_leave: wish.includeLeave,
      timeline: { limit: wish.limit, ...(wish.types === undefined ? {} : { types: wish.types }) },
      state: { lazy_load_members: wish.lazy },
    },
  };
  const known = since?.lengths.get(reader.room.roomId) ?? 0;
  const what = `GET /sync ${since === undefined ? 'initially' : `since ${known} events`} ${JSON.stringify(wish)}`;
  const answer = await look.user.sync({
    filter,
    use_state_after: wish.stateAfter,
    full_state: wish.fullState,
    ...(since === undefined ? {} : { since: since.token }),
  });
  const found = (['join', 'invite', 'knock', 'leave'] as const).filter(
    (section) => answer.rooms?.[section]?.[reader.room.roomId] !== undefined,
  );
  expectTrue(() => `${what}: ${found.join()}`, found.length < 2);
  checkSection(look, what, wish, since, found[0]);
  const [section] = found;
  const told = section === undefined ? undefined : (answer.rooms[section][reader.room.roomId] as ToldRoom);
  if (section === 'join') await checkJoined(look, `${what}: join`, wish, since, told!);
  else if (section === 'leave') checkLeft(look, `${what}: leave`, wish, since, told!);
  else if (told !== undefined) checkStripped(look, what, (told.invite_state ?? told.knock_state)!.events);
  return answer.next_batch;
}

/** Where a room must, may and must not stand. */
function checkSection(look: Look, what: string, wish: Wish, since: KeptToken | undefined, found?: Section): void {
  const { reader } = look;
  const { room, world, userId } = reader;
  const membership = reader.membershipTold();
  const known = since?.lengths.get(room.roomId) ?? 0;
  const last = reader.lastTold();
  const changed = last !== undefined && last.index >= known;
  if (membership === 'join') {
    const isNeeded = since === undefined || hasNews(look, wish, known);
    expectSame(what, isNeeded ? found : (found ?? 'join'), 'join');
  } else if (membership === 'invite' || membership === 'knock') {
    if (since === undefined || changed) expectSame(what, found, membership);
    else expectSame(what, found ?? membership, membership);
  } else {
    if (world.hasForgotten(userId, room) || (reader.isUninvited() && reader.isClosed())) {
      // Told is that they are not in it any more, to a client that has it otherwise.
      expectSame(() => `${what}: forgotten`, found, changed && reader.wasThereAfter(known) ? 'leave' : undefined);
      return;
    }
    const mayBeThere = last !== undefined && (since === undefined ? wish.includeLeave : true);
    expectSame(what, found ?? 'leave', 'leave');
    if (!mayBeThere) expectSame(what, found, undefined);
    else if (since !== undefined && !changed && !wish.fullState)
      expectSame(() => `${what}: old news`, found, undefined);
    else if (!reader.isClosed() && (since === undefined ? reader.wasIn() : changed && wasInSince(look, known)))
      expectSame(what, found, 'leave');
  }
}

/** Whether an incremental answer has something that passes the filter. */
function hasNews(look: Look, wish: Wish, known: number): boolean {
  return look.reader
    .visibleEvents()
    .some((event) => event.index >= known && (passes(wish, event) || event.stateKey !== undefined));
}

function passes({ types }: Wish, { type }: ModelEvent): boolean {
  return types === undefined || types.includes(type);
}

function wasInSince({ reader }: Look, known: number): boolean {
  for (let index = Math.max(0, known - 1); index < reader.room.length; index++) {
    if (reader.room.membershipAfter(reader.userId, index) === 'join') return true;
  }
  return false;
}

/** What the client has of the room already: nothing where its user was not in it. */
export function baseOf(
  { reader }: Look,
  since: KeptToken | undefined,
): { readonly first: number; readonly state: ModelState } {
  const known = since?.lengths.get(reader.room.roomId) ?? 0;
  const wasIn = known > 0 && reader.room.membershipAfter(reader.userId, known - 1) === 'join';
  return wasIn ? { first: known, state: reader.room.stateAfter(known - 1) } : { first: 0, state: new Map() };
}

async function checkJoined(
  look: Look,
  what: string,
  wish: Wish,
  since: KeptToken | undefined,
  told: ToldRoom,
): Promise<void> {
  const { reader } = look;
  const { room } = reader;
  const { first, state } = baseOf(look, since);
  const all = reader.visibleOrInForce().filter((event) => event.index >= first && passes(wish, event));
  const shown = told.timeline.events.map((event) => look.checkTold(() => `${what}: timeline`, event));
  const expected = all.slice(all.length - Math.max(shown.length, fewest(look, wish, all)));
  expectEvents(() => `${what}: timeline`, shown, expected);
  expectTrue(() => `${what}: limit`, shown.length <= wish.limit);
  if (all.length > expected.length) expectTrue(() => `${what}: limited`, told.timeline.limited);
  else if (since === undefined) expectSame(() => `${what}: limited`, told.timeline.limited, false);
  checkFold(look, what, wish, told, state, room.stateAfter(room.length - 1));
  checkSummary(look, what, told, since === undefined);
  checkUnread(look, what, told);
  checkEphemeral(look, what, told.ephemeral?.events ?? [], first === 0 ? undefined : since);
  const start = expected[0]?.index ?? room.length;
  if (wish.limit > 0 && expected.length === 0) return;
  const { status, body } = await look.ask(
    'today',
    `${look.path}/messages?dir=b&limit=1000&from=${told.timeline.prev_batch}`,
  );
  expectSame(what, status, 200);
  const earlier = reader.visibleEvents().filter(({ index }) => index < start);
  look.checkList(`${what}: what is before prev_batch`, body.chunk, earlier.toReversed());
}

/**
 * How many events a timeline must have at least: of a client that folds the state from it, it must not show what an event
 * that is hidden from the reader has replaced.
 */
function fewest({ reader }: Look, wish: Wish, all: readonly ModelEvent[]): number {
  const shown = wish.limit === 0 ? [] : all.slice(-wish.limit);
  if (wish.stateAfter) return shown.length;
  const isHidden = ({ index, type, stateKey }: ModelEvent): boolean => {
    const last = reader.room.events.findLast((each) => each.type === type && each.stateKey === stateKey);
    return last !== undefined && last.index > index && !all.includes(last);
  };
  return shown.length - 1 - shown.findLastIndex((event) => event.stateKey !== undefined && isHidden(event));
}

/** Nothing from after the stay but what became of the reader themself. */
function checkLeft(look: Look, what: string, wish: Wish, since: KeptToken | undefined, told: ToldRoom): void {
  const { reader } = look;
  // To who has forgotten the room it is as if they had never been in it.
  const end = reader.isClosed() ? -1 : (reader.endOfStay() ?? -1);
  const known = since?.lengths.get(reader.room.roomId) ?? 0;
  const states = (wish.stateAfter ? told.state_after : told.state)?.events ?? [];
  for (const event of [...states, ...told.timeline.events]) {
    const { index } = look.checkTold(what, event, 'today', states.includes(event));
    const isOwn = event['type'] === 'm.room.member' && event['state_key'] === reader.userId;
    if (index > end && !isOwn) throw new Difference(() => `${what} tells of #${index}, which is after the stay`);
  }
  const own = reader.lastTold()!;
  if (own.index >= known) {
    const folded = wish.stateAfter ? states : [...states, ...told.timeline.events];
    const last = folded.findLast((event) => event['type'] === 'm.room.member' && event['state_key'] === reader.userId);
    expectSame(() => `${what}: what became of them`, describeId(look, String(last?.['event_id'])), describeEvent(own));
  }
  if (reader.isClosed() || !wasInSince(look, known) || end < known) return;
  const { first, state } = baseOf(look, since);
  const all = reader.room.events.filter(
    (event) => event.index >= first && event.index <= end && reader.maySee(event) === 'yes' && passes(wish, event),
  );
  const shown = told.timeline.events.map((event) => reader.room.find(String(event['event_id']))!);
  const ofStay = shown.filter(({ index }) => index <= end);
  expectEvents(() => `${what}: timeline`, ofStay, all.slice(all.length - ofStay.length));
  expectTrue(() => `${what}: timeline`, shown.length <= Math.max(wish.limit, shown.length - ofStay.length));
  expectTrue(() => `${what}: timeline`, shown.length >= fewest(look, wish, all));
  const after = new Map(reader.room.stateAfter(end));
  checkFold(look, what, wish, told, state, after);
}

/** A client that believes what it is told has the state in the end. */
function checkFold(look: Look, what: string, wish: Wish, told: ToldRoom, known: ModelState, after: ModelState): void {
  const folded = new Map<string, string>();
  const states = (wish.stateAfter ? told.state_after : told.state)?.events ?? [];
  expectSame(what, wish.stateAfter ? told.state : told.state_after, undefined);
  for (const event of states) look.checkTold(() => `${what}: state`, event, 'today', true);
  for (const event of wish.stateAfter ? states : [...states, ...told.timeline.events]) {
    const { type, state_key: key } = event as { type: string; state_key?: string };
    if (key !== undefined) folded.set(`${type} ${key}`, String(event['event_id']));
  }
  const { reader } = look;
  const own = `m.room.member ${reader.userId}`;
  for (const [name, event] of after) {
    const isLate = name === own && after.get(name) !== reader.room.stateAfter(reader.room.length - 1).get(name);
    if (isLate) continue;
    const isNeeded = known.get(name) !== event && !(wish.lazy && event.type === 'm.room.member');
    if (isNeeded || folded.has(name)) {
      expectSame(() => `${what}: the state in the end`, describeId(look, folded.get(name)), describeEvent(event));
    }
  }
  for (const name of folded.keys()) {
    if (name !== own) expectOneOf(() => `${what}: state that is none`, name, [...after.keys()]);
  }
  if (!wish.lazy || known.size > 0) return;
  for (const { sender } of told.timeline.events) {
    if (after.has(`m.room.member ${String(sender)}`)) {
      expectOneOf(() => `${what}: members of who speaks`, `m.room.member ${String(sender)}`, [...folded.keys()]);
    }
  }
}

function describeId({ reader }: Look, id: string | undefined): string | undefined {
  const event = id === undefined ? undefined : reader.room.find(id);
  return event === undefined ? undefined : describeEvent(event);
}

function checkSummary({ reader, living }: Look, what: string, { summary = {} }: ToldRoom, isNeeded: boolean): void {
  const count = (membership: string): number =>
    living.users.filter(({ userId }) => reader.room.membership(userId) === membership).length;
  if (!isNeeded && summary['m.joined_member_count'] === undefined) return;
  expectSame(() => `${what}: summary`, summary['m.joined_member_count'], count('join'));
  expectSame(() => `${what}: summary`, summary['m.invited_member_count'], count('invite'));
}

/** Who is invited or knocks is told what the room is, and who they are themselves; nothing else. */
export function checkStripped(look: Look, what: string, told: readonly ToldEvent[]): void {
  const { reader } = look;
  const own = reader.lastTold()!;
  const names = told.map((event) => `${String(event['type'])} ${String(event['state_key'])}`);
  expectOneOf(() => `${what}: stripped state`, `m.room.member ${reader.userId}`, names);
  expectOneOf(() => `${what}: stripped state`, 'm.room.create ', names);
  for (const event of told) {
    const [type, key] = [String(event['type']), String(event['state_key'])];
    expectOneOf(
      () => `${what}: stripped state`,
      type,
      STRIPPED.map((name) => `m.room.${name}`),
    );
    if (type === 'm.room.member') expectOneOf(() => `${what}: stripped state`, key, [reader.userId, own.sender]);
    const known = [own.index, reader.room.length - 1].map((index) =>
      reader.room.stateAfter(index).get(`${type} ${key}`),
    );
    const contents = known.flatMap((it) => (it === undefined ? [] : reader.contentsOf(it)));
    expectOneOf(() => `${what}: stripped ${type}`, event['content'], contents);
  }
}
