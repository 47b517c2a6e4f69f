import { describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { decideSucceedingRules } from './decide-push-rules.js';
import { evolvePushRules, ownRules, type PushRuleChanges } from './push-rule-changes.js';
import { succeedingRules } from './succeeding-rules.js';

const [from, to] = ['!old:example.org' as RoomId, '!new:example.org' as RoomId];

describe('an upgraded room', () => {
  it('has the rules about the old room, with its id replaced, beside them', () => {
    const room = { rule_id: from, default: false, enabled: true, actions: ['notify'] };
    const muted = {
      rule_id: from,
      default: false,
      enabled: false,
      actions: [],
      conditions: [{ kind: 'event_match', key: 'room_id', pattern: from }],
    };
    expect(succeedingRules({ own: { room: [room], override: [muted] }, defaults: {} }, from, to)).toEqual([
      {
        rule: {
          kind: 'override',
          rule_id: to,
          actions: [],
          conditions: [{ kind: 'event_match', key: 'room_id', pattern: to }],
          after: from,
        },
        enabled: false,
      },
      { rule: { kind: 'room', rule_id: to, actions: ['notify'], after: from }, enabled: true },
    ]);
    expect(succeedingRules({ own: { room: [room, { ...room, rule_id: to }] }, defaults: {} }, from, to)).toEqual([]);
    expect(succeedingRules({ own: { sender: [room] }, defaults: {} }, from, to)).toEqual([]);
  });

  it('gets them once, switched off where they were', () => {
    const rule = { rule_id: from, default: false, enabled: false, actions: [] };
    const before: PushRuleChanges = { own: { room: [rule] }, defaults: {} };
    const decide = (changes: PushRuleChanges) => decideSucceedingRules('@a:example.org' as UserId, changes, from, to);
    const after = decide(before).reduce(evolvePushRules, before);
    expect(ownRules(after, 'room')).toEqual([rule, { ...rule, rule_id: to }]);
    expect(decide(after)).toEqual([]);
  });
});
