import type { JsonObject } from '#kernel/json';
import { EXACT_STATE, type PresenceState, shownState } from './availability.js';
import { seenPresence, type UserPresence } from './presence-state.js';

/** The key in today's words of the kind of device with which somebody is there: 2015, "Device Type". */
export const DEVICE_TYPE = 'dev.annals.device_type';

/** A user's presence as it is now. */
export interface ShownPresence {
  readonly state: PresenceState;
  /** What they said instead of it: it is the nearest that is known. */
  readonly word: string | undefined;
  readonly currentlyActive: boolean;
  readonly statusMsg: string | undefined;
  /** The kind of device with which they are there. */
  readonly deviceType: string | undefined;
  /** Milliseconds since they last did something that others may know of. */
  readonly lastActiveAgo: number | undefined;
}

/** A user's presence at a time of the stopwatch. */
export function shownPresence(user: UserPresence, now: number): ShownPresence {
  const lastActiveAgo = user.activeAt === undefined ? undefined : Math.floor(Math.max(0, now - user.activeAt));
  return { ...seenPresence(user, now), statusMsg: user.statusMsg, lastActiveAgo };
}

/**
 * Who has to hear of a change: the user alone, or others too; and whether it is worth waking them, or is told with what they hear of next.
 * `forgotten`: nothing is remembered of the user any more.
 */
export type PresenceChange = 'forgotten' | { readonly ofOthers: boolean; readonly wakes: boolean };

/** The form of an answer: today's, that of 2014/15, or what other servers are told. */
export type PresenceForm = 'today' | 'v1' | 'servers';

/** What of a presence became other; undefined where nobody has to hear of it. When somebody did something last is no news by itself. */
export function isOtherThan(before: ShownPresence, now: ShownPresence): Exclude<PresenceChange, string> | undefined {
  const [own, others] = [true, false].map((isOwn) => differs(before, now, isOwn));
  const isActive = before.currentlyActive !== now.currentlyActive;
  if (own !== true && others !== true) return isActive ? { ofOthers: true, wakes: false } : undefined;
  return { ofOthers: others === true, wakes: true };
}

/** The content of an event of type m.presence, and of GET /presence/{userId}/status. */
export function contentOfPresence(presence: ShownPresence, isOwn: boolean, form: PresenceForm): JsonObject {
  const { state, currentlyActive, lastActiveAgo } = presence;
  const shown = shownState(state, isOwn, form);
  const statusMsg = statusOf(presence, isOwn);
  const exact = exactOf(presence, isOwn);
  const { deviceType } = presence;
  const isOnline = shown === 'online' || shown === 'free_for_chat';
  return {
    presence: shown,
    ...(exact === shown ? {} : { [EXACT_STATE]: exact }),
    ...(lastActiveAgo === undefined ? {} : { last_active_ago: lastActiveAgo }),
    ...(isOnline ? { currently_active: currentlyActive } : {}),
    ...(statusMsg === undefined ? {} : { status_msg: statusMsg }),
    ...(deviceType === undefined ? {} : { [form === 'v1' ? 'device_type' : DEVICE_TYPE]: deviceType }),
  };
}

/** Whether others see somebody as not there. */
export function isOffline({ state }: ShownPresence): boolean {
  return shownState(state, false, 'v1') === 'offline';
}

function differs(before: ShownPresence, now: ShownPresence, isOwn: boolean): boolean {
  if (statusOf(before, isOwn) !== statusOf(now, isOwn)) return true;
  return exactOf(before, isOwn) !== exactOf(now, isOwn) || before.deviceType !== now.deviceType;
}

/** What somebody is to others, or themself, by all that they said. */
function exactOf({ state, word }: ShownPresence, isOwn: boolean): string {
  if (state === 'hidden' && !isOwn) return 'offline';
  return word ?? state;
}

/** Of who hides, others hear nothing new, not even what they say of it. */
function statusOf({ state, statusMsg }: ShownPresence, isOwn: boolean): string | undefined {
  return state === 'hidden' && !isOwn ? undefined : statusMsg;
}
