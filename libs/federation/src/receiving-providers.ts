import type { Provider } from '@nestjs/common';
import { HISTORY_ELSEWHERE } from '#rooms/history-elsewhere';
import { AnsweredTransactions } from './commands/answered-transactions.js';
import { ReceiveTransactionHandler } from './commands/receive-transaction.js';
import { RoomsHere } from './inbound/rooms-here.js';
import { TakePdus } from './commands/take-pdus.js';
import { EDU_PROVIDERS } from './edus/all-edu-handlers.js';
import { TakeEdus } from './edus/take-edus.js';
import { AskServers } from './fetching/ask-servers.js';
import { Backfill } from './fetching/backfill.js';
import { EVENT_FETCHING } from './fetching/event-fetching.js';
import { FetchState } from './fetching/fetch-state.js';
import { MissingEvents } from './fetching/missing-events.js';
import { PutOut } from './fetching/put-out.js';
import { ReceiveHelped } from './fetching/receive-helped.js';
import { Refusals } from './refusals/refusals.js';
import { InboundLog } from './inbound/inbound-log.js';
import { InboundQueue } from './inbound/inbound-queue.js';

/** What takes what other servers send, and fetches what that misses. */
export const RECEIVING_PROVIDERS: readonly Provider[] = [
  ...EDU_PROVIDERS,
  AnsweredTransactions,
  AskServers,
  Backfill,
  FetchState,
  InboundLog,
  InboundQueue,
  MissingEvents,
  PutOut,
  ReceiveHelped,
  ReceiveTransactionHandler,
  Refusals,
  RoomsHere,
  TakeEdus,
  TakePdus,
  { provide: EVENT_FETCHING, useExisting: MissingEvents },
  { provide: HISTORY_ELSEWHERE, useExisting: Backfill },
];
