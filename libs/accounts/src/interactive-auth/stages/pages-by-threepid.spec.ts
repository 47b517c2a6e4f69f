import { expect, it } from 'vitest';
import type { AuthSession, Purpose } from '../auth-sessions.js';
import type { Stage } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';
import { EmailCodeStage } from './email-code-stage.js';
import { EmailIdentityStage } from './email-identity-stage.js';
import { EmailUrlStage } from './email-url-stage.js';
import { MsisdnStage } from './msisdn-stage.js';

const SENDS = { isConfigured: true } as never;
const NONE = {} as never;
const registry = new StageRegistry();
const stages: readonly Stage[] = [
  new EmailCodeStage(registry, NONE, SENDS),
  new EmailUrlStage(registry, NONE, SENDS),
  new EmailIdentityStage(registry, SENDS, NONE, NONE),
  new MsisdnStage(registry, SENDS, NONE, NONE),
];

it.each(stages.map((stage) => [stage.type, stage] as const))(
  'whoever was led to the page of %s by a link alone reads what it is for, before and behind what is sent',
  async (type, stage) => {
    const pageFor = async (purpose: Purpose, begun: object): Promise<string> => {
      const session = { operation: { purpose }, begun } as unknown as AuthSession;
      return JSON.stringify(await stage.view({ session, path: '/' }));
    };
    const sent = { [type]: { email: 'ann@mail.example', number: '49151' } };
    for (const begun of [{}, sent]) {
      const registration = await pageFor('registration', begun);
      expect(registration).toMatch(/create an account with your (mail address|phone number)/);
      expect(registration).toContain('somebody else did: close this page');
      expect(await pageFor('login', begun)).toContain('log in to your account');
    }
  },
);
