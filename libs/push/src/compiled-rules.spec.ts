import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { RoomEvent } from '#protocol/room-event';
import { turnsOf } from '#testing/turns-of';
import { CompiledRules } from './compiled-rules.js';
import { PUSH_RULES } from './projections/push-rules.projector.js';
import type { PushRuleSet } from './facts/push-rule-facts.js';
import { evolvePushRules, NO_CHANGES } from './rules/push-rule-changes.js';
import { START } from '#kernel/position';

const ALICE = '@alice:a.example' as UserId;
const CONTEXT: PushContext = { displayName: undefined, memberCount: 3, senderPowerLevel: 0, notificationLevels: {} };

function message(body: string): RoomEvent {
  const content = { msgtype: 'm.text', body };
  const pdu = { type: 'm.room.message', sender: '@bob:a.example', content };
  const ids = { eventId: '$e' as EventId, roomId: '!r' as RoomId, sender: '@bob:a.example' as UserId };
  const graph = { originServerTs: 0, depth: 0, prevEvents: [], authEvents: [], redacts: undefined };
  return { ...ids, ...graph, type: pdu.type, stateKey: undefined, content, pdu };
}

/** The row of a user who wants to hear of these words, of the last first, and of nothing else. */
function rowOf(...patterns: readonly string[]): string {
  const rules = patterns.map((pattern, i): PushRuleSet => ({
    kind: 'content',
    rule_id: `${i}`,
    pattern,
    actions: ['notify', 'highlight'],
  }));
  const mute: PushRuleSet = { kind: 'underride', rule_id: 'mute', conditions: [], actions: [] };
  const changes = [...rules, mute].reduce((known, data) => evolvePushRules(known, { type: 'push-rule-set', data }), {
    ...NO_CHANGES,
  });
  return PUSH_RULES.codec.encode({ position: START, changes });
}

describe('the rules of a user, prepared', () => {
  it('let everything else have its turn where they look for many patterns', async () => {
    const rules = new CompiledRules({
      get: async () => rowOf('cake', ...Array.from({ length: 40 }, (_, i) => `${'*a'.repeat(200)}${i}`)),
    });
    const { evaluate } = await rules.of(ALICE);
    const verdict = Promise.resolve(evaluate(message(`${'a '.repeat(30_000)}cake`), CONTEXT));
    let turns = 0;
    const ended = verdict.then(() => 'ended');
    while ((await Promise.race([ended, nextTurn('going on')])) !== 'ended') turns++;
    expect((await verdict).notify).toBe(true);
    expect(turns).toBeGreaterThan(3);
  });

  it('let everything else have its turn where they look for many long words', async () => {
    const words = Array.from({ length: 40 }, (_, i) => `${'a '.repeat(100)}${i}`);
    const rules = new CompiledRules({ get: async () => rowOf('cake', ...words) });
    const { evaluate } = await rules.of(ALICE);
    expect(await turnsOf(async () => evaluate(message('a cake'), CONTEXT))).toBeGreaterThan(3);
  });

  it('take a while where they look for many patterns, or into many lists', async () => {
    const isHeavy = async (text: string): Promise<boolean> =>
      (await new CompiledRules({ get: async () => text }).of(ALICE)).isHeavy;
    const words = Array.from({ length: 41 }, (_, i) => `word${i}`);
    const lists = words.reduce((known, value) => {
      const condition = { kind: 'event_property_contains', key: 'content.list', value };
      const data: PushRuleSet = { kind: 'underride', rule_id: value, conditions: [condition], actions: [] };
      return evolvePushRules(known, { type: 'push-rule-set', data });
    }, NO_CHANGES);
    expect(await isHeavy(rowOf(...words.slice(1)))).toBe(false);
    expect(await isHeavy(rowOf(...words))).toBe(true);
    expect(await isHeavy(rowOf(...words.slice(1, 12).map((word) => `${'a '.repeat(60)}${word}`)))).toBe(true);
    expect(await isHeavy(PUSH_RULES.codec.encode({ position: START, changes: lists }))).toBe(true);
  });

  it('are asked at once where they are few, and say the same', async () => {
    const rules = new CompiledRules({ get: async () => rowOf('cake', 'p?e') });
    const { evaluate } = await rules.of(ALICE);
    expect(evaluate(message('A pie!'), CONTEXT)).toMatchObject({ notify: true });
    expect(evaluate(message('pancake'), CONTEXT)).toMatchObject({ notify: false });
  });

  it('are read again where they changed while they were being read', async () => {
    const reads: ((text: string) => void)[] = [];
    const rules = new CompiledRules({ get: () => new Promise((resolve) => void reads.push(resolve)) });
    const notifies = async (known: ReturnType<CompiledRules['recall']>): Promise<boolean> =>
      (await (await known).evaluate(message('cake'), CONTEXT)).notify;
    const early = rules.of(ALICE);
    rules.forget(ALICE);
    reads[0]!(rowOf('cake'));
    expect(await notifies(early)).toBe(true);
    const late = rules.recall(ALICE);
    reads[1]!(rowOf('pie'));
    expect(await notifies(late)).toBe(false);
  });
});
