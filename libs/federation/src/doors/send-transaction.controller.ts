import { Controller, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { BodyLimit } from '#http/body-limit';
import type { ServerName } from '#kernel/ids';
import { ReceiveTransaction } from '../commands/receive-transaction.js';
import type { PduResults } from '../facts/origin-facts.js';
import type { SignedContent } from '../receive/unread-part.js';
import { FromServer, InParts, Origin, ServerContent } from './from-server.js';

/** 50 events and 100 EDUs, each as large as it may be: it is read before it is known who sent it. */
const MOST_BYTES = 10 * 1024 * 1024;

/** What other servers send: server-server API, `PUT /send/{txnId}`. */
@Controller('_matrix/federation')
@FromServer()
export class SendTransactionController {
  constructor(private readonly commands: CommandBus) {}

  @Put('v1/send/:txnId')
  @BodyLimit(MOST_BYTES)
  @InParts()
  async send(
    @Origin() origin: ServerName,
    @Param('txnId') txnId: string,
    @ServerContent() content: SignedContent,
  ): Promise<{ readonly pdus: PduResults }> {
    const command = new ReceiveTransaction(origin, txnId, content);
    return { pdus: await this.commands.execute<ReceiveTransaction, PduResults>(command) };
  }
}
