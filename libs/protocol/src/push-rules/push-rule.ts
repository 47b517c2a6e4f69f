import type { JsonObject } from '#kernel/json';

/** `"notify"`, or an object with `set_tweak` and perhaps `value`. */
export type PushAction = string | JsonObject;

/** A push rule as clients see it: client-server specification, "Push Rules". A type, not an interface, to be a JsonObject. */
export type PushRule = {
  readonly rule_id: string;
  /** Whether the server made it; its id then starts with a dot. */
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly PushAction[];
  /** Of override and underride rules. */
  readonly conditions?: readonly JsonObject[];
  /** Of content rules. */
  readonly pattern?: string;
};

/** The kinds of rules, in the order in which they are tried. Of `postcontent` (MSC4306) there are none but the server's. */
export const PUSH_RULE_KINDS = ['override', 'content', 'postcontent', 'room', 'sender', 'underride'] as const;
export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number];

/** What a condition is called that asks whether the user is subscribed to the thread of an event: MSC4306, while it is not accepted. */
export const THREAD_SUBSCRIPTION = 'io.element.msc4306.thread_subscription';

/** The rules of a user, each kind in the order of priority. */
export type PushRuleset = { readonly [kind in PushRuleKind]: readonly PushRule[] };
