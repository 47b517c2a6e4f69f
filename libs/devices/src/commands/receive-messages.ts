import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import { checkAddressed, checkMessages } from '../decide/check-messages.js';
import { foldSent, nameOfTransaction, NOTHING_SENT, type SentTransactions } from '../decide/sent-transactions.js';
import { isFromUnknownDevice } from '../decide/unknown-device.js';
import { receivedStream, textOfSent } from '../facts/to-device-facts.js';
import { REMOTE_DEVICES } from '../projections/remote-devices.projector.js';
import { addressHere } from '../queries/address-here.js';
import { parseDirectToDevice } from '../receive/parse-direct-to-device.js';
import { ReceiveDeviceLists } from './receive-device-lists.js';

/** How many senders' messages stay in memory. */
const CAPACITY = 2_000;

/** What users of other servers send to devices here. */
@Injectable()
export class ReceiveMessages {
  readonly #received: Aggregates<SentTransactions>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS)
    private readonly views: Pick<Views, 'get' | 'getMany' | 'scan'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly lists: ReceiveDeviceLists,
  ) {
    this.#received = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NOTHING_SENT,
      evolve: foldSent,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#received.numbers;
  }

  /**
   * An `m.direct_to_device` (server-server API, "Send-to-device messaging"): in the inboxes once it settles, durably, and the same message
   * of a sender once. Where a device sent it that is in no list here, the list is asked for. Throws M_BAD_JSON, M_FORBIDDEN (the sender
   * is of another server), M_INVALID_PARAM, M_TOO_LARGE.
   */
  async receive(origin: ServerName, content: JsonObject): Promise<void> {
    const { sender, type, messageId, messages } = parseDirectToDevice(origin, content);
    checkMessages(sender, type, messageId, messages);
    const { to, contents } = await addressHere(this.views, this.config.serverName, messages);
    if (to.length === 0) return;
    checkAddressed({ to, contents });
    const name = nameOfTransaction(type, messageId);
    const draft = { id: name, type: 'to-device-sent', ...textOfSent({ type, txn: messageId }, to, contents) };
    const { facts } = await this.#received.execute(
      receivedStream(sender),
      (received) => (received.includes(name) ? [] : [draft]),
      { actor: sender },
    );
    if (facts.length > 0) await this.#checkSender(sender, contents[0]!);
  }

  async #checkSender(sender: UserId, content: string): Promise<void> {
    const list = await REMOTE_DEVICES.get(this.views, [sender]);
    if (list?.listed !== undefined && isFromUnknownDevice(list.devices, content)) await this.lists.miss(sender);
  }
}
