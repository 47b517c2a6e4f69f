import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { compileGlob, compileWordGlob, hasWords } from '../glob.js';
import type { RoomEvent } from '../room-event.js';
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
  THREAD_SUBSCRIPTION,
} from './push-rule.js';

/** What the conditions need beyond the event. */
export interface PushContext {
  /** Of the user whose rules these are, in this room. */
  readonly displayName: string | undefined;
  /** Joined members of the room. */
  readonly memberCount: number;
  /** Of the event's sender; Infinity for creators with unlimited power. */
  readonly senderPowerLevel: number;
  /** `notifications` of the room's power levels, as numbers. A level not in it is 50. */
  readonly notificationLevels: Readonly<Record<string, number>>;
  /** Whether the user is subscribed to the thread that the event is in; undefined: it is in none, or no rule asks (`asksFor`). */
  readonly isSubscribed?: boolean;
  /** Of the pusher that it is asked for; undefined: for none, as where unread events are counted. */
  readonly profileTag?: string | undefined;
}

/** What one user's rules say of an event. */
export interface PushVerdict {
  readonly notify: boolean;
  /** Whether a notification is highlighted; false where there is none. */
  readonly highlight: boolean;
  /** The actions of the rule that matched, without those of history; none where no rule matched. */
  readonly actions: readonly PushAction[];
  /** The tweaks for the push gateway. */
  readonly tweaks: JsonObject;
}

export type RuleEvaluator = (event: RoomEvent, context: PushContext) => PushVerdict;
/** As RuleEvaluator; undefined where no rule matches. */
export type RuleMatcher = (event: RoomEvent, context: PushContext) => PushVerdict | undefined;
type Condition = (event: RoomEvent, context: PushContext) => boolean;
/** What a condition is compiled by: each by itself, or as one for all users who have the same (`SharedConditions`). */
type Compile = (condition: JsonObject) => Condition;

const SILENCE: PushVerdict = Object.freeze({ notify: false, highlight: false, actions: [], tweaks: {} });
const DEFAULT_NOTIFICATION_LEVEL = 50;

/**
 * What a user's rules say of an event: the actions of the first enabled rule that matches (client-server specification,
 * "Push Rules"). Of the user's own events and of ignored senders it is not to be asked. Never throws: a rule or condition
 * that makes no sense matches nothing.
 */
export function evaluateRules(ruleset: PushRuleset, event: RoomEvent, context: PushContext): PushVerdict {
  return compileRules(ruleset)(event, context);
}

/** The same, prepared once for many events. */
export function compileRules(ruleset: PushRuleset, compile: Compile = compileCondition): RuleEvaluator {
  const match = compileMatcher(ruleset, compile);
  return (event, context) => match(event, context) ?? SILENCE;
}

/** What the first enabled rule says that matches, prepared once for many events. */
export function compileMatcher(ruleset: Partial<PushRuleset>, compile: Compile = compileCondition): RuleMatcher {
  const compiled: { readonly conditions: readonly Condition[]; readonly verdict: PushVerdict }[] = [];
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind] ?? []) {
      if (!rule.enabled) continue;
      compiled.push({ conditions: conditionsOf(kind, rule, compile), verdict: verdictOf(rule.actions) });
    }
  }
  return (event, context) => {
    // PERF: no call but of the conditions: thousands of users times some twenty rules, of which hardly any matches.
    next: for (let i = 0; i < compiled.length; i++) {
      const { conditions, verdict } = compiled[i]!;
      for (let k = 0; k < conditions.length; k++) if (!conditions[k]!(event, context)) continue next;
      return verdict;
    }
    return undefined;
  };
}

/**
 * The conditions of many users, of which most are the same: compiled once, and where they look at the event alone tried once for each
 * event. PERF: a message to a thousand members is evaluated a thousand times, by default rules nearly all of it (`npm run bench -- push`).
 */
export class SharedConditions {
  readonly #known = new LruCache<string, Condition>(MOST_SHARED);

  /** As compiled by itself. */
  readonly compile: Compile = (condition) => {
    const key = JSON.stringify(condition);
    let known = this.#known.get(key);
    if (known === undefined) {
      const compiled = compileCondition(condition);
      this.#known.set(key, (known = OF_EVENT.has(condition['kind']) ? onceAnEvent(compiled) : compiled));
    }
    return known;
  };

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }
}

const MOST_SHARED = 2_000;
/** The conditions that say the same to whomever they are of. */
const OF_EVENT: ReadonlySet<unknown> = new Set(['event_match', 'event_property_is', 'event_property_contains']);

function onceAnEvent(condition: Condition): Condition {
  let last: RoomEvent | undefined;
  let holds = false;
  return (event, context) => {
    if (event !== last) [last, holds] = [event, condition(event, context)];
    return holds;
  };
}

/** Whether an enabled rule has a condition of a kind: what no rule asks for nobody need look up. */
export function asksFor(ruleset: Partial<PushRuleset>, kind: string): boolean {
  const asks = ({ enabled, conditions = [] }: PushRule): boolean =>
    enabled && conditions.some((condition) => condition['kind'] === kind);
  return PUSH_RULE_KINDS.some((each) => ruleset[each]?.some(asks) === true);
}

function conditionsOf(kind: PushRuleKind, rule: PushRule, compile: Compile): readonly Condition[] {
  switch (kind) {
    case 'room':
      return [(event) => event.roomId === rule.rule_id];
    case 'sender':
      return [(event) => event.sender === rule.rule_id];
    case 'content':
      return [compile({ kind: 'event_match', key: 'content.body', pattern: rule.pattern })];
    default:
      return (rule.conditions ?? []).map(compile);
  }
}

function verdictOf(ruleActions: readonly PushAction[]): PushVerdict {
  // "Historical Actions": dont_notify and coalesce are as if they were not there.
  const actions = ruleActions.filter((action) => action !== 'dont_notify' && action !== 'coalesce');
  if (!actions.includes('notify')) return Object.freeze({ ...SILENCE, actions });
  const entries = actions.flatMap((action): [string, JsonValue][] => {
    if (!isJsonObject(action) || typeof action['set_tweak'] !== 'string') return [];
    const name = action['set_tweak'];
    const value = action['value'] ?? (name === 'highlight' ? true : undefined);
    return value === undefined ? [] : [[name, value]];
  });
  const tweaks: JsonObject = Object.fromEntries(entries);
  return Object.freeze({ notify: true, highlight: tweaks['highlight'] === true, actions, tweaks });
}

const never: Condition = () => false;

function compileCondition(condition: JsonObject): Condition {
  switch (condition['kind']) {
    case 'event_match':
      return eventMatch(condition);
    case 'event_property_is':
      return eventProperty(condition, (found, value) => found === value);
    case 'event_property_contains':
      return eventProperty(condition, (found, value) => Array.isArray(found) && found.includes(value));
    case 'contains_display_name':
      return containsDisplayName;
    case 'room_member_count':
      return roomMemberCount(condition);
    case 'sender_notification_permission':
      return senderNotificationPermission(condition);
    case THREAD_SUBSCRIPTION:
      return threadSubscription(condition);
    case 'profile_tag':
      return profileTag(condition);
    default:
      return never; // "Unrecognised conditions MUST NOT match any events"
  }
}

function eventMatch({ key, pattern }: JsonObject): Condition {
  if (typeof key !== 'string' || typeof pattern !== 'string') return never;
  const find = compilePath(key);
  const lowered = pattern.toLowerCase();
  const isMatch = key === 'content.body' ? compileWordGlob(lowered) : compileGlob(lowered);
  return (event) => {
    const text = find(event);
    return typeof text === 'string' && isMatch(text.toLowerCase());
  };
}

/** For exact comparisons, which know only strings, integers, booleans and null. */
function eventProperty(condition: JsonObject, isMatch: (found: unknown, value: JsonValue) => boolean): Condition {
  const { key, value } = condition;
  if (typeof key !== 'string' || !isComparable(value)) return never;
  const find = compilePath(key);
  return (event) => isMatch(find(event), value);
}

function isComparable(value: JsonValue | undefined): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
}

function containsDisplayName(event: RoomEvent, { displayName }: PushContext): boolean {
  const { body } = event.content;
  if (typeof body !== 'string' || displayName === undefined || displayName === '') return false;
  return hasWords(body.toLowerCase(), displayName.toLowerCase());
}

function roomMemberCount({ is }: JsonObject): Condition {
  const [, operator, digits] = (typeof is === 'string' && /^(==|<=|>=|<|>)?(\d+)$/.exec(is)) || [];
  if (digits === undefined) return never;
  const count = Number(digits);
  switch (operator) {
    case '<':
      return (_, { memberCount }) => memberCount < count;
    case '>':
      return (_, { memberCount }) => memberCount > count;
    case '<=':
      return (_, { memberCount }) => memberCount <= count;
    case '>=':
      return (_, { memberCount }) => memberCount >= count;
    default:
      return (_, { memberCount }) => memberCount === count;
  }
}

function senderNotificationPermission({ key }: JsonObject): Condition {
  if (typeof key !== 'string') return never;
  return (_, { senderPowerLevel, notificationLevels }) => {
    const level = Object.hasOwn(notificationLevels, key) ? notificationLevels[key] : undefined;
    return senderPowerLevel >= (level ?? DEFAULT_NOTIFICATION_LEVEL);
  };
}

/** MSC4306: "the event […] is part of a thread", and the user is subscribed to it or not. */
function threadSubscription({ subscribed }: JsonObject): Condition {
  if (typeof subscribed !== 'boolean') return never;
  return (_, { isSubscribed }) => isSubscribed === subscribed;
}

/** Of 2015: "Matches the profile_tag of the device that the notification would be delivered to". */
function profileTag({ profile_tag: tag }: JsonObject): Condition {
  return typeof tag === 'string' ? (_, context) => context.profileTag === tag : never;
}

/** Looks up a property by its path: specification, appendices, "Dot-separated property paths". */
function compilePath(path: string): (event: RoomEvent) => JsonValue | undefined {
  // Not in every room version's PDU, but in the event that clients see.
  if (path === 'room_id') return (event) => event.roomId;
  if (path === 'event_id') return (event) => event.eventId;
  const names = splitPath(path);
  return (event) => {
    let found: JsonValue | undefined = event.pdu;
    for (const name of names) {
      if (!isJsonObject(found) || !Object.hasOwn(found, name)) return undefined;
      found = found[name];
    }
    return found;
  };
}

/** The names of a path. A backslash before a dot or a backslash makes it part of the name, any other is itself. */
function splitPath(path: string): string[] {
  const names = [''];
  for (const [part] of path.matchAll(/\\[\\.]|[^]/g)) {
    if (part === '.') names.push('');
    else names[names.length - 1] += part.at(-1)!;
  }
  return names;
}
