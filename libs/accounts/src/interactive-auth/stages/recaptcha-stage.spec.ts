import { describe, expect, it } from 'vitest';
import type { Outgoing } from '#http/outgoing/outgoing';
import type { PageContext } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';
import { RecaptchaStage } from './recaptcha-stage.js';

it('has no page where there is no captcha any more, for a session of before a restart', () => {
  const stage = new RecaptchaStage(new StageRegistry(), {} as Outgoing, {});
  const refused = expect.objectContaining({ errcode: 'M_UNRECOGNIZED', status: 404 }) as Error;
  expect(() => stage.view({} as PageContext)).toThrow(refused);
});

describe('what the service says', () => {
  const answer = (body: unknown, status = 200): Promise<unknown> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const outgoing = { send: async () => ({ status, headers: {}, body: Buffer.from(text) }) } as unknown as Outgoing;
    const recaptcha = {
      siteKey: 'k',
      secret: 's',
      verifyUrl: 'https://captcha.example/',
      scriptUrl: 'https://a.example/',
    };
    return new RecaptchaStage(new StageRegistry(), outgoing, { recaptcha }).pass({ response: 'r' });
  };
  const unverified = expect.objectContaining({ errcode: 'M_UNKNOWN', status: 503 }) as Error;
  const unsolved = expect.objectContaining({ errcode: 'M_FORBIDDEN' }) as Error;

  it('lets through whose captcha is solved', async () => {
    expect(await answer({ success: true })).toMatchObject({ isComplete: true });
    expect(await answer({ success: true, 'error-codes': [] })).toMatchObject({ isComplete: true });
  });

  it.each([
    [{ success: false }, 200],
    [{ success: false, 'error-codes': ['timeout-or-duplicate'] }, 200],
    [{ success: false, 'error-codes': ['invalid-input-response', 1] }, 400],
    [{ success: false, 'error-codes': 'invalid-input-secret' }, 200],
  ])('refuses whose captcha is not: %j with %i', async (told, status) => {
    await expect(answer(told, status)).rejects.toThrow(unsolved);
  });

  it.each([
    ['of a service that is down', { success: false }, 500],
    ['that is good with a status that is not', { success: true }, 400],
    ['that is a page of somebody else', '<html>', 404],
    ['of one that has moved', { success: true }, 302],
    ['that is a page', '<html>', 200],
    ['that is nothing', 'null', 200],
    ['that is empty', '', 200],
    ['that is a list', [true], 200],
    ['that says it in words', { success: 'true' }, 200],
    ['that the secret is wrong', { success: false, 'error-codes': ['invalid-input-secret'] }, 200],
    ['that site and secret are not of each other', { success: false, 'error-codes': ['sitekey-secret-mismatch'] }, 200],
    ['that something broke there', { success: false, 'error-codes': ['internal-error'] }, 200],
  ])('takes an answer %s for none, and blames nobody', async (_, told, status) => {
    await expect(answer(told, status)).rejects.toThrow(unverified);
  });
});
