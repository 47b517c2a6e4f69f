import { expect, it } from 'vitest';
import type { Outgoing } from '#http/outgoing/outgoing';
import type { PageContext } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';
import { RecaptchaStage } from './recaptcha-stage.js';

it('has no page where there is no captcha any more, for a session of before a restart', () => {
  const stage = new RecaptchaStage(new StageRegistry(), {} as Outgoing, {});
  const refused = expect.objectContaining({ errcode: 'M_UNRECOGNIZED', status: 404 }) as Error;
  expect(() => stage.view({} as PageContext)).toThrow(refused);
});
