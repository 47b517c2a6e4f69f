import type { JsonObject, JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { RoomEvent } from '../room-event.js';
import { type First, NOBODY, placesOf, type PushVerdict, type RuleCompiler, verdictOf } from './evaluate-rules.js';
import { type Condition, compileCondition, compilePath, isLookedFor, loweredBy } from './push-conditions.js';
import type { PushAction } from './push-rule.js';

/**
 * The conditions of many users, of which most are the same: compiled once, and where they look at the event alone tried once for each
 * event, or once for each name that is looked for in it. What was found is remembered of one event at a time. PERF: a message to a thousand
 * members is evaluated a thousand times, by default rules nearly all of it (`npm run bench -- push`).
 */
export class SharedConditions implements RuleCompiler {
  readonly #last = new LastEvent();
  readonly #known = new LruCache<string, Condition>(MOST_SHARED);
  readonly #firsts = new LruCache<string, First>(MOST_SHARED);
  readonly #places = new LruCache<string, (event: RoomEvent) => readonly number[]>(MOST_ORDERS);
  readonly #verdicts = new LruCache<string, PushVerdict>(MOST_VERDICTS);
  readonly #fields = new LruCache<string, SharedField>(MOST_FIELDS);

  compile(condition: JsonObject): Condition {
    // Whatever else it says is nothing that is looked at, and no reason to look for a name again.
    const key = JSON.stringify(condition['kind'] === OF_NAME ? { kind: OF_NAME } : condition);
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = this.#compile(condition)));
    return known;
  }

  first(name: string, make: () => (event: RoomEvent) => boolean): First {
    let first = this.#firsts.get(name);
    if (first === undefined) this.#firsts.set(name, (first = { name, holds: this.#last.once(make()) }));
    return first;
  }

  /** PERF: most users have the same rules in the same order, but for what their own look for. */
  mayHold(firsts: readonly (First | undefined)[]): (event: RoomEvent) => readonly number[] {
    const key = JSON.stringify(firsts.map((first) => first?.name ?? null));
    let places = key.length > LONGEST_ORDER ? undefined : this.#places.get(key);
    if (places !== undefined) return places;
    places = this.#last.once(placesOf(firsts));
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
    if (condition['kind'] === OF_NAME) return this.#onceAName(compiled);
    return OF_EVENT.has(condition['kind']) ? this.#last.once((event) => compiled(event, NOBODY)) : compiled;
  }

  /** PERF: a user may have a thousand rules that look for their name. */
  #onceAName(compiled: Condition): Condition {
    const answersOf = this.#last.once(() => new Map<string, boolean>());
    return (event, context) => {
      const { displayName } = context;
      if (!isLookedFor(displayName)) return false;
      const answers = answersOf(event);
      let holds = answers.get(displayName);
      if (holds === undefined) answers.set(displayName, (holds = compiled(event, context)));
      return holds;
    };
  }

  /** PERF: a thousand users look for as many words in the same text, and for themselves among the same mentions. */
  #field(path: string): SharedField {
    let field = this.#fields.get(path);
    if (field === undefined) {
      const find = this.#last.once(compilePath(path));
      this.#fields.set(path, (field = { find, findText: this.#last.once(loweredBy(find)) }));
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

/** The condition that looks at nothing but the event and the name of the user in the room. */
const OF_NAME = 'contains_display_name';

/**
 * Looks once at each event: what is asked of one is asked for all users, and then of the next. Of no other event anything is kept, however
 * many look.
 */
class LastEvent {
  #event: RoomEvent | undefined;
  readonly #forget: (() => void)[] = [];

  once<T>(look: (event: RoomEvent) => T): (event: RoomEvent) => T {
    let last: RoomEvent | undefined;
    let found: T | undefined;
    const forget = (): void => void ([last, found] = [undefined, undefined]);
    return (event) => {
      if (event !== last) {
        this.#begin(event);
        [last, found] = [event, look(event)];
        this.#forget.push(forget);
      }
      return found as T; // of `look`, as long as `last` is there
    };
  }

  #begin(event: RoomEvent): void {
    if (event === this.#event) return;
    this.#event = event;
    for (const forget of this.#forget.splice(0)) forget();
  }
}
