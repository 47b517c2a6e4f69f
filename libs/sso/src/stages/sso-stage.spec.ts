import { describe, expect, it } from 'vitest';
import { StageRegistry } from '#accounts/interactive-auth/stage-registry';
import { SsoStage } from './sso-stage.js';

type Parts = ConstructorParameters<typeof SsoStage>;

const stage = (providers: readonly object[], oauth = false): SsoStage =>
  new SsoStage(new StageRegistry(), { all: providers } as unknown as Parts[1], {} as Parts[2], {} as Parts[3], {
    oauth,
  });

describe('the stage m.login.sso', () => {
  it('is for today’s log-ins and confirmations', () => {
    const sso = stage([{}]);
    for (const purpose of ['login', 'confirmation'] as const)
      expect(sso.standingIn(purpose, 'today')).toBe('alternative');
    expect([sso.standingIn('login', 'v1'), sso.standingIn('registration', 'today')]).toEqual([undefined, undefined]);
    expect(stage([]).standingIn('login', 'today')).toBeUndefined();
    expect(stage([], true).standingIn('login', 'today')).toBe('alternative');
    expect(stage([], true).standingIn('confirmation', 'today')).toBeUndefined();
  });

  it('leads to no new password: its page asks who is known already', () => {
    expect(stage([{}]).standingIn('recovery', 'today')).toBeUndefined();
  });
});
