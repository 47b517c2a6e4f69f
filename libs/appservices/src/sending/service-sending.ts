import { Injectable } from '@nestjs/common';
import { ServiceClient } from '../asking/service-client.js';
import type { DriverParts } from './service-driver.js';
import { ServiceNotes } from './service-notes.js';
import { TransactionTexts } from './transaction-texts.js';

/** What services are sent to with. */
@Injectable()
export class ServiceSending {
  readonly parts: Pick<DriverParts, 'client' | 'notes' | 'texts'>;

  constructor(client: ServiceClient, notes: ServiceNotes, texts: TransactionTexts) {
    this.parts = { client, notes, texts };
  }
}
