import type { Provider } from '@nestjs/common';
import { SERVER_KEYS } from '#rooms/server-keys';
import { AuthenticateRequest } from '../doors/authenticate-request.js';
import { KeyRing } from './key-ring.js';
import { KEY_SOURCES, NO_SOURCES } from './key-sources.js';
import { OwnKeys } from './own-keys.js';
import { ServerKeyLog } from './server-key-log.js';

/** Signing keys, ours and those of others, and who asks. */
export const KEY_PROVIDERS: readonly Provider[] = [
  AuthenticateRequest,
  KeyRing,
  OwnKeys,
  ServerKeyLog,
  { provide: KEY_SOURCES, useValue: NO_SOURCES },
  { provide: SERVER_KEYS, useExisting: KeyRing },
];
