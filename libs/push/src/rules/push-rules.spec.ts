import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { given as givenFacts, type Expectation, type PlainFact } from '#testing/given';
import { project, type StreamFact } from '#testing/project';
import type { PushRuleFact, PushRuleSet } from '../facts/push-rule-facts.js';
import { pushRulesProjector } from '../projections/push-rules.projector.js';
import {
  decideRule,
  decideRuleActions,
  decideRuleEnabled,
  decideRuleRemoval,
  decideThreadRules,
} from './decide-push-rules.js';
import { foldPushRuleFact } from './fold-push-rules.js';
import { evolvePushRules, NO_CHANGES, type PushRuleChanges } from './push-rule-changes.js';
import { findRule, rulesOfUser } from './rules-of-user.js';

const alice = '@alice:example.org' as UserId;

type Decision = (changes: PushRuleChanges) => readonly PushRuleFact[];

const given = (...facts: readonly PlainFact[]): { when(decision: Decision): Expectation } =>
  givenFacts(
    {
      initialState: NO_CHANGES,
      evolve: foldPushRuleFact,
      decide: (changes: PushRuleChanges, decision: Decision) =>
        decision(changes).map(({ type, data }) => ({ id: 'id', type, data: JSON.stringify(data) })),
    },
    facts,
  );

const rule = (rule_id: string, more: Partial<PushRuleSet> = {}): PushRuleSet => ({
  kind: 'room',
  rule_id,
  actions: ['notify'],
  ...more,
});
const isSet = (data: PushRuleSet): PushRuleFact => ({ type: 'push-rule-set', data });
const set = (wanted: PushRuleSet): Decision => {
  return (changes) => decideRule(changes, wanted);
};

describe('push rules', () => {
  it('of the user’s own are no longer than what can be tried on each event of all rooms', () => {
    const word = (pattern: string): Partial<PushRuleSet> => ({ kind: 'content', pattern });
    const when = (condition: object): Partial<PushRuleSet> => ({ kind: 'override', conditions: [{ ...condition }] });
    const matches = { kind: 'event_match', key: 'content.body', pattern: 'x' };
    const ok = rule('a', word('é'.repeat(256)));
    given()
      .when(set(ok))
      .then([isSet(ok)]);
    const tooLong: Partial<PushRuleSet>[] = [
      word('é'.repeat(257)),
      when({ ...matches, pattern: '*a'.repeat(257) }),
      when({ ...matches, key: 'content.'.repeat(100) }),
      when({ kind: 'org.example', any: 'x'.repeat(9_000) }),
      { kind: 'override', conditions: Array.from({ length: 51 }, () => matches) },
      { actions: ['notify', { set_tweak: 'sound', value: 'x'.repeat(9_000) }] },
    ];
    for (const more of tooLong) {
      given()
        .when(set(rule('a', more)))
        .thenRefused('M_INVALID_PARAM');
    }
    const shout = { kind: 'room', rule_id: '!room:b', actions: tooLong.at(-1)!.actions! } as const;
    given(isSet(rule('!room:b')))
      .when((changes) => decideRuleActions(alice, changes, shout))
      .thenRefused('M_INVALID_PARAM');
  });

  it('of 2015 find one’s names once they are switched on, below one’s own and above rooms', () => {
    const on = (kind: 'content' | 'override' | 'underride', rule_id: string): PushRuleFact => ({
      type: 'push-rule-enabled-set',
      data: { kind, rule_id, enabled: true },
    });
    given()
      .when((changes) =>
        decideRuleEnabled(alice, changes, { kind: 'content', rule_id: '.m.rule.contains_user_name', enabled: true }),
      )
      .then([on('content', '.m.rule.contains_user_name')]);
    const changes = [on('content', '.m.rule.contains_user_name'), on('underride', '.m.rule.fallback')].reduce(
      evolvePushRules,
      NO_CHANGES,
    );
    const rules = rulesOfUser(alice, changes);
    expect(rules.content).toMatchObject([{ enabled: true, pattern: 'alice' }]);
    expect(rules.underride.at(-1)).toMatchObject({
      rule_id: '.m.rule.fallback',
      enabled: true,
      conditions: [],
      actions: ['notify'],
    });
    expect(rulesOfUser(alice, NO_CHANGES).content).toEqual([]);
  });

  it('of the user’s own are taken with good ids and known actions', () => {
    given()
      .when(set(rule('!room:b')))
      .then([isSet(rule('!room:b'))]);
    for (const id of ['', '.m.mine', 'a/b', 'a\\b', 'x'.repeat(256)]) {
      given()
        .when(set(rule(id)))
        .thenRefused('M_INVALID_PARAM');
    }
    for (const action of ['shout', { tweak: 'sound' }]) {
      given()
        .when(set(rule('a', { actions: [action] })))
        .thenRefused('M_INVALID_PARAM');
    }
    given()
      .when(set(rule('a', { kind: 'content' })))
      .thenRefused('M_MISSING_PARAM');
  });

  it('stay where they are, where they are to be before or after themselves', () => {
    const both = [isSet(rule('last')), isSet(rule('first'))];
    for (const place of [{ before: 'last' }, { after: 'last' }, { before: 'last', after: 'first' }]) {
      given(...both)
        .when(set(rule('last', { ...place, actions: [] })))
        .then([isSet(rule('last', { actions: [] }))]);
    }
    given(...both)
      .when(set(rule('new', { before: 'new' })))
      .thenRefused('M_UNKNOWN');
  });

  it('about threads are switched on where the user never said anything of them, and are never the user’s own', () => {
    const said = (rule_id: string, enabled: boolean): PushRuleFact => ({
      type: 'push-rule-enabled-set',
      data: { kind: 'postcontent', rule_id: `.io.element.msc4306.rule.${rule_id}_thread`, enabled },
    });
    const switchOn: Decision = (changes) => decideThreadRules(alice, changes);
    const both = [said('unsubscribed', true), said('subscribed', true)];
    given().when(switchOn).then(both);
    given(...both)
      .when(switchOn)
      .then([]);
    given(said('unsubscribed', false))
      .when(switchOn)
      .then([said('subscribed', true)]);
    given()
      .when(set(rule('mine', { kind: 'postcontent' })))
      .thenRefused('M_INVALID_PARAM');
  });

  it('of the user’s own are at most a thousand, which can all be changed', () => {
    const many = Array.from({ length: 1000 }, (_, i) => isSet(rule(`rule${i}`)));
    given(...many)
      .when(set(rule('one more')))
      .thenRefused('M_USER_LIMIT_EXCEEDED');
    given(...many)
      .when(set(rule('rule7', { actions: [] })))
      .then([isSet(rule('rule7', { actions: [] }))]);
  });

  it('are switched and changed where they are there, and switched only where that is new', () => {
    const enable = (rule_id: string, enabled: boolean): Decision => {
      return (changes) => decideRuleEnabled(alice, changes, { kind: 'override', rule_id, enabled });
    };
    const on = {
      type: 'push-rule-enabled-set',
      data: { kind: 'override', rule_id: '.m.rule.master', enabled: true },
    } as const;
    given().when(enable('.m.rule.master', true)).then([on]);
    given(on).when(enable('.m.rule.master', true)).then([]);
    given().when(enable('mine', true)).thenRefused('M_NOT_FOUND');
    given()
      .when((changes) => decideRuleActions(alice, changes, { kind: 'underride', rule_id: 'mine', actions: [] }))
      .thenRefused('M_NOT_FOUND');
    given(isSet(rule('mine')))
      .when((changes) => decideRuleRemoval(changes, 'sender', 'mine'))
      .thenRefused('M_NOT_FOUND');
  });

  it('leave those of other users and of the defaults as they were', () => {
    const changes: PushRuleChanges = {
      own: { underride: [{ ...rule('mine'), default: false, enabled: true }] },
      defaults: { 'underride/.m.rule.message': { enabled: false } },
    };
    const mine = rulesOfUser(alice, changes);
    expect(mine.underride[0]!.rule_id).toBe('mine');
    expect(findRule(alice, changes, 'underride', '.m.rule.message')).toMatchObject({
      enabled: false,
      actions: ['notify'],
    });
    expect(findRule(alice, NO_CHANGES, 'underride', '.m.rule.message')?.enabled).toBe(true);
    expect(mine.override).toEqual(rulesOfUser(alice, NO_CHANGES).override);
  });

  it('are kept in the view as what differs from the defaults', async () => {
    const fact = ({ type, data }: PushRuleFact): StreamFact => ({ stream: `user-${alice}`, type, data });
    const rows = await project(pushRulesProjector, [
      fact(isSet(rule('a'))),
      fact(isSet(rule('b'))),
      fact({ type: 'push-rule-removed', data: { kind: 'room', rule_id: 'a' } }),
      fact(isSet(rule('a', { after: 'b' }))),
      fact({ type: 'push-rule-enabled-set', data: { kind: 'room', rule_id: 'a', enabled: false } }),
      fact({ type: 'push-rule-actions-set', data: { kind: 'override', rule_id: '.m.rule.master', actions: [] } }),
    ]);
    expect(rows).toEqual({
      [`push-rules ${alice}`]: {
        position: '0000000000000000006',
        changes: {
          own: {
            room: [
              { rule_id: 'b', default: false, enabled: true, actions: ['notify'] },
              { rule_id: 'a', default: false, enabled: false, actions: ['notify'] },
            ],
          },
          defaults: { 'override/.m.rule.master': { actions: [] } },
        },
      },
    });
  });
});
