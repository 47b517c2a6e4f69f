import type { NewFact } from '#event-store/event-store';
import { transactionOf, TRANSACTIONS_KEPT } from '../facts/to-device-facts.js';

/** What a device sent lately, as far as it takes to tell a retry: the names of its transactions, the last one last. */
export type SentTransactions = readonly string[];

export const NOTHING_SENT: SentTransactions = Object.freeze([]);

/** The name of a transaction, within its device: an id is good for one path, which names the type. */
export function nameOfTransaction(type: string, txnId: string): string {
  return JSON.stringify([type, txnId]);
}

/** What was sent, as of a fact of its stream. */
export function foldSent(sent: SentTransactions, fact: NewFact): SentTransactions {
  if (fact.type !== 'to-device-sent') return sent;
  const { type, txn } = transactionOf(fact);
  return [...sent.slice(1 - TRANSACTIONS_KEPT), nameOfTransaction(type, txn)];
}
