import { expect, it } from 'vitest';
import type { AuthSession, Operation } from '../auth-sessions.js';
import type { Stage } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';
import { EmailCodeStage } from './email-code-stage.js';
import { EmailIdentityStage } from './email-identity-stage.js';
import { EmailUrlStage } from './email-url-stage.js';
import { MsisdnStage } from './msisdn-stage.js';
import { PasswordStage } from './password-stage.js';

const SENDS = { isConfigured: true } as never;
const NONE = {} as never;
const registry = new StageRegistry();
const stages: readonly Stage[] = [
  new EmailCodeStage(registry, NONE, SENDS),
  new EmailUrlStage(registry, NONE, SENDS),
  new EmailIdentityStage(registry, SENDS, NONE, NONE),
  new MsisdnStage(registry, SENDS, NONE, NONE),
  new PasswordStage(registry, NONE, NONE),
];

it.each(stages.map((stage) => [stage.type, stage] as const))(
  'whoever was led to the page of %s by a link alone reads that an account is to be made, before and behind what is sent',
  async (type, stage) => {
    const pageOf = async (operation: Partial<Operation>, begun: object): Promise<string> => {
      const session = { operation, begun } as unknown as AuthSession;
      return JSON.stringify(await stage.view({ session, path: '/' }));
    };
    const sent = { [type]: { email: 'ann@mail.example', number: '49151' } };
    for (const begun of [{}, sent]) {
      const page = await pageOf({ purpose: 'registration' }, begun);
      expect(page).toMatch(/wants to create an account with (your (mail address|phone number)|a name)/);
      expect(page).toContain('somebody else did: close this page');
      // These were begun where they are gone through.
      for (const purpose of ['registration', 'login'] as const)
        expect(await pageOf({ purpose, isOfBrowser: true }, begun)).not.toContain('An application wants');
    }
  },
);
