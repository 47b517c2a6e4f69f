import type { FactoryProvider, Type } from '@nestjs/common';
import { DeviceUpdateHandler, SigningKeyHandler } from '../devices/device-list-handlers.js';
import {
  PresenceAcceptHandler,
  PresenceDenyHandler,
  PresenceDropHandler,
  PresenceInviteHandler,
  TellPresenceLists,
} from '../ephemeral/presence-list-handlers.js';
import { PresenceHandler } from '../ephemeral/presence-handler.js';
import { ReceiptHandler } from '../ephemeral/receipt-handler.js';
import { TypingHandler } from '../ephemeral/typing-handler.js';
import { type AnyEduHandler, EDU_HANDLERS } from './edu-handlers.js';
import { ToDeviceHandler } from './to-device-handler.js';

/** Every handler of EDUs there is: to add one is to write its file, and to put its class into this list. */
const ALL: readonly Type<AnyEduHandler>[] = [
  DeviceUpdateHandler,
  PresenceAcceptHandler,
  PresenceDenyHandler,
  PresenceDropHandler,
  PresenceHandler,
  PresenceInviteHandler,
  ReceiptHandler,
  SigningKeyHandler,
  ToDeviceHandler,
  TypingHandler,
];

/** They and their list, for FederationModule. */
export const EDU_PROVIDERS = [
  ...ALL,
  TellPresenceLists,
  {
    provide: EDU_HANDLERS,
    inject: [...ALL],
    useFactory: (...handlers: AnyEduHandler[]): readonly AnyEduHandler[] => handlers,
  } satisfies FactoryProvider<readonly AnyEduHandler[]>,
];
