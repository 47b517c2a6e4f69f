import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type PushAction, type PushRule, type PushRuleset, THREAD_SUBSCRIPTION } from './push-rule.js';

const NOTIFY = ['notify'];
const HIGHLIGHT: PushAction = { set_tweak: 'highlight' };

function sound(value: string): PushAction {
  return { set_tweak: 'sound', value };
}

function matches(key: string, pattern: string): JsonObject {
  return { kind: 'event_match', key, pattern };
}

function rule(id: string, conditions: readonly JsonObject[], actions: readonly PushAction[], enabled = true): PushRule {
  return Object.freeze({ rule_id: `.m.rule.${id}`, default: true, enabled, conditions, actions });
}

/**
 * MSC4306, "New Push Rules": nothing notifies in threads that the user is not subscribed to, and everything in those that they are.
 * NOTSPEC: switched off until the user subscribes to a thread (`libs/processes/src/threads`). To those whose clients know nothing of
 * subscriptions every thread would fall silent, and they could do nothing about it.
 */
const POSTCONTENT: readonly PushRule[] = Object.freeze(
  [false, true].map((subscribed) =>
    Object.freeze({
      rule_id: `.io.element.msc4306.rule.${subscribed ? 'subscribed' : 'unsubscribed'}_thread`,
      default: true,
      enabled: false,
      conditions: [{ kind: THREAD_SUBSCRIPTION, subscribed }],
      actions: subscribed ? ['notify', sound('default')] : [],
    }),
  ),
);

const TWO_MEMBERS: JsonObject = { kind: 'room_member_count', is: '2' };

const UNDERRIDE: readonly PushRule[] = Object.freeze([
  rule('call', [matches('type', 'm.call.invite')], ['notify', sound('ring')]),
  rule('encrypted_room_one_to_one', [TWO_MEMBERS, matches('type', 'm.room.encrypted')], ['notify', sound('default')]),
  rule('room_one_to_one', [TWO_MEMBERS, matches('type', 'm.room.message')], ['notify', sound('default')]),
  rule('message', [matches('type', 'm.room.message')], NOTIFY),
  rule('encrypted', [matches('type', 'm.room.encrypted')], NOTIFY),
]);

/**
 * What was predefined in 2015 besides ("Push Notifications HTTP API", "Predefined Rules"): a message with one's name in it, and anything at
 * all. NOTSPEC: switched off until the user says otherwise. Today's specification took names away ("mentions" are said, not guessed), and by the
 * last one everybody would hear of each change of state.
 */
export function rulesOf2015(userId: UserId): Partial<PushRuleset> {
  const ring = { default: true, enabled: false, actions: ['notify', sound('default')] };
  const [, localpart = ''] = /^@([^:]*)/.exec(userId) ?? [];
  const name = { rule_id: '.m.rule.contains_display_name', conditions: [{ kind: 'contains_display_name' }] };
  return {
    override: [{ ...ring, ...name }],
    content: [{ ...ring, rule_id: '.m.rule.contains_user_name', pattern: localpart }],
    underride: [rule('fallback', [], NOTIFY, false)],
  };
}

/**
 * The rules every user starts with, the `global` ruleset: client-server specification, "Predefined Rules" (as of v1.19).
 * Rules of the user's own go before all of them but `.m.rule.master`, the first.
 */
export function defaultPushRules(userId: UserId): PushRuleset {
  const isInvite = [matches('type', 'm.room.member'), matches('content.membership', 'invite')];
  const isMention = { kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId };
  const isRoomMention = { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true };
  const isReplacement = { kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' };
  return Object.freeze({
    override: [
      rule('master', [], [], false),
      rule('suppress_notices', [matches('content.msgtype', 'm.notice')], []),
      rule('invite_for_me', [...isInvite, matches('state_key', userId)], ['notify', sound('default')]),
      rule('member_event', [matches('type', 'm.room.member')], []),
      rule('is_user_mention', [isMention], ['notify', sound('default'), HIGHLIGHT]),
      rule(
        'is_room_mention',
        [isRoomMention, { kind: 'sender_notification_permission', key: 'room' }],
        ['notify', HIGHLIGHT],
      ),
      rule('tombstone', [matches('type', 'm.room.tombstone'), matches('state_key', '')], ['notify', HIGHLIGHT]),
      rule('reaction', [matches('type', 'm.reaction')], []),
      rule('room.server_acl', [matches('type', 'm.room.server_acl'), matches('state_key', '')], []),
      rule('suppress_edits', [isReplacement], []),
    ],
    content: [],
    postcontent: POSTCONTENT,
    room: [],
    sender: [],
    underride: UNDERRIDE,
  });
}
