import type { JsonObject, JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { RoomEvent } from '../room-event.js';
import { type PushVerdict, type RuleCompiler, verdictOf } from './evaluate-rules.js';
import { type Condition, compileCondition, compilePath, loweredBy, type PushContext } from './push-conditions.js';
import type { PushAction } from './push-rule.js';

/**
 * The conditions of many users, of which most are the same: compiled once, and where they look at the event alone tried once for each
 * event. PERF: a message to a thousand members is evaluated a thousand times, by default rules nearly all of it (`npm run bench -- push`).
 */
export class SharedConditions implements RuleCompiler {
  readonly #known = new LruCache<string, Condition>(MOST_SHARED);
  readonly #verdicts = new LruCache<string, PushVerdict>(MOST_VERDICTS);
  readonly #fields = new LruCache<string, SharedField>(MOST_FIELDS);

  compile(condition: JsonObject): Condition {
    const key = JSON.stringify(condition);
    return this.#known.get(key) ?? this.#keep(key, this.#compile(condition));
  }

  named(name: string, make: () => (event: RoomEvent) => boolean): Condition {
    return this.#known.get(name) ?? this.#keep(name, onceAnEvent(make()));
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
      'push-verdicts': this.#verdicts.numbers,
    };
  }

  #keep(key: string, condition: Condition): Condition {
    this.#known.set(key, condition);
    return condition;
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
