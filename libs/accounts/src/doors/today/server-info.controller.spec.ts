import { expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { Requester } from '#kernel/requester';
import type { WhosePassword } from '../../sessions/whose-password.js';
import { ServerInfoController } from './server-info.controller.js';

it.each([
  [false, {}],
  [true, { ANNALS_SMTP_URL: 'smtp://mail.example' }],
  [true, { ANNALS_TEXT_MESSAGES: 'log' }],
  [true, { ANNALS_IDENTITY_TRUSTED_SERVERS: 'id.example' }],
])('says that addresses may be changed where one can be shown to be somebody’s: %s, %o', async (enabled, settings) => {
  const whose = { isOurs: async () => true } as unknown as WhosePassword;
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ...settings });
  const { capabilities } = await new ServerInfoController(config, whose).capabilities({} as Requester);
  expect(capabilities['m.3pid_changes']).toEqual({ enabled });
});
