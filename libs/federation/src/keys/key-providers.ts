import type { Provider } from '@nestjs/common';
import { SERVER_KEYS } from '#rooms/server-keys';
import { AuthenticateRequest } from '../doors/authenticate-request.js';
import { QueryServerKeysHandler } from '../queries/query-server-keys.js';
import { AskForKeys } from './ask-for-keys.js';
import { KeyRing } from './key-ring.js';
import { OwnKeys } from './own-keys.js';
import { ServerKeyLog } from './server-key-log.js';

/** Signing keys, ours and those of others, and who asks. */
export const KEY_PROVIDERS: readonly Provider[] = [
  AskForKeys,
  AuthenticateRequest,
  KeyRing,
  OwnKeys,
  QueryServerKeysHandler,
  ServerKeyLog,
  { provide: SERVER_KEYS, useExisting: KeyRing },
];
