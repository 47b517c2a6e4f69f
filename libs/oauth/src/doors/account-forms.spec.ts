import type { FastifyReply, FastifyRequest } from 'fastify';
import { beforeEach, expect, it } from 'vitest';
import type { ChangeProfile } from '#accounts/commands/change-profile';
import { NO_ACCOUNT } from '#accounts/decide/account';
import { TokenRights } from '#accounts/sessions/token-rights';
import type { Consents } from '#accounts/terms/consents';
import type { AcceptedTerms } from '#accounts/terms/terms';
import { AppServices } from '#config/appservices/app-services';
import { htmlPage } from '#http/pages/html-page';
import type { UserId } from '#kernel/ids';
import { refuseSuspended } from '#kernel/refuse-suspended';
import { AccountFormsController } from './account-forms.controller.js';

const ada = '@ada:a.example' as UserId;
const request = { id: 'r' } as FastifyRequest;

type Parts = ConstructorParameters<typeof AccountFormsController>;

let [terms, suspended]: [AcceptedTerms, boolean] = [{}, false];
let saved: unknown[];
let status: number;
let place: string | undefined;
let forms: AccountFormsController;
let reply: FastifyReply;

beforeEach(() => {
  [terms, suspended, saved, status, place] = [{}, false, [], 200, undefined];
  const execute = async ({ requester, value }: ChangeProfile): Promise<void> => {
    refuseSuspended(requester);
    saved.push(value);
  };
  const browsers = { formOf: async () => ({ browser: { userId: ada }, form: new Map([['displayname', 'Ada']]) }) };
  const view = {
    load: async () => ({ ...NO_ACCOUNT, exists: true, terms, suspended }),
    contextFor: async () => ({}),
    page: async (_action: string, { problem }: { problem: string }) => htmlPage('Account', problem),
  };
  const consents = {
    findLink: (_userId, accepted) => (accepted?.['tos'] === '1' ? undefined : () => 'the page'),
  } as Consents;
  const rights = new TokenRights(new AppServices(), consents);
  const parts = [{ execute }, browsers, {}, view, {}, rights];
  forms = new AccountFormsController(...(parts as unknown as Parts));
  const answer: Record<string, unknown> = {};
  for (const name of ['removeHeader', 'type']) answer[name] = () => answer;
  answer['header'] = (name: string, value: string) => {
    if (name === 'location') place = value;
    return answer;
  };
  answer['status'] = (code: number) => {
    status = code;
    return answer;
  };
  reply = answer as unknown as FastifyReply;
});

it('of the account page refuse who has not accepted the terms what others see, as the API does, and lead to them', async () => {
  await forms.profile(request, reply);
  expect([status, place, saved]).toEqual([303, 'the page', []]);
});

it('of the account page refuse it to who is suspended, and to nobody else', async () => {
  [terms, suspended] = [{ tos: '1' }, true];
  await forms.profile(request, reply);
  expect([status, saved]).toEqual([403, []]);
  suspended = false;
  await forms.profile(request, reply);
  expect(saved).toEqual(['Ada']);
});
