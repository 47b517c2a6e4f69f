import type { PresenceChoice } from '../facts/presence-facts.js';

/** What a device says of itself: the states of today. */
export const DEVICE_STATES = ['offline', 'unavailable', 'online'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];
export type PresenceState = DeviceState | PresenceChoice;

/**
 * All states that are known, on their scale: how much of an answer may be expected. Those of 2014/15, with `busy`, which that text names, and
 * `do_not_disturb`, which its successor misses ("presence states should be extensible, with us providing a baseline, and possibly a scale of
 * availability").
 */
export const RANK: Readonly<Record<PresenceState, number>> = {
  hidden: 0,
  offline: 0,
  unavailable: 1,
  do_not_disturb: 2,
  busy: 3,
  online: 4,
  free_for_chat: 5,
};

/** Their names in API v1. */
export const PRESENCE_STATES = Object.keys(RANK) as PresenceState[];

/** As today's clients know it: MSC3026. */
export const BUSY_TODAY = 'org.matrix.msc3026.busy';
/** The key beside `presence` of a state for which there the nearest stands that is known. */
export const EXACT_STATE = 'dev.annals.state';

/** Other names of states. */
const ALSO: ReadonlyMap<string, PresenceState> = new Map(
  Object.entries({
    dnd: 'do_not_disturb',
    donotdisturb: 'do_not_disturb',
    away: 'unavailable',
    idle: 'unavailable',
    available: 'online',
    invisible: 'hidden',
  }),
);
const WORD = /^[A-Za-z][\w.-]{0,63}$/;

/** A state as somebody said it: one that is known, and where it was another one its name, for which that stands. */
export interface SaidState {
  readonly state: PresenceState;
  readonly word?: string;
}

/** Whether a text is the name of a known state. */
export function isPresenceState(text: unknown): text is PresenceState {
  return typeof text === 'string' && Object.hasOwn(RANK, text);
}

/** Whether a text may be the name of a state, or of a kind of device. */
export function isWord(text: unknown): text is string {
  return typeof text === 'string' && WORD.test(text);
}

/**
 * The known state that is nearest to one of any name: by its name without its namespace; undefined where that says nothing.
 */
function findNearest(word: string): PresenceState | undefined {
  const name = word.slice(word.lastIndexOf('.') + 1).toLowerCase();
  return isPresenceState(name) ? name : ALSO.get(name);
}

/**
 * A state as another server or a client tells it: `presence`, and `exact` where that stands for something else. Of one that nobody knows it
 * counts that they are there, and that no more is known. Undefined where neither is a name.
 */
export function readState(presence: unknown, exact: unknown): SaidState | undefined {
  if (!isWord(presence)) return undefined;
  const word = isWord(exact) ? exact : presence;
  if (isPresenceState(word)) return { state: word };
  const told = findNearest(presence);
  const state = findNearest(word) ?? told ?? 'unavailable';
  // Who hides would be told of by the word they hide with.
  if (state === 'hidden') return { state };
  return word === BUSY_TODAY ? { state: 'busy' } : { state, word };
}

/**
 * What others see of a state, and oneself where `isOwn`, in the words of today, of 2014/15 (`v1`), or of today's servers (`servers`), which know
 * no others than the specification's. Who hides is offline to all others, and to clients of today, which know no other word for it.
 */
export function shownState(state: PresenceState, isOwn: boolean, form: StateForm): string {
  if (state === 'hidden') return isOwn && form === 'v1' ? state : 'offline';
  if (form === 'v1') return state;
  if (state === 'free_for_chat') return 'online';
  if (state !== 'busy' && state !== 'do_not_disturb') return state;
  return form === 'today' ? BUSY_TODAY : 'unavailable';
}

export type StateForm = 'today' | 'v1' | 'servers';
