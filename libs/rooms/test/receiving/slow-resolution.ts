import { createHash } from 'node:crypto';
import type { EventId } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { findAuthRefusal } from '#protocol/event-auth/authorize-event';
import { powerLevelOf } from '#protocol/event-auth/power-levels';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';

/** A whole state: `["type","state key"]` -> event id. */
export type SlowState = ReadonlyMap<string, EventId>;

export const slowKey = (type: string, stateKey: string): string => JSON.stringify([type, stateKey]);

/** All events there are, and which of them were refused by their own auth events, or otherwise. */
export interface SlowEvents {
  readonly byId: ReadonlyMap<EventId, RoomEvent>;
  readonly rejected: ReadonlySet<EventId>;
  readonly create: RoomEvent;
  readonly version: RoomVersion;
}

/**
 * State resolution in the words of the specification: whole states, whole auth chains, every list searched from its beginning.
 * It shares with the fast one the authorisation rules alone.
 */
export function resolveSlowly(states: readonly SlowState[], events: SlowEvents): SlowState {
  const keys = new Set(states.flatMap((state) => [...state.keys()]));
  const unconflicted = new Map<string, EventId>();
  const conflicted = new Set<EventId>();
  for (const key of keys) {
    const values = states.map((state) => state.get(key));
    if (values.every((value) => value === values[0])) unconflicted.set(key, values[0] as EventId);
    else for (const value of values) if (value !== undefined) conflicted.add(value);
  }
  if (events.version.stateResolution === 'v1') return resolveFirst(unconflicted, conflicted, events);
  return resolveSecond(states, unconflicted, conflicted, events);
}

/** Room version 1. A key that some states do not have is no conflict; if nothing passes, the first candidate is taken. */
function resolveFirst(unconflicted: SlowState, conflicted: ReadonlySet<EventId>, events: SlowEvents): SlowState {
  const candidates = new Map<string, RoomEvent[]>();
  for (const eventId of conflicted) {
    const event = eventOf(eventId, events);
    const key = keyOf(event);
    candidates.set(key, [...(candidates.get(key) ?? []), event]);
  }
  const resolved = new Map(unconflicted);
  for (const [key, list] of candidates) if (list.length === 1) resolved.set(key, list[0]!.eventId);
  const sha = ({ eventId }: RoomEvent) => createHash('sha1').update(eventId).digest('hex');
  const open = [...candidates.values()]
    .filter((list) => list.length > 1)
    .map((list) => list.sort((a, b) => a.depth - b.depth || (sha(a) > sha(b) ? -1 : 1)));
  for (const type of ['m.room.power_levels', 'm.room.join_rules', 'm.room.member']) {
    const base = new Map(resolved);
    for (const list of open.filter(([first]) => first!.type === type)) {
      let winner = list[0]!;
      for (const next of list.slice(1)) {
        if (!isAllowedBy(next, new Map([...base, [keyOf(winner), winner.eventId]]), events)) break;
        winner = next;
      }
      resolved.set(keyOf(winner), winner.eventId);
    }
  }
  const base = new Map(resolved);
  for (const list of open) {
    if (['m.room.power_levels', 'm.room.join_rules', 'm.room.member'].includes(list[0]!.type)) continue;
    const winner = list.findLast((event) => isAllowedBy(event, base, events)) ?? list[0]!;
    resolved.set(keyOf(winner), winner.eventId);
  }
  return resolved;
}

/** Room versions 2 and 12. */
function resolveSecond(
  states: readonly SlowState[],
  unconflicted: SlowState,
  conflicted: ReadonlySet<EventId>,
  events: SlowEvents,
): SlowState {
  const is21 = events.version.stateResolution === 'v2.1';
  const chains = states.map((state) => chainOf(state.values(), events));
  const all = new Set(chains.flatMap((chain) => [...chain]));
  const full = new Set(conflicted);
  for (const eventId of all) if (!chains.every((chain) => chain.has(eventId))) full.add(eventId);
  if (is21) {
    for (const eventId of chainOf(conflicted, events)) {
      const below = chainOf(eventOf(eventId, events).authEvents, events);
      if ([...conflicted].some((one) => below.has(one))) full.add(eventId);
    }
  }
  const set = [...full].map((eventId) => eventOf(eventId, events)).filter(({ stateKey }) => stateKey !== undefined);
  const inSet = new Set(set.map(({ eventId }) => eventId));
  const power = new Set<EventId>();
  const follow = (event: RoomEvent): void => {
    if (power.has(event.eventId)) return;
    power.add(event.eventId);
    for (const each of event.authEvents) if (inSet.has(each)) follow(eventOf(each, events));
  };
  set.filter(isPower).forEach(follow);
  const partial = new Map<string, EventId>(is21 ? [] : unconflicted);
  apply(
    orderByPower(
      set.filter(({ eventId }) => power.has(eventId)),
      events,
    ),
    partial,
    events,
  );
  const levels = partial.get(slowKey('m.room.power_levels', ''));
  const others = set.filter(({ eventId }) => !power.has(eventId));
  apply(orderByMainline(others, levels, events), partial, events);
  return new Map([...partial, ...unconflicted]);
}

function isPower({ type, sender, stateKey, content }: RoomEvent): boolean {
  if (type === 'm.room.power_levels' || type === 'm.room.join_rules') return true;
  return type === 'm.room.member' && sender !== stateKey && ['leave', 'ban'].includes(String(content['membership']));
}

function orderByPower(list: readonly RoomEvent[], events: SlowEvents): RoomEvent[] {
  const levelOf = ({ sender, authEvents }: RoomEvent) =>
    powerLevelOf(
      sender,
      authStateOf(
        authEvents.map((each) => eventOf(each, events)),
        createOf(events),
      ),
      events.version,
    );
  const left = new Set(list);
  const ordered: RoomEvent[] = [];
  while (left.size > 0) {
    const waiting = new Set([...left].map(({ eventId }) => eventId));
    const ready = [...left].filter(({ authEvents }) => !authEvents.some((each) => waiting.has(each)));
    ready.sort((a, b) => (levelOf(a) === levelOf(b) ? byTime(a, b) : levelOf(a) > levelOf(b) ? -1 : 1));
    ordered.push(ready[0]!);
    left.delete(ready[0]!);
  }
  return ordered;
}

function orderByMainline(list: readonly RoomEvent[], levels: EventId | undefined, events: SlowEvents): RoomEvent[] {
  const mainline: EventId[] = [];
  for (let at = levels; at !== undefined; at = levelsOf(eventOf(at, events), events)) mainline.push(at);
  const ageOf = (event: RoomEvent): number => {
    for (let at = levelsOf(event, events); at !== undefined; at = levelsOf(eventOf(at, events), events)) {
      if (mainline.includes(at)) return mainline.indexOf(at);
    }
    return Infinity;
  };
  return [...list].sort((a, b) => (ageOf(a) === ageOf(b) ? byTime(a, b) : ageOf(a) > ageOf(b) ? -1 : 1));
}

function levelsOf({ authEvents }: RoomEvent, events: SlowEvents): EventId | undefined {
  return authEvents.find((each) => eventOf(each, events).type === 'm.room.power_levels' && !events.rejected.has(each));
}

function apply(list: readonly RoomEvent[], partial: Map<string, EventId>, events: SlowEvents): void {
  for (const event of list) {
    const own = event.authEvents.filter((each) => !events.rejected.has(each)).map((each) => eventOf(each, events));
    // Of its own auth events the first with a key counts.
    const state = new Map([...own.toReversed().map((each) => [keyOf(each), each.eventId] as const), ...partial]);
    if (isAllowedBy(event, state, events)) partial.set(keyOf(event), event.eventId);
  }
}

function isAllowedBy(event: RoomEvent, state: SlowState, events: SlowEvents): boolean {
  const inState = [...state.values()].map((eventId) => eventOf(eventId, events));
  return findAuthRefusal(event, events.version, authStateOf(inState, createOf(events))) === undefined;
}

/** Events and all that is reached from them by auth events. */
function chainOf(start: Iterable<EventId>, events: SlowEvents): Set<EventId> {
  const chain = new Set(start);
  for (const eventId of chain) for (const each of eventOf(eventId, events).authEvents) chain.add(each);
  return chain;
}

function createOf({ create, version }: SlowEvents): RoomEvent | undefined {
  return version.roomIdIsCreateHash ? create : undefined;
}

function keyOf({ type, stateKey = '' }: RoomEvent): string {
  return slowKey(type, stateKey);
}

function eventOf(eventId: EventId, { byId }: SlowEvents): RoomEvent {
  const event = byId.get(eventId);
  if (event === undefined) throw new Error(`no such event: ${eventId}`);
  return event;
}

function byTime(a: RoomEvent, b: RoomEvent): number {
  return a.originServerTs - b.originServerTs || (a.eventId < b.eventId ? -1 : 1);
}
