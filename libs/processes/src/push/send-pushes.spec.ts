import { describe, expect, it } from 'vitest';
import type { Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { CompiledRules } from '#push/compiled-rules';
import { PUSH_RULES } from '#push/projections/push-rules.projector';
import { NO_CHANGES } from '#push/rules/push-rule-changes';
import type { Digests } from '../digests/digests.js';
import type { FindPushes } from './find-pushes.js';
import type { PushLanes } from './push-lanes.js';
import type { PushedUsers } from './pushed-users.js';
import { SendPushes } from './send-pushes.effect.js';

const ALICE = '@alice:a.example' as UserId;

describe('a process that pushes again, after another one did', () => {
  it('reads the rules of users anew', async () => {
    let text: string | undefined;
    const rules = new CompiledRules({ get: async () => text });
    const effect = new SendPushes(
      { begin: async () => {} } as PushedUsers,
      rules,
      { owed: async () => [] as unknown[] } as FindPushes,
      { begin: () => {} } as unknown as PushLanes,
      { begin: () => {} } as Digests,
      {} as Stopwatch,
    );
    await effect.begin();
    expect((await rules.recall(ALICE)).text).toBeUndefined();
    text = PUSH_RULES.codec.encode({ position: START, changes: NO_CHANGES });
    expect((await rules.recall(ALICE)).text).toBeUndefined();
    await effect.begin();
    expect((await rules.recall(ALICE)).text).toBe(text);
  });
});
