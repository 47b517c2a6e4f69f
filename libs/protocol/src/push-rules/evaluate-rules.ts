import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { Steps } from '#kernel/steps';
import { LONG_WORDS } from '../glob.js';
import type { RoomEvent } from '../room-event.js';
import {
  type Condition,
  compileCondition,
  compileCount,
  compilePath,
  isGlob,
  type PushContext,
} from './push-conditions.js';
import { PUSH_RULE_KINDS, type PushAction, type PushRule, type PushRuleKind, type PushRuleset } from './push-rule.js';

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
/** What rules say of events, prepared once for many: the first enabled one that matches; undefined where none does. */
export interface RuleMatcher {
  match(event: RoomEvent, context: PushContext): PushVerdict | undefined;
  /** As `match`, for rules so heavy that others are to have their turn meanwhile. */
  steps(event: RoomEvent, context: PushContext): Steps<PushVerdict | undefined>;
  /** How many words may have to be looked for in an event; long ones count as many, and a glob by its length: what it takes at most. */
  readonly weight: number;
}
/** Where no rule matches. */
export const SILENCE: PushVerdict = Object.freeze({ notify: false, highlight: false, actions: [], tweaks: {} });

/**
 * What a user's rules say of an event: the actions of the first enabled rule that matches (client-server specification,
 * "Push Rules"). Of the user's own events and of ignored senders it is not to be asked. Never throws: a rule or condition
 * that makes no sense matches nothing.
 */
export function evaluateRules(ruleset: PushRuleset, event: RoomEvent, context: PushContext): PushVerdict {
  return compileRules(ruleset)(event, context);
}

/** The same, prepared once for many events. */
export function compileRules(ruleset: PushRuleset): RuleEvaluator {
  const { match } = compileMatcher(ruleset);
  return (event, context) => match(event, context) ?? SILENCE;
}

/** How rules are prepared: each by itself, or with those of others (`SharedConditions`). */
export interface RuleCompiler {
  compile(condition: JsonObject): Condition;
  /** What is found out of an event before anything else, by a name that says what. */
  first(name: string, make: () => EventCondition): First;
  /** The places of those that may hold for an event: which do, and where there is none. */
  mayHold(firsts: readonly (First | undefined)[]): (event: RoomEvent) => readonly number[];
  verdict(actions: readonly PushAction[]): PushVerdict;
}

type EventCondition = (event: RoomEvent) => boolean;

/** What a rule asks first, if that looks at the event alone and takes no time. */
export interface First {
  readonly name: string;
  readonly holds: EventCondition;
}

const BY_ITSELF: RuleCompiler = {
  compile: (condition) => compileCondition(condition),
  first: (name, make) => ({ name, holds: make() }),
  mayHold: placesOf,
  verdict: verdictOf,
};

/** See `RuleCompiler.mayHold`. */
export function placesOf(firsts: readonly (First | undefined)[]): (event: RoomEvent) => readonly number[] {
  return (event) => firsts.flatMap((first, i) => (first === undefined || first.holds(event) ? [i] : []));
}

/** What a rule asks besides, and says. */
interface CompiledRule {
  readonly others: readonly Condition[];
  readonly verdict: PushVerdict;
}

/** What the first enabled rule says that matches, prepared once for many events. */
export function compileMatcher(ruleset: Partial<PushRuleset>, by: RuleCompiler = BY_ITSELF): RuleMatcher {
  const firsts: (First | undefined)[] = [];
  const rules: CompiledRule[] = [];
  let weight = 0;
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind] ?? []) {
      if (!rule.enabled) continue;
      const { first, others } = conditionsOf(kind, rule, by);
      firsts.push(first);
      rules.push({ others, verdict: by.verdict(rule.actions) });
      weight += weightOf(kind, rule);
    }
  }
  const mayHold = by.mayHold(firsts);
  const match = (event: RoomEvent, context: PushContext): PushVerdict | undefined => {
    // PERF: thousands of users times some twenty rules, of which hardly any matches: no call but of the conditions, and of what is a user's
    // own in memory nothing is touched but where the first condition, which most have alike, may hold.
    const places = mayHold(event);
    next: for (let i = 0; i < places.length; i++) {
      const { others, verdict } = rules[places[i]!]!;
      for (let k = 0; k < others.length; k++) if (!others[k]!(event, context)) continue next;
      return verdict;
    }
    return undefined;
  };
  function* steps(event: RoomEvent, context: PushContext): Steps<PushVerdict | undefined> {
    next: for (const place of mayHold(event)) {
      const { others, verdict } = rules[place]!;
      for (const holds of others) {
        yield;
        if (!holds(event, context)) continue next;
      }
      return verdict;
    }
    return undefined;
  }
  return { match, steps, weight };
}

function conditionsOf(
  kind: PushRuleKind,
  rule: PushRule,
  by: RuleCompiler,
): { readonly first: First | undefined; readonly others: readonly Condition[] } {
  const { rule_id: id, pattern, conditions = [] } = rule;
  switch (kind) {
    case 'room':
      return { first: by.first(`room ${id}`, () => (event) => event.roomId === id), others: [] };
    case 'sender':
      return { first: by.first(`sender ${id}`, () => (event) => event.sender === id), others: [] };
    case 'content':
      return {
        first: has('content.body', by),
        others: [by.compile({ kind: 'event_match', key: 'content.body', pattern })],
      };
    default:
      return { first: firstOf(conditions[0], by), others: conditions.map((condition) => by.compile(condition)) };
  }
}

/** Of an exact comparison itself; of a look into a list, in which each looks for themself, whether it is there at all. */
function firstOf(condition: JsonObject | undefined, by: RuleCompiler): First | undefined {
  const { kind, key, pattern } = condition ?? {};
  if (condition === undefined || typeof key !== 'string') return undefined;
  if (kind === 'event_property_contains') return has(key, by);
  const isExact = kind === 'event_match' && typeof pattern === 'string' && key !== 'content.body' && !isGlob(pattern);
  if (!isExact && kind !== 'event_property_is') return undefined;
  return by.first(JSON.stringify(condition), () => {
    const holds = by.compile(condition);
    return (event) => holds(event, NOBODY);
  });
}

function has(path: string, by: RuleCompiler): First {
  return by.first(`has ${path}`, () => {
    const find = compilePath(path);
    return (event) => find(event) !== undefined;
  });
}

/** Whose context it is where nothing is looked at of it. */
export const NOBODY: PushContext = {
  displayName: undefined,
  memberCount: 0,
  senderPowerLevel: 0,
  notificationLevels: {},
};

/** So many characters of a glob are looked for at once (`accepts`), and finding words as they are is by so much quicker than that. */
const AT_ONCE = 32;
const GLOB = 8;

/** The server's own rules look for hardly anything. */
function weightOf(kind: PushRuleKind, rule: PushRule): number {
  if (rule.default) return 0;
  if (kind === 'content') return weightOfPattern(rule.pattern);
  return (rule.conditions ?? []).reduce((sum, condition) => sum + weightOfCondition(condition), 0);
}

function weightOfCondition({ kind, pattern }: JsonObject): number {
  // A list may be as long as an event.
  return kind === 'event_property_contains' ? 1 : weightOfPattern(pattern);
}

function weightOfPattern(pattern: JsonValue | undefined): number {
  if (typeof pattern !== 'string') return 0;
  if (isGlob(pattern)) return GLOB * (1 + Math.floor(pattern.length / AT_ONCE));
  if (pattern.length > LONG_WORDS) return GLOB;
  return 1 + Math.floor(pattern.length / AT_ONCE);
}

/** Whether an enabled rule has a condition of a kind: what no rule asks for nobody need look up. */
export function asksFor(ruleset: Partial<PushRuleset>, kind: string): boolean {
  return conditionsIn(ruleset, kind).length > 0;
}

/** As of which size rules take a room with so many members: where two are of one size, they say the same of both. */
export function compileSizes(rulesets: readonly Partial<PushRuleset>[]): (memberCount: number) => string {
  const asked = new Set(rulesets.flatMap((rules) => conditionsIn(rules, 'room_member_count')).map(({ is }) => is));
  const counts = [...asked].map((is) => compileCount(is));
  return (memberCount) => counts.map((isSo) => (isSo(memberCount) ? '+' : '-')).join('');
}

/** The conditions of a kind that enabled rules have. */
function conditionsIn(ruleset: Partial<PushRuleset>, kind: string): JsonObject[] {
  const rules = PUSH_RULE_KINDS.flatMap((each) => ruleset[each] ?? []);
  return rules.flatMap(({ enabled, conditions = [] }) =>
    enabled ? conditions.filter((condition) => condition['kind'] === kind) : [],
  );
}

/** What a rule says where it matches. */
export function verdictOf(ruleActions: readonly PushAction[]): PushVerdict {
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
