import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { atOnce } from '#kernel/steps';
import { emptyObject } from '#testing/empty-object';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { parseRoomEvent } from '../parse-room-event.js';
import type { RoomEvent } from '../room-event.js';
import { findRoomVersion } from '../room-versions/room-versions.js';
import { defaultPushRules } from './default-rules.js';
import { THREAD_SUBSCRIPTION } from './push-rule.js';
import {
  asksFor,
  compileMatcher,
  compileRules,
  compileSizes,
  evaluateRules,
  type PushVerdict,
  SILENCE,
} from './evaluate-rules.js';
import { SharedConditions } from './shared-conditions.js';
import type { PushContext } from './push-conditions.js';
import type { PushRule, PushRuleset } from './push-rule.js';

const ME = '@me:domain' as UserId;
const CONTEXT: PushContext = { displayName: 'Ann', memberCount: 5, senderPowerLevel: 0, notificationLevels: {} };
const EMPTY: PushRuleset = { override: [], content: [], postcontent: [], room: [], sender: [], underride: [] };

function event(type: string, content: JsonObject, more: JsonObject = {}): RoomEvent {
  const pdu = {
    type,
    content,
    room_id: '!r:domain',
    sender: '@other:domain',
    origin_server_ts: 1,
    depth: 1,
    prev_events: [],
    auth_events: [],
    hashes: { sha256: 'x' },
    signatures: {},
    ...more,
  };
  return parseRoomEvent(pdu, findRoomVersion('10')!);
}

function message(body: string, more: JsonObject = {}): RoomEvent {
  return event('m.room.message', { msgtype: 'm.text', body, ...more });
}

function rule(conditions: readonly JsonObject[], more: Partial<PushRule> = {}): PushRule {
  return { rule_id: 'r', default: false, enabled: true, actions: ['notify'], conditions, ...more };
}

const SHARED = new SharedConditions();

/** Whether a single condition holds for an event. */
function holds(condition: JsonObject, on: RoomEvent, context: Partial<PushContext> = {}): boolean {
  const rules = { ...EMPTY, override: [rule([condition])] };
  const { notify } = evaluateRules(rules, on, { ...CONTEXT, ...context });
  // Where users share it, it says the same, whatever was asked before.
  const shared = compileMatcher(rules, SHARED).match(on, { ...CONTEXT, ...context });
  expect(shared?.notify ?? false).toBe(notify);
  return notify;
}

/** A rule with a name for its sound. */
function named(name: string, more: Partial<PushRule> = {}): PushRule {
  return rule([], { actions: ['notify', { set_tweak: 'sound', value: name }], ...more });
}

/** The sound of the rule that matches a message. */
function soundOf(rules: PushRuleset, body: string): unknown {
  return evaluateRules(rules, message(body), CONTEXT).tweaks['sound'];
}

function verdictOf(...actions: PushRule['actions']): PushVerdict {
  return evaluateRules({ ...EMPTY, override: [rule([], { actions })] }, message('x'), CONTEXT);
}

function matchesBody(pattern: string, body: string): boolean {
  return holds({ kind: 'event_match', key: 'content.body', pattern }, message(body));
}

/** Whether a sender with this level may notify. */
function may(senderPowerLevel: number, notificationLevels: Record<string, number>, key = 'room'): boolean {
  const condition = { kind: 'sender_notification_permission', key };
  return holds(condition, message('x'), { senderPowerLevel, notificationLevels });
}

describe('the default push rules', () => {
  const rules = defaultPushRules(ME);
  const defaults = compileRules(rules);
  const verdict = (on: RoomEvent, context: Partial<PushContext> = {}) => {
    const { notify, highlight, tweaks } = defaults(on, { ...CONTEXT, ...context });
    return `${notify ? 'notify' : 'silent'}${highlight ? ' highlight' : ''}${tweaks['sound'] ? ` ${tweaks['sound']}` : ''}`;
  };

  it('are those of the specification, in its order', () => {
    expect([rules.override, rules.underride].map((kind) => kind.map((one) => one.rule_id.slice(8)).join())).toEqual([
      'master,suppress_notices,invite_for_me,member_event,is_user_mention,is_room_mention,tombstone,reaction,room.server_acl,suppress_edits',
      'call,encrypted_room_one_to_one,room_one_to_one,message,encrypted',
    ]);
    const all = [...rules.override, ...rules.underride];
    expect(all.filter((one) => !one.enabled).map((one) => one.rule_id)).toEqual(['.m.rule.master']);
    expect(all.every((one) => one.default)).toBe(true);
    expect(rules.override[4]).toEqual({
      rule_id: '.m.rule.is_user_mention',
      default: true,
      enabled: true,
      conditions: [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: ME }],
      actions: ['notify', { set_tweak: 'sound', value: 'default' }, { set_tweak: 'highlight' }],
    });
  });

  it('notify for messages, with a sound where two are in the room', () => {
    expect(verdict(message('hello'))).toBe('notify');
    expect(verdict(message('hello'), { memberCount: 2 })).toBe('notify default');
    expect(verdict(event('m.room.encrypted', {}))).toBe('notify');
    expect(verdict(event('m.room.encrypted', {}), { memberCount: 2 })).toBe('notify default');
    expect(verdict(event('m.call.invite', {}))).toBe('notify ring');
    expect(verdict(event('org.example.other', {}))).toBe('silent');
  });

  it('highlight mentions of the user, and of the room by those who may', () => {
    expect(verdict(message('hello', { 'm.mentions': { user_ids: ['@x:y', ME] } }))).toBe('notify highlight default');
    expect(verdict(message('hello', { 'm.mentions': { user_ids: ['@x:y'] } }))).toBe('notify');
    const room = message('hello', { 'm.mentions': { room: true } });
    expect(verdict(room, { senderPowerLevel: 50 })).toBe('notify highlight');
    expect(verdict(room, { senderPowerLevel: 49 })).toBe('notify');
    expect(verdict(room, { senderPowerLevel: 49, notificationLevels: { room: 10 } })).toBe('notify highlight');
    expect(verdict(room, { senderPowerLevel: Infinity, notificationLevels: { room: 100 } })).toBe('notify highlight');
  });

  it('notify for the own invite, but not for other membership changes', () => {
    expect(verdict(event('m.room.member', { membership: 'invite' }, { state_key: ME }))).toBe('notify default');
    expect(verdict(event('m.room.member', { membership: 'invite' }, { state_key: '@x:y' }))).toBe('silent');
    expect(verdict(event('m.room.member', { membership: 'join' }, { state_key: ME }))).toBe('silent');
  });

  it('stay silent for notices, reactions, edits and server ACLs, and highlight tombstones', () => {
    expect(verdict(message('hello', { msgtype: 'm.notice' }))).toBe('silent');
    expect(verdict(event('m.reaction', {}))).toBe('silent');
    expect(verdict(message('* hello', { 'm.relates_to': { rel_type: 'm.replace' } }))).toBe('silent');
    expect(verdict(event('m.room.server_acl', {}, { state_key: '' }))).toBe('silent');
    expect(verdict(event('m.room.tombstone', {}, { state_key: '' }))).toBe('notify highlight');
    expect(verdict(event('m.room.tombstone', {}))).toBe('silent');
  });

  it('let subscriptions decide in threads once those about them are switched on, behind mentions and before rooms', () => {
    const isFollowed = (isSubscribed: boolean): Partial<PushContext> => ({ isSubscribed });
    expect(rules.postcontent.map(({ rule_id: id, enabled }) => [id, enabled])).toEqual([
      ['.io.element.msc4306.rule.unsubscribed_thread', false],
      ['.io.element.msc4306.rule.subscribed_thread', false],
    ]);
    expect(asksFor(rules, THREAD_SUBSCRIPTION)).toBe(false);
    expect(verdict(message('hello'), isFollowed(false))).toBe('notify');
    const switchedOn = { ...rules, postcontent: rules.postcontent.map((one) => ({ ...one, enabled: true })) };
    expect(asksFor(switchedOn, THREAD_SUBSCRIPTION)).toBe(true);
    const muted = { ...switchedOn, room: [{ rule_id: '!r:domain', default: false, enabled: true, actions: [] }] };
    const notifies = (on: RoomEvent, context: Partial<PushContext>, by: PushRuleset): boolean =>
      evaluateRules(by, on, { ...CONTEXT, ...context }).notify;
    const mention = message('hello', { 'm.mentions': { user_ids: [ME] } });
    expect(notifies(message('hello'), {}, switchedOn)).toBe(true);
    expect(notifies(message('hello'), {}, muted)).toBe(false);
    expect(notifies(message('hello'), isFollowed(false), switchedOn)).toBe(false);
    expect(notifies(mention, isFollowed(false), switchedOn)).toBe(true);
    expect(notifies(message('hello'), isFollowed(true), muted)).toBe(true);
    expect(notifies(message('hello', { msgtype: 'm.notice' }), isFollowed(true), switchedOn)).toBe(false);
  });

  it('notify for nothing once the master rule is enabled', () => {
    const [master, ...others] = rules.override;
    const muted = { ...rules, override: [{ ...master!, enabled: true }, ...others] };
    expect(evaluateRules(muted, message('hello', { 'm.mentions': { user_ids: [ME] } }), CONTEXT).notify).toBe(false);
  });
});

it('tell of which size a room is by what enabled ones ask of the count of its members', () => {
  const asking = (is: unknown, enabled = true): PushRule =>
    rule([{ kind: 'room_member_count', is } as JsonObject], { enabled });
  const sizeOf = compileSizes([
    { override: [asking('2'), asking('>=10')] },
    { underride: [asking('2'), asking('<100', false)] },
  ]);
  const counts = [1, 2, 3, 9, 10, 99, 100];
  expect(counts.map(sizeOf)).toEqual(['--', '+-', '--', '--', '-+', '-+', '-+']);
  expect(compileSizes([{ override: [asking(7), asking('x')] }])(7)).toBe('--');
  expect(new Set(counts.map(compileSizes([defaultPushRules(ME)]))).size).toBe(2);
});

describe('evaluateRules', () => {
  it('tries override, content, postcontent, room, sender and underride rules in this order, and each kind in its own', () => {
    const all: PushRuleset = {
      override: [named('override 1'), named('override 2')],
      content: [named('content', { pattern: 'cake' })],
      postcontent: [named('postcontent', { conditions: [{ kind: 'room_member_count', is: '5' }] })],
      room: [named('room', { rule_id: '!r:domain' })],
      sender: [named('sender', { rule_id: '@other:domain' })],
      underride: [named('underride')],
    };
    expect(soundOf(all, 'cake')).toBe('override 1');
    expect(soundOf({ ...all, override: [{ ...all.override[0]!, enabled: false }, all.override[1]!] }, 'x')).toBe(
      'override 2',
    );
    expect(soundOf({ ...all, override: [] }, 'A CAKE!')).toBe('content');
    expect(soundOf({ ...all, override: [] }, 'pancakes')).toBe('postcontent');
    const last = { ...all, override: [], postcontent: [] };
    expect(soundOf(last, 'pancakes')).toBe('room');
    expect(soundOf({ ...last, room: [named('x', { rule_id: '!x:y' })] }, 'x')).toBe('sender');
    expect(soundOf({ ...last, room: [], sender: [named('x', { rule_id: '@x:y' })] }, 'x')).toBe('underride');
    expect(soundOf(EMPTY, 'x')).toBeUndefined();
  });

  it('says the same of users who share what their rules look for, whoever has which of them in what order', () => {
    const { override, underride } = defaultPushRules(ME);
    const when = (...conditions: JsonObject[]): PushRule => named(JSON.stringify(conditions), { conditions });
    const own = [
      when({ kind: 'event_match', key: 'room_id', pattern: '!r:domain' }, { kind: 'room_member_count', is: '2' }),
      when({ kind: 'event_match', key: 'content.body', pattern: 'c?ke' }),
      when({ kind: 'event_property_is', key: 'content.msgtype', value: 'm.text' }, { kind: 'contains_display_name' }),
      when({ kind: 'event_match', key: 'type', pattern: 'm.room.*' }),
      when(),
    ];
    const ids = ['!r:domain', '!x', '!r:domain\nroom !x', '["room !x"]'].map((id) => named(id, { rule_id: id }));
    const words = ['cake', 'Ann', 'p*e'].map((pattern) => named(pattern, { pattern }));
    const rulesets = fc.record({
      override: fc.shuffledSubarray([...override, ...own]),
      content: fc.shuffledSubarray(words),
      postcontent: fc.constant([]),
      room: fc.shuffledSubarray(ids),
      sender: fc.constant([]),
      underride: fc.shuffledSubarray([...underride, ...own]),
    });
    const mention = { 'm.mentions': { user_ids: [ME] } };
    const events = [message('cake, Ann!'), message('pie', mention), event('m.room.topic', {}), event('x', { body: 5 })];
    const shared = new SharedConditions();
    fc.assert(
      fc.property(rulesets, fc.constantFrom(...events), fc.constantFrom(2, 5), (ruleset, on, memberCount) => {
        const context = { ...CONTEXT, memberCount };
        const alone = compileMatcher(ruleset).match(on, context);
        expect(compileMatcher(ruleset, shared).match(on, context)).toEqual(alone);
        expect(atOnce(compileMatcher(ruleset, shared).steps(on, context))).toEqual(alone);
        expect(evaluateRules(ruleset, on, context)).toEqual(alone ?? SILENCE);
      }),
    );
  });

  it('takes historical actions as if they were not there, and highlight without a value as true', () => {
    expect(verdictOf('dont_notify')).toEqual({ notify: false, highlight: false, actions: [], tweaks: {} });
    expect(verdictOf('coalesce', 'notify')).toMatchObject({ notify: true, actions: ['notify'] });
    expect(verdictOf('notify', { set_tweak: 'highlight' })).toMatchObject({
      highlight: true,
      tweaks: { highlight: true },
    });
    expect(verdictOf('notify', { set_tweak: 'highlight', value: false })).toMatchObject({ highlight: false });
    expect(verdictOf({ set_tweak: 'highlight' })).toMatchObject({
      notify: false,
      highlight: false,
      tweaks: emptyObject(),
    });
    expect(verdictOf('notify', { set_tweak: '__proto__', value: 1 }).tweaks['sound']).toBeUndefined();
  });
});

describe('the conditions', () => {
  const topic = event('m.room.topic', { topic: 'Lunch plans', 'a.b': { 'c\\d': 'x' }, n: 5 }, { state_key: '' });

  it('event_match compares whole values as globs, whatever the case, and only texts', () => {
    const match = (key: string, pattern: string) => holds({ kind: 'event_match', key, pattern }, topic);
    expect(match('content.topic', 'lunc?*')).toBe(true);
    expect(match('content.topic', 'lunch')).toBe(false);
    expect(match('content.n', '5')).toBe(false);
    expect(match('content.missing', '*')).toBe(false);
    expect(match('content', '*')).toBe(false);
    expect(match('content.toString', '*')).toBe(false);
    expect(match('state_key', '')).toBe(true);
    expect(match('room_id', '!R:DOMAIN')).toBe(true);
    expect(match('event_id', topic.eventId)).toBe(true);
    expect(match('content.a\\.b.c\\\\d', 'x')).toBe(true);
    expect(match('content.a.b.c\\d', 'x')).toBe(false);
    expect(match('.type', '*')).toBe(false);
  });

  it('event_match finds words in content.body', () => {
    expect(matchesBody('ex*ple', 'An example event.')).toBe(true);
    expect(matchesBody('ex*ple', 'An exciting triple-whammy')).toBe(true);
    expect(matchesBody('Cake', 'no pancakes')).toBe(false);
  });

  it('event_match looks for no pattern that is longer than anybody may set', () => {
    expect(matchesBody(`${'*'.repeat(511)}a`, 'a')).toBe(true);
    expect(matchesBody(`${'*'.repeat(512)}a`, 'a')).toBe(false);
  });

  it('event_property_is compares exactly', () => {
    const create = event('m.room.create', { 'm.federate': true, s: '1', n: 1, nothing: null, list: [1] });
    const is = (key: string, value: JsonObject[string]) => holds({ kind: 'event_property_is', key, value }, create);
    expect(is('content.m\\.federate', true)).toBe(true);
    expect(is('content.m\\.federate', 'true')).toBe(false);
    expect(is('content.n', 1)).toBe(true);
    expect(is('content.s', 1)).toBe(false);
    expect(is('content.nothing', null)).toBe(true);
    expect(is('content.missing', null)).toBe(false);
    expect(is('content.missing', undefined)).toBe(false);
    expect(is('content.list', [1])).toBe(false);
  });

  it('event_property_contains compares the items of lists exactly', () => {
    const alias = event('m.room.canonical_alias', { alt: ['#b:domain', 5], text: '#b:domain' });
    const contains = (key: string, value: JsonObject[string]) =>
      holds({ kind: 'event_property_contains', key, value }, alias);
    expect(contains('content.alt', '#b:domain')).toBe(true);
    expect(contains('content.alt', 5)).toBe(true);
    expect(contains('content.alt', ':domain')).toBe(false);
    expect(contains('content.text', '#b:domain')).toBe(false);
  });

  it('contains_display_name finds the name as words, not as a glob', () => {
    const finds = (displayName: string | undefined, body: string) =>
      holds({ kind: 'contains_display_name' }, message(body), { displayName });
    expect(finds('Ann Ä.', 'hello ann ä. !')).toBe(true);
    expect(finds('Ann', 'Annals')).toBe(false);
    expect(finds('A*', 'Ann')).toBe(false);
    expect(finds('', 'Ann')).toBe(false);
    expect(finds(undefined, 'undefined')).toBe(false);
    expect(holds({ kind: 'contains_display_name' }, event('x', {}))).toBe(false);
  });

  it('contains_display_name looks for no name that is longer than anybody needs, and for each once in an event', () => {
    const finds = (displayName: string): boolean =>
      holds({ kind: 'contains_display_name' }, message(displayName), { displayName });
    expect([finds('é'.repeat(128)), finds('é'.repeat(129)), finds('x'.repeat(257))]).toEqual([true, false, false]);
    const shared = new SharedConditions();
    const looks = vi.spyOn(String.prototype, 'indexOf');
    // Whatever a client writes beside it.
    const asked = Array.from({ length: 9 }, (_, i) => shared.compile({ kind: 'contains_display_name', i }));
    const hello = message('hello, ann');
    const found = asked.flatMap((is) => ['Ann', 'Bob'].map((displayName) => is(hello, { ...CONTEXT, displayName })));
    const lookedFor = looks.mock.calls.map(([words]) => words).filter((words) => words === 'ann' || words === 'bob');
    looks.mockRestore();
    expect(found).toEqual(asked.flatMap(() => [true, false]));
    expect(lookedFor).toEqual(['ann', 'bob']);
    expect(asked[0]!(message('bob'), { ...CONTEXT, displayName: 'Bob' })).toBe(true);
  });

  it('keep nothing of an event once another one is looked at', () => {
    const shared = new SharedConditions();
    const [cake, isMessage] = [
      shared.compile({ kind: 'event_match', key: 'content.body', pattern: 'cake' }),
      shared.compile({ kind: 'event_match', key: 'type', pattern: 'm.room.message' }),
    ];
    let looks = 0;
    const { pdu, ...more } = message('cake');
    const first: RoomEvent = Object.defineProperty({ ...more, pdu }, 'pdu', { get: () => (looks++, pdu) });
    expect([cake(first, CONTEXT), cake(first, CONTEXT), looks]).toEqual([true, true, 1]);
    expect(isMessage(message('pie'), CONTEXT)).toBe(true);
    expect([cake(first, CONTEXT), looks]).toEqual([true, 2]);
  });

  it.each([
    ['2', [2]],
    ['==2', [2]],
    ['<2', [1]],
    ['<=2', [1, 2]],
    ['>2', [3]],
    ['>=2', [2, 3]],
    ['=2', []],
    ['two', []],
    [2, []],
  ])('room_member_count %j holds for the right counts', (is, counts) => {
    const holding = [1, 2, 3].filter((memberCount) =>
      holds({ kind: 'room_member_count', is }, message('x'), { memberCount }),
    );
    expect(holding).toEqual(counts);
  });

  it('sender_notification_permission compares with the level for its key, 50 unless set', () => {
    expect([may(50, {}), may(49, {}), may(0, { room: 0 }), may(50, { room: 0 }, 'toString')]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('of an unknown kind, or without their parameters, never hold', () => {
    for (const kind of ['profile_tag', 'constructor', 'event_match', 'event_property_is', 'room_member_count']) {
      expect(holds({ kind }, message('x'))).toBe(false);
    }
    expect(holds({ kind: 'sender_notification_permission' }, message('x'), { senderPowerLevel: 100 })).toBe(false);
    expect(evaluateRules({ ...EMPTY, content: [rule([])] }, message('undefined'), CONTEXT).notify).toBe(false);
  });
});
