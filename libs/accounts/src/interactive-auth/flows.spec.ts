import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { Flows } from './flows.js';
import { PASSED, type Stage, type Standing } from './stage.js';
import { StageRegistry } from './stage-registry.js';

const ALICE = '@alice:example.org' as UserId;

const stage = (type: string, rank: number, standing: Standing | undefined, more: Partial<Stage> = {}): Stage => ({
  type,
  rank,
  standingIn: () => standing,
  pass: async () => PASSED,
  view: () => ({ redirectTo: '/' }),
  ...more,
});

function flowsOf(...stages: readonly Stage[]): Flows {
  return configured(undefined, ...stages);
}

function configured(loginFlows: readonly string[][] | undefined, ...stages: readonly Stage[]): Flows {
  const registry = new StageRegistry();
  for (const one of stages) registry.add(one);
  return new Flows(registry, loginFlows === undefined ? {} : { loginFlows });
}

describe('the flows of stages', () => {
  it('are what is required in its order, and one of the alternatives', () => {
    const flows = flowsOf(
      stage('code', 60, 'alternative'),
      stage('terms', 30, 'required'),
      stage('off', 20, undefined),
      stage('captcha', 20, 'required'),
      stage('password', 50, 'alternative'),
    );
    expect(flows.toLogIn('today')).toEqual([
      ['captcha', 'terms', 'password'],
      ['captcha', 'terms', 'code'],
    ]);
  });

  it('do without what is optional', () => {
    const flows = flowsOf(stage('mail', 40, 'optional'), stage('terms', 30, 'required'));
    expect(flows.toRegister('today')).toEqual([['terms'], ['terms', 'mail']]);
    expect(flows.toRegister('v1')).toEqual([
      ['terms', 'm.login.password'],
      ['terms', 'mail', 'm.login.password'],
    ]);
  });

  it('are the dummy stage where a registration needs nothing, and in 2015 user name and password alone', () => {
    expect(flowsOf().toRegister('today')).toEqual([['m.login.dummy']]);
    expect(flowsOf().toRegister('v1')).toEqual([['m.login.password']]);
    const optional = flowsOf(stage('mail', 40, 'optional'));
    expect(optional.toRegister('today')).toEqual([['m.login.dummy'], ['mail']]);
    expect(optional.toRegister('v1')).toEqual([['m.login.password'], ['mail', 'm.login.password']]);
  });

  it('confirm what somebody does by what they can pass, and never by nothing', async () => {
    const of = async (...stages: readonly Stage[]) => (await flowsOf(...stages).confirmation('POST /x', ALICE)).flows;
    const sso = stage('sso', 60, 'alternative', { isFor: async (userId) => userId !== ALICE });
    expect(await of(stage('password', 50, 'alternative'), sso)).toEqual([['password']]);
    expect(await of(sso)).toEqual([['m.login.password']]);
  });

  it('of log-ins are those that the operator wants, and no others', () => {
    const code = stage('code', 60, undefined, {
      standingIn: (_, dialect) => (dialect === 'v1' ? 'alternative' : undefined),
    });
    const sso = stage('sso', 70, undefined, {
      standingIn: (_, dialect) => (dialect === 'v1' ? undefined : 'alternative'),
    });
    const flows = configured([['password', 'code'], ['sso']], stage('password', 50, 'alternative'), code, sso);
    flows.onApplicationBootstrap();
    expect(flows.toLogIn('today')).toEqual([['password', 'code'], ['sso']]);
    expect(flows.toLogIn('v1')).toEqual([['password', 'code']]);
    const wrong = configured([['password', 'code']], stage('password', 50, 'alternative'));
    expect(() => wrong.onApplicationBootstrap()).toThrow('ANNALS_LOGIN_FLOWS: code');
  });

  it('of log-ins have a stage each that shows whose account it is', () => {
    const captcha = stage('captcha', 20, 'alternative', { showsNobody: true });
    const password = stage('password', 50, 'alternative');
    expect(() => configured([['captcha', 'password']], captcha, password).onApplicationBootstrap()).not.toThrow();
    const anybody = configured([['password'], ['captcha', 'captcha']], captcha, password);
    expect(() => anybody.onApplicationBootstrap()).toThrow('ANNALS_LOGIN_FLOWS: captcha+captcha');
  });

  it('let nobody in, nor back in, where another service says who everybody is', () => {
    const registry = new StageRegistry();
    registry.add(stage('password', 50, 'alternative'));
    const flows = new Flows(registry, { mas: { url: 'https://mas.example', secret: 'x' } });
    expect([flows.toLogIn('today'), flows.toLogIn('v1'), flows.toRecover()]).toEqual([[], [], []]);
  });

  it('have no two stages of one type', () => {
    expect(() => flowsOf(stage('a', 1, 'required'), stage('a', 2, undefined))).toThrow('two stages a');
  });
});
