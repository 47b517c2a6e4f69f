import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Receipts, type SetReceipt } from '#ephemeral/commands/receipts';
import { type ServerName, serverNameOf } from '#kernel/ids';
import { LOGGER, type Logger } from '#observability/logger';
import { tellUnlessOutage } from '../is-outage.js';
import { Outbox } from '../sending/outbox.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { Batches } from './batches.js';
import { packReceipts } from './pack-receipts.js';

export const RECEIPT = 'm.receipt';

/** Tells the other servers in a room what our users have read there, but for what they read in private: server-server API, "Receipts". */
@Injectable()
export class ReceiptSender implements OnModuleInit, OnModuleDestroy {
  readonly #batches = new Batches<SetReceipt>(
    (receipts) => this.#tell(receipts),
    // Where the views are away nobody is told: nothing of it must come.
    (error) => tellUnlessOutage(this.logger, error, 'other servers could not be told what was read'),
  );
  #stop: (() => void) | undefined;

  constructor(
    private readonly receipts: Receipts,
    private readonly servers: ServersInRooms,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.#stop = this.receipts.onReceipt((receipt) => {
      const { userId, room_id: roomId, receipt_type: type, thread_id: thread } = receipt;
      if (type !== 'm.read' || serverNameOf(userId) !== this.config.serverName) return;
      this.#batches.add(JSON.stringify([roomId, userId, thread]), receipt);
    });
  }

  onModuleDestroy(): void {
    this.#stop?.();
    this.#batches.end();
  }

  async #tell(receipts: readonly SetReceipt[]): Promise<number> {
    const byServer = new Map<ServerName, SetReceipt[]>();
    for (const receipt of receipts) {
      for (const server of await this.servers.of(receipt.room_id)) {
        const own = byServer.get(server) ?? [];
        byServer.set(server, own);
        own.push(receipt);
      }
    }
    for (const [server, own] of byServer) {
      for (const content of packReceipts(own)) this.outbox.sendEdu(server, { edu_type: RECEIPT, content });
    }
    return byServer.size;
  }
}
