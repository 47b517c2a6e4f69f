import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { type DeviceId, serverNameOf } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { type Addressed, checkAddressed, checkMessages, type Messages } from '../decide/check-messages.js';
import { foldSent, nameOfTransaction, NOTHING_SENT, type SentTransactions } from '../decide/sent-transactions.js';
import { DEVICE_PEERS, type DevicePeers } from '../device-peers.js';
import { sentStream, textOfSent } from '../facts/to-device-facts.js';
import { addressHere } from '../queries/address-here.js';

/**
 * Sends messages to devices: client-server API, "Send-to-Device messaging". They are durable when it settles, in the order of the
 * sender's commands; a transaction that was taken before changes nothing. Who is not there is left out; what is for users of other
 * servers goes there (`ToDeviceSource` of federation). Throws M_INVALID_PARAM,
 * M_TOO_LARGE.
 */
export class SendToDevice extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly type: string,
    readonly txnId: string,
    readonly messages: Messages,
  ) {
    super();
  }
}

/** How many senders' transactions stay in memory. */
const CAPACITY = 2_000;

@CommandHandler(SendToDevice)
export class SendToDeviceHandler implements ICommandHandler<SendToDevice> {
  readonly #sent: Aggregates<SentTransactions>;
  /** The order of a device's messages is that in which it asked, though to look for some receivers takes longer than for others. */
  readonly #turns = new KeyedQueue<string>();

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany' | 'scan'>,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DEVICE_PEERS) private readonly peers: Pick<DevicePeers, 'speaksTo'>,
  ) {
    this.#sent = new Aggregates({ store, clock, capacity: CAPACITY, initialState: NOTHING_SENT, evolve: foldSent });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#sent.numbers;
  }

  execute(command: SendToDevice): Promise<void> {
    const { requester, type, txnId, messages } = command;
    checkMessages(requester.userId, type, txnId, messages);
    const stream = sentStream([requester.userId, requester.deviceId]);
    return this.#turns.run(stream, () => this.#send(stream, command));
  }

  async #send(stream: string, { requester, type, txnId, messages }: SendToDevice): Promise<void> {
    const { userId, deviceId, requestId } = requester;
    const addressed = await this.#address(messages);
    if (addressed.to.length === 0) return;
    checkAddressed(addressed);
    const name = nameOfTransaction(type, txnId);
    const draft: FactDraft = {
      id: name,
      type: 'to-device-sent',
      ...textOfSent({ type, txn: txnId }, addressed.to, addressed.contents),
    };
    const cause = { actor: userId, device: deviceId, correlation: requestId };
    const decide = (sent: SentTransactions): FactDraft[] => (sent.includes(name) ? [] : [draft]);
    // Nobody reads what they have sent: who is to have it is woken once the views show it.
    await this.#sent.execute(stream, decide, cause);
  }

  /**
   * The devices that there are, of those of this server: nobody is told which there are not. Of other servers all that are named, for
   * these know themselves which there are.
   */
  async #address(messages: Messages): Promise<Addressed> {
    const addressed = await addressHere(this.views, this.config.serverName, messages);
    const [to, contents] = [[...addressed.to], [...addressed.contents]];
    for (const [userId, byDevice] of messages) {
      const server = serverNameOf(userId);
      if (server === this.config.serverName || !this.peers.speaksTo(server)) continue;
      for (const [deviceId, content] of byDevice) to.push([userId, deviceId as DeviceId, contents.push(content) - 1]);
    }
    return { to, contents };
  }
}
