import { randomBytes } from 'node:crypto';
import type { ServerName } from '#kernel/ids';
import { canonicalString } from '#protocol/canonical-json/canonical-json';
import type { Transaction } from './handed.js';

/**
 * Writes transactions. PERF: many servers get the same at about the same time: it is written once, and its text shared
 * (`npm run bench -- federation`).
 */
export class TransactionWriter {
  /** No two processes, also after a restart, give one id. */
  readonly #prefix = randomBytes(6).toString('base64url');
  #count = 0;
  #last: { readonly pdus: readonly string[]; readonly content: string } | undefined;

  constructor(
    private readonly origin: ServerName,
    private readonly now: () => number,
  ) {}

  /** Writes one of some PDUs and EDUs, each canonical JSON. */
  write(pdus: readonly string[], edus: readonly string[]): Transaction {
    const id = `${this.#prefix}${(this.#count++).toString(36)}`;
    return { id, content: this.#content(pdus, edus), pdus, edus };
  }

  /** A transaction in two, EDUs first; undefined where it holds one thing alone. */
  halve({ pdus, edus }: Transaction): readonly [Transaction, Transaction] | undefined {
    if (pdus.length > 0 && edus.length > 0) return [this.write([], edus), this.write(pdus, [])];
    const middle = Math.ceil((pdus.length + edus.length) / 2);
    if (pdus.length + edus.length < 2) return undefined;
    return [
      this.write(pdus.slice(0, middle), edus.slice(0, middle)),
      this.write(pdus.slice(middle), edus.slice(middle)),
    ];
  }

  #content(pdus: readonly string[], edus: readonly string[]): string {
    if (edus.length > 0) return this.#write(pdus, edus);
    const last = this.#last;
    // The texts of one event are one string, so that it is found to be the same at once.
    if (last?.pdus.length === pdus.length && last.pdus.every((text, i) => text === pdus[i])) return last.content;
    const content = this.#write(pdus, edus);
    this.#last = { pdus, content };
    return content;
  }

  /** Canonical JSON, for it is signed. */
  #write(pdus: readonly string[], edus: readonly string[]): string {
    const head = edus.length === 0 ? '{' : `{"edus":[${edus.join(',')}],`;
    return `${head}"origin":${canonicalString(this.origin)},"origin_server_ts":${this.now()},"pdus":[${pdus.join(',')}]}`;
  }
}
