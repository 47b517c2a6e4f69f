import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { inTurns } from '#projections/turn';
import {
  asksFor,
  compileMatcher,
  compileSizes,
  type PushVerdict,
  type RuleMatcher,
  SILENCE,
} from '#protocol/push-rules/evaluate-rules';
import { SharedConditions } from '#protocol/push-rules/shared-conditions';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { RoomEvent } from '#protocol/room-event';
import { THREAD_SUBSCRIPTION } from '#protocol/push-rules/push-rule';
import { PUSH_RULES } from './projections/push-rules.projector.js';
import { NO_CHANGES } from './rules/push-rule-changes.js';
import { rulesOfUser } from './rules/rules-of-user.js';

/**
 * What the rules of a user say of an event. PERF: a promise only of who has so many patterns that they take a while: everything else has its
 * turn then.
 */
export type UserEvaluator = (event: RoomEvent, context: PushContext) => PushVerdict | Promise<PushVerdict>;

/** A user's push rules, prepared. */
export interface UserRules {
  /** The row that they were made from. */
  readonly text: string | undefined;
  readonly evaluate: UserEvaluator;
  /** As `evaluate`, for a pusher: the rules for its profile tag go before all others. */
  evaluateFor(profileTag: string | undefined): UserEvaluator;
  /** Whether rules may let an event be pushed that `evaluate` does not. */
  readonly mayNotifyByTag: boolean;
  readonly asksForThreads: boolean;
  readonly asksForNames: boolean;
  /** Whether rules look at whom the levels of a room let notify all of it. */
  readonly asksForLevels: boolean;
  /** As of which size they take a room with so many members (`compileSizes`). */
  sizeOf(memberCount: number): string;
  /** Whether they may take a while: nobody else should wait for that. */
  readonly isHeavy: boolean;
}

/** The users who have pushers, of a large server; the text of most rows is short. */
const CAPACITY = 20_000;
const MOST_TEXT = { most: 32_000_000, weigh: ({ text }: UserRules): number => 100 + (text?.length ?? 0) };
/** What weighs more has turns of its own. As much as takes some milliseconds in the longest message there is: a short word takes a fifth of one at most. */
const HEAVY = 40;

/** The push rules of users, compiled once for each: by these alone events are counted, highlighted and pushed. */
@Injectable()
export class CompiledRules {
  readonly #rules = new LruCache<UserId, UserRules>(CAPACITY, MOST_TEXT);
  readonly #conditions = new SharedConditions();
  /** How often rules were forgotten. */
  #forgotten = 0;

  constructor(@Inject(VIEWS) private readonly views: Pick<Views, 'get'>) {}

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'push-rules-compiled': this.#rules.numbers, ...this.#conditions.caches };
  }

  /** The rules of a user as the views have them now. */
  async of(userId: UserId): Promise<UserRules> {
    const forgotten = this.#forgotten;
    const text = await this.views.get(PUSH_RULES.name, [userId]);
    const known = this.#rules.get(userId);
    if (known !== undefined && known.text === text) return known;
    const rules = this.#compile(userId, text);
    // What was read before somebody's rules changed may be of before that, and nobody would say it again.
    if (forgotten === this.#forgotten) this.#rules.set(userId, rules);
    return rules;
  }

  /**
   * The rules of a user as they were when somebody asked for them last, for who hears of each change of them (`forget`). PERF: a message
   * to a thousand members looks up nothing.
   */
  recall(userId: UserId): UserRules | Promise<UserRules> {
    return this.#rules.peek(userId) ?? this.of(userId);
  }

  /** The rules of a user have changed. */
  forget(userId: UserId): void {
    this.#forgotten++;
    this.#rules.delete(userId);
  }

  /** Nobody said for a while whose rules changed. */
  forgetAll(): void {
    this.#forgotten++;
    this.#rules.clear();
  }

  #compile(userId: UserId, text: string | undefined): UserRules {
    const changes = text === undefined ? NO_CHANGES : PUSH_RULES.codec.decode(text).changes;
    const ruleset = rulesOfUser(userId, changes);
    const global = compileMatcher(ruleset, this.#conditions);
    const evaluate = evaluatorOf(global);
    const devices = Object.entries(changes.devices ?? {});
    const own = devices.map(([tag, rules]) => [tag, compileMatcher(rules, this.#conditions)] as const);
    const matchers = new Map(own.map(([tag, matcher]) => [tag, evaluatorOf(matcher, global)]));
    const all = [ruleset, ...devices.map(([, rules]) => rules)];
    return {
      text,
      evaluate,
      evaluateFor: (profileTag) => (profileTag === undefined ? evaluate : (matchers.get(profileTag) ?? evaluate)),
      mayNotifyByTag: devices.length > 0 || asksFor(ruleset, 'profile_tag'),
      asksForThreads: all.some((rules) => asksFor(rules, THREAD_SUBSCRIPTION)),
      asksForNames: all.some((rules) => asksFor(rules, 'contains_display_name')),
      asksForLevels: all.some((rules) => asksFor(rules, 'sender_notification_permission')),
      sizeOf: compileSizes(all),
      // A user may have pushers with all of these tags.
      isHeavy: areHeavy([global, ...own.map(([, matcher]) => matcher)]),
    };
  }
}

/** What the first rules say that say anything. */
function evaluatorOf(...matchers: readonly RuleMatcher[]): UserEvaluator {
  if (!areHeavy(matchers)) {
    const [first, second] = matchers;
    return (event, context) => first!.match(event, context) ?? second?.match(event, context) ?? SILENCE;
  }
  return async (event, context) => {
    for (const matcher of matchers) {
      const verdict = await inTurns(matcher.steps(event, context));
      if (verdict !== undefined) return verdict;
    }
    return SILENCE;
  };
}

function areHeavy(matchers: readonly RuleMatcher[]): boolean {
  return matchers.reduce((sum, { weight }) => sum + weight, 0) > HEAVY;
}
