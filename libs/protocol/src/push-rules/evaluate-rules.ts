import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Steps } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import { type Condition, compileCondition, compilePath, loweredBy, type PushContext } from './push-conditions.js';
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
/** What a condition is compiled by: each by itself, or as one for all users who have the same (`SharedConditions`). */
type Compile = (condition: JsonObject) => Condition;

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

/** A rule, prepared. */
interface CompiledRule {
  readonly conditions: readonly Condition[];
  readonly verdict: PushVerdict;
}

/** What the first enabled rule says that matches, prepared once for many events. */
export function compileMatcher(ruleset: Partial<PushRuleset>, compile: Compile = compileCondition): RuleMatcher {
  const compiled: CompiledRule[] = [];
  let weight = 0;
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind] ?? []) {
      if (!rule.enabled) continue;
      compiled.push({ conditions: conditionsOf(kind, rule, compile), verdict: verdictOf(rule.actions) });
      weight += weightOf(kind, rule);
    }
  }
  const match = (event: RoomEvent, context: PushContext): PushVerdict | undefined => {
    // PERF: no call but of the conditions: thousands of users times some twenty rules, of which hardly any matches.
    next: for (let i = 0; i < compiled.length; i++) {
      const { conditions, verdict } = compiled[i]!;
      for (let k = 0; k < conditions.length; k++) if (!conditions[k]!(event, context)) continue next;
      return verdict;
    }
    return undefined;
  };
  return { match, steps: (event, context) => stepsOf(compiled, event, context), weight };
}

function* stepsOf(
  compiled: readonly CompiledRule[],
  event: RoomEvent,
  context: PushContext,
): Steps<PushVerdict | undefined> {
  next: for (const { conditions, verdict } of compiled) {
    for (const holds of conditions) {
      yield;
      if (!holds(event, context)) continue next;
    }
    return verdict;
  }
  return undefined;
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

/**
 * The conditions of many users, of which most are the same: compiled once, and where they look at the event alone tried once for each
 * event. PERF: a message to a thousand members is evaluated a thousand times, by default rules nearly all of it (`npm run bench -- push`).
 */
export class SharedConditions {
  readonly #known = new LruCache<string, Condition>(MOST_SHARED);

  readonly #fields = new LruCache<string, SharedField>(MOST_FIELDS);

  /** As compiled by itself. */
  readonly compile: Compile = (condition) => {
    const key = JSON.stringify(condition);
    let known = this.#known.get(key);
    if (known === undefined) {
      const fields = {
        find: (path: string) => this.#field(path).find,
        findText: (path: string) => this.#field(path).findText,
      };
      const compiled = compileCondition(condition, fields);
      this.#known.set(
        key,
        (known = OF_EVENT.has(condition['kind']) ? onceAnEvent((event) => compiled(event, NOBODY)) : compiled),
      );
    }
    return known;
  };

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'push-conditions': this.#known.numbers, 'push-fields': this.#fields.numbers };
  }

  /** PERF: a thousand users look for as many words in the same text, and for themselves among the same mentions. */
  #field(path: string): SharedField {
    let field = this.#fields.get(path);
    if (field === undefined) {
      const find = onceAnEvent(compilePath(path));
      this.#fields.set(path, (field = { find, findText: onceAnEvent(loweredBy(find)) }));
    }
    return field;
  }
}

interface SharedField {
  readonly find: (event: RoomEvent) => JsonValue | undefined;
  readonly findText: (event: RoomEvent) => string | undefined;
}

const MOST_SHARED = 2_000;
const MOST_FIELDS = 200;
const NOBODY: PushContext = { displayName: undefined, memberCount: 0, senderPowerLevel: 0, notificationLevels: {} };
/** The conditions that say the same to whomever they are of: they look at nothing of the context. */
const OF_EVENT: ReadonlySet<unknown> = new Set(['event_match', 'event_property_is', 'event_property_contains']);

/** Looks once at each event: what is asked of one is asked for all users, and then of the next. */
function onceAnEvent<T>(look: (event: RoomEvent) => T): (event: RoomEvent) => T {
  let last: RoomEvent | undefined;
  let found: T;
  return (event) => {
    if (event !== last) [last, found] = [event, look(event)];
    return found;
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
      return (rule.conditions ?? []).map((condition) => compile(condition));
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
