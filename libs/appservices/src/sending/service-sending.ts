import { Injectable } from '@nestjs/common';
import { Presence } from '#ephemeral/presence/presence';
import { Typing } from '#ephemeral/typing/typing';
import { ServiceClient } from '../asking/service-client.js';
import type { DriverParts } from './service-driver.js';
import { ServiceNotes } from './service-notes.js';
import { TakeCollected } from './take-collected.js';
import { TransactionTexts } from '../texts/transaction-texts.js';

/** What services are sent to with. */
@Injectable()
export class ServiceSending {
  readonly parts: Pick<DriverParts, 'client' | 'notes' | 'texts' | 'typing' | 'presence' | 'collected'>;

  constructor(
    client: ServiceClient,
    notes: ServiceNotes,
    texts: TransactionTexts,
    typing: Typing,
    presence: Presence,
    collected: TakeCollected,
  ) {
    this.parts = { client, notes, texts, typing, presence, collected };
  }
}
