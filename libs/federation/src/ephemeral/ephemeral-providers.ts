import type { Provider } from '@nestjs/common';
import { PresenceAudience } from './presence-audience.js';
import { PresenceIntroduction } from './presence-introduction.js';
import { PresenceSender } from './presence-sender.js';
import { ReceiptSender } from './receipt-sender.js';
import { TypingSender } from './typing-sender.js';

/** What tells other servers of what is not worth the log. */
export const EPHEMERAL_PROVIDERS: readonly Provider[] = [
  PresenceAudience,
  PresenceIntroduction,
  PresenceSender,
  ReceiptSender,
  TypingSender,
];
