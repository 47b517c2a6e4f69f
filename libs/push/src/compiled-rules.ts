import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import {
  asksFor,
  compileMatcher,
  compileRules,
  type RuleEvaluator,
  type RuleMatcher,
  SharedConditions,
} from '#protocol/push-rules/evaluate-rules';
import { THREAD_SUBSCRIPTION } from '#protocol/push-rules/push-rule';
import { PUSH_RULES } from './projections/push-rules.projector.js';
import { NO_CHANGES } from './rules/push-rule-changes.js';
import { rulesOfUser } from './rules/rules-of-user.js';

/** A user's push rules, prepared. */
export interface UserRules {
  /** The row that they were made from. */
  readonly text: string | undefined;
  readonly evaluate: RuleEvaluator;
  /** As `evaluate`, for a pusher: the rules for its profile tag go before all others. */
  evaluateFor(profileTag: string | undefined): RuleEvaluator;
  /** Whether rules may let an event be pushed that `evaluate` does not. */
  readonly mayNotifyByTag: boolean;
  readonly asksForThreads: boolean;
  readonly asksForNames: boolean;
}

const CAPACITY = 5_000;

/** The push rules of users, compiled once for each: by these alone events are counted, highlighted and pushed. */
@Injectable()
export class CompiledRules {
  readonly #rules = new LruCache<UserId, UserRules>(CAPACITY);
  readonly #conditions = new SharedConditions();

  constructor(@Inject(VIEWS) private readonly views: Pick<Views, 'get'>) {}

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'push-rules-compiled': this.#rules.numbers, 'push-conditions': this.#conditions.numbers };
  }

  /** The rules of a user as the views have them now. */
  async of(userId: UserId): Promise<UserRules> {
    const text = await this.views.get(PUSH_RULES.name, [userId]);
    const known = this.#rules.get(userId);
    if (known !== undefined && known.text === text) return known;
    const rules = this.#compile(userId, text);
    this.#rules.set(userId, rules);
    return rules;
  }

  /**
   * The rules of a user as they were when somebody asked for them last, for who hears of each change of them (`forget`). PERF: a message
   * to a thousand members looks up nothing.
   */
  recall(userId: UserId): UserRules | Promise<UserRules> {
    return this.#rules.get(userId) ?? this.of(userId);
  }

  /** The rules of a user have changed. */
  forget(userId: UserId): void {
    this.#rules.delete(userId);
  }

  #compile(userId: UserId, text: string | undefined): UserRules {
    const changes = text === undefined ? NO_CHANGES : PUSH_RULES.codec.decode(text).changes;
    const { compile } = this.#conditions;
    const ruleset = rulesOfUser(userId, changes);
    const evaluate = compileRules(ruleset, compile);
    const devices = Object.entries(changes.devices ?? {});
    const matchers = new Map(devices.map(([tag, own]): [string, RuleMatcher] => [tag, compileMatcher(own, compile)]));
    const all = [ruleset, ...devices.map(([, own]) => own)];
    return {
      text,
      evaluate,
      evaluateFor(profileTag) {
        const match = profileTag === undefined ? undefined : matchers.get(profileTag);
        return match === undefined ? evaluate : (event, context) => match(event, context) ?? evaluate(event, context);
      },
      mayNotifyByTag: devices.length > 0 || asksFor(ruleset, 'profile_tag'),
      asksForThreads: all.some((rules) => asksFor(rules, THREAD_SUBSCRIPTION)),
      asksForNames: all.some((rules) => asksFor(rules, 'contains_display_name')),
    };
  }
}
