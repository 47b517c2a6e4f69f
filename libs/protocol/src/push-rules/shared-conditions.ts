import type { JsonObject, JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { RoomEvent } from '../room-event.js';
import { type First, NOBODY, placesOf, type PushVerdict, type RuleCompiler, verdictOf } from './evaluate-rules.js';
import { type Condition, compileCondition, compilePath, loweredBy } from './push-conditions.js';
import type { PushAction } from './push-rule.js';

/**
 * The conditions of many users, of which most are the same: compiled once, and where they look at the event alone tried once for each
 * event. PERF: a message to a thousand members is evaluated a thousand times, by default rules nearly all of it (`npm run bench -- push`).
 */
export class SharedConditions implements RuleCompiler {
  readonly #known = new LruCache<string, Condition>(MOST_SHARED);
  readonly #firsts = new LruCache<string, First>(MOST_SHARED);
  readonly #places = new LruCache<string, (event: RoomEvent) => readonly number[]>(MOST_ORDERS);
  readonly #verdicts = new LruCache<string, PushVerdict>(MOST_VERDICTS);
  readonly #fields = new LruCache<string, SharedField>(MOST_FIELDS);

  compile(condition: JsonObject): Condition {
    const key = JSON.stringify(condition);
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = this.#compile(condition)));
    return known;
  }

  first(name: string, make: () => (event: RoomEvent) => boolean): First {
    let first = this.#firsts.get(name);
    if (first === undefined) this.#firsts.set(name, (first = { name, holds: onceAnEvent(make()) }));
    return first;
  }

  /** PERF: most users have the same rules in the same order, but for what their own look for. */
  mayHold(firsts: readonly (First | undefined)[]): (event: RoomEvent) => readonly number[] {
    const key = JSON.stringify(firsts.map((first) => first?.name ?? null));
    let places = key.length > LONGEST_ORDER ? undefined : this.#places.get(key);
    if (places !== undefined) return places;
    places = onceAnEvent(placesOf(firsts));
    if (key.length <= LONGEST_ORDER) this.#places.set(key, places);
    return places;
  }

  verdict(actions: readonly PushAction[]): PushVerdict {
    const key = JSON.stringify(actions);
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) this.#verdicts.set(key, (verdict = verdictOf(actions)));
    return verdict;
  }

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return {
      'push-conditions': this.#known.numbers,
      'push-fields': this.#fields.numbers,
      'push-firsts': this.#firsts.numbers,
      'push-orders': this.#places.numbers,
      'push-verdicts': this.#verdicts.numbers,
    };
  }

  #compile(condition: JsonObject): Condition {
    const fields = {
      find: (path: string) => this.#field(path).find,
      findText: (path: string) => this.#field(path).findText,
    };
    const compiled = compileCondition(condition, fields);
    return OF_EVENT.has(condition['kind']) ? onceAnEvent((event) => compiled(event, NOBODY)) : compiled;
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
const MOST_VERDICTS = 500;
const MOST_ORDERS = 1_000;
/** In characters; what is longer than what many may have alike is not compared. */
const LONGEST_ORDER = 4_096;
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
