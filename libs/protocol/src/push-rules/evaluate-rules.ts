import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { Steps } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import { type Condition, compileCondition, compilePath, type PushContext } from './push-conditions.js';
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
  /** How many words may have to be looked for in an event; a glob counts as many, by its length: what it takes at most. */
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
  /** A condition of ours by a name for it, which looks at the event alone. */
  named(name: string, make: () => (event: RoomEvent) => boolean): Condition;
  verdict(actions: readonly PushAction[]): PushVerdict;
}

const BY_ITSELF: RuleCompiler = {
  compile: (condition) => compileCondition(condition),
  named: (_, make) => make(),
  verdict: verdictOf,
};

/** What of a rule is looked at where its first condition holds. */
interface CompiledRule {
  readonly others: readonly Condition[];
  readonly verdict: PushVerdict;
}

/** What the first enabled rule says that matches, prepared once for many events. */
export function compileMatcher(ruleset: Partial<PushRuleset>, by: RuleCompiler = BY_ITSELF): RuleMatcher {
  const firsts: Condition[] = [];
  const rules: CompiledRule[] = [];
  let weight = 0;
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind] ?? []) {
      if (!rule.enabled) continue;
      const [first = ALWAYS, ...others] = conditionsOf(kind, rule, by);
      firsts.push(first);
      rules.push({ others, verdict: by.verdict(rule.actions) });
      weight += weightOf(kind, rule);
    }
  }
  const match = (event: RoomEvent, context: PushContext): PushVerdict | undefined => {
    // PERF: thousands of users times some twenty rules, of which hardly any matches: no call but of the conditions, and of a user's own
    // memory next to nothing is touched where the first ones, which most users share, do not hold.
    next: for (let i = 0; i < firsts.length; i++) {
      if (!firsts[i]!(event, context)) continue;
      const { others, verdict } = rules[i]!;
      for (let k = 0; k < others.length; k++) if (!others[k]!(event, context)) continue next;
      return verdict;
    }
    return undefined;
  };
  function* steps(event: RoomEvent, context: PushContext): Steps<PushVerdict | undefined> {
    next: for (const [i, first] of firsts.entries()) {
      if (!first(event, context)) continue;
      const { others, verdict } = rules[i]!;
      for (const holds of others) {
        yield;
        if (!holds(event, context)) continue next;
      }
      yield;
      return verdict;
    }
    return undefined;
  }
  return { match, steps, weight };
}

const ALWAYS: Condition = () => true;

function conditionsOf(kind: PushRuleKind, rule: PushRule, by: RuleCompiler): readonly Condition[] {
  const { rule_id: id, pattern, conditions = [] } = rule;
  switch (kind) {
    case 'room':
      return [by.named(`room ${id}`, () => (event) => event.roomId === id)];
    case 'sender':
      return [by.named(`sender ${id}`, () => (event) => event.sender === id)];
    case 'content':
      return [has('content.body', by), by.compile({ kind: 'event_match', key: 'content.body', pattern })];
    default: {
      const compiled = conditions.map((condition) => by.compile(condition));
      // Each looks for themself among those who are mentioned, and hardly anybody is.
      const { kind: first, key } = conditions[0] ?? {};
      return first === 'event_property_contains' && typeof key === 'string' ? [has(key, by), ...compiled] : compiled;
    }
  }
}

function has(path: string, by: RuleCompiler): Condition {
  return by.named(`has ${path}`, () => {
    const find = compilePath(path);
    return (event) => find(event) !== undefined;
  });
}

/** So many characters of a glob are looked for at once (`accepts`), and finding words as they are is by so much quicker than that. */
const AT_ONCE = 32;
const GLOB = 8;

/** The server's own rules look for hardly anything. */
function weightOf(kind: PushRuleKind, rule: PushRule): number {
  if (rule.default) return 0;
  const patterns = kind === 'content' ? [rule.pattern] : (rule.conditions ?? []).map(({ pattern }) => pattern);
  return patterns.reduce<number>(
    (sum, pattern) => sum + (typeof pattern === 'string' ? weightOfPattern(pattern) : 0),
    0,
  );
}

function weightOfPattern(pattern: string): number {
  return /[*?]/.test(pattern) ? GLOB * (1 + Math.floor(pattern.length / AT_ONCE)) : 1;
}

/** Whether an enabled rule has a condition of a kind: what no rule asks for nobody need look up. */
export function asksFor(ruleset: Partial<PushRuleset>, kind: string): boolean {
  const asks = ({ enabled, conditions = [] }: PushRule): boolean =>
    enabled && conditions.some((condition) => condition['kind'] === kind);
  return PUSH_RULE_KINDS.some((each) => ruleset[each]?.some(asks) === true);
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
