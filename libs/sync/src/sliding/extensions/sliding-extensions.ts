import { Injectable } from '@nestjs/common';
import { AccountDataExtension } from './account-data-extension.js';
import { E2eeExtension } from './e2ee-extension.js';
import type { ExtensionContext, ExtensionPart } from './extension-context.js';
import { ReceiptsExtension } from './receipts-extension.js';
import { THREADS_EXTENSION } from '../wire/read-request.js';
import { ThreadSubscriptionsExtension } from './thread-subscriptions-extension.js';
import { ToDeviceExtension } from './to-device-extension.js';
import { TypingExtension } from './typing-extension.js';

/** All that is told besides rooms, by the keys under which it is. */
@Injectable()
export class SlidingExtensions {
  readonly #all: ReadonlyMap<string, { read(context: ExtensionContext): Promise<ExtensionPart> }>;

  constructor(
    toDevice: ToDeviceExtension,
    e2ee: E2eeExtension,
    accountData: AccountDataExtension,
    receipts: ReceiptsExtension,
    typing: TypingExtension,
    threadSubscriptions: ThreadSubscriptionsExtension,
  ) {
    this.#all = new Map<string, { read(context: ExtensionContext): Promise<ExtensionPart> }>([
      ['to_device', toDevice],
      ['e2ee', e2ee],
      ['account_data', accountData],
      ['receipts', receipts],
      ['typing', typing],
      [THREADS_EXTENSION, threadSubscriptions],
    ]);
  }

  async read(context: ExtensionContext): Promise<{ texts: ReadonlyMap<string, string>; isNews: boolean }> {
    const texts = new Map<string, string>();
    let isNews = false;
    for (const [key, extension] of this.#all) {
      const part = await extension.read(context);
      if (part.json !== undefined) texts.set(key, part.json);
      isNews ||= part.isNews;
    }
    return { texts, isNews };
  }
}
