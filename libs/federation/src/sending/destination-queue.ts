import type { ServerName } from '#kernel/ids';
import type { FactPlace } from '#projections/effects/effect-progress';
import type { OutgoingItem, Transaction } from './handed.js';
import { MOST_EDUS, MOST_PDUS } from '../transaction-limits.js';
import type { TransactionWriter } from './write-transaction.js';

/** So much waits for one server; with more it is sent the newest of each room. */
const MOST_WAITING = 1_000;
/** So many of the EDUs that may be lost wait for one; the oldest go. */
const MOST_LOSABLE = 200;

/** What waits for one server that is being sent to. Nobody has one of a server that is left alone, nor of one that has everything. */
export class DestinationQueue {
  /** In order: those under way first. */
  #items: OutgoingItem[] = [];
  readonly #losable = new Map<string, string>();
  /** How many of the items are under way. */
  #sending = 0;
  #count = 0;
  /** When the first of the items that somebody waits for was handed over, by the stopwatch. */
  #waitingSince: number | undefined;
  /** It is noted in the log that the server is behind: nothing more needs to be remembered of what waits. */
  isNoted = false;
  /** Something was left out: what the server lacks is looked for in the views. */
  hasGap = false;
  /** While that is being noted. */
  noting: Promise<void> | undefined;

  constructor(
    readonly server: ServerName,
    private readonly elapsed: () => number,
  ) {}

  /** How many PDUs and EDUs wait, those under way too. */
  get waiting(): number {
    return this.#items.length + this.#losable.size;
  }

  /** When the first was handed over whose end somebody waits for; undefined where nobody does. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** The place of the first that somebody waits for. */
  get firstPlace(): FactPlace | undefined {
    return this.#items.find(({ handed }) => handed !== undefined)?.handed?.place;
  }

  /** Adds what must not be lost. Where it is noted that the server is behind, nobody waits for it. */
  add(item: OutgoingItem): void {
    if (this.isNoted) release(item);
    else if (item.handed !== undefined) this.#waitingSince ??= this.elapsed();
    this.#items.push(item);
  }

  /** Whether so much waits that it goes faster without. */
  get isCrowded(): boolean {
    return this.#items.length - this.#sending > MOST_WAITING;
  }

  /** Adds what may be lost. `replaces`: what has the same key and waits still, goes. */
  addLosable(text: string, replaces: string | undefined): void {
    const key = replaces ?? ` ${this.#count++}`;
    this.#losable.delete(key);
    this.#losable.set(key, text);
    if (this.#losable.size > MOST_LOSABLE) this.#losable.delete(this.#losable.keys().next().value!);
  }

  /** What is sent next, until `accept` or `leaveOut`; undefined where nothing waits. */
  take(writer: TransactionWriter): Transaction | undefined {
    const pdus: string[] = [];
    const edus: string[] = [];
    let taken = 0;
    for (const { kind, text } of this.#items) {
      const [texts, most] = kind === 'pdu' ? [pdus, MOST_PDUS] : [edus, MOST_EDUS];
      if (texts.length === most) break;
      texts.push(text);
      taken++;
    }
    this.#sending = taken;
    for (const [key, text] of this.#losable) {
      if (edus.length === MOST_EDUS) break;
      edus.push(text);
      this.#losable.delete(key);
    }
    return pdus.length + edus.length === 0 ? undefined : writer.write(pdus, edus);
  }

  /** What was taken is with the server, or will never be. */
  accept(): void {
    const done = this.#items.splice(0, this.#sending);
    this.#sending = 0;
    for (const item of done) {
      release(item);
      item.accepted?.();
    }
    this.#waitingSince = this.firstPlace === undefined ? undefined : this.elapsed();
  }

  /** It is noted from where on the server is behind: nobody has to wait for what is here. */
  note(): void {
    this.isNoted = true;
    this.#items.forEach(release);
    this.#waitingSince = undefined;
  }

  /** Forgets what waits, once it is noted that the server is behind: it is found again in the views. */
  leaveOut(): void {
    this.note();
    this.#items = [];
    this.#losable.clear();
    this.#sending = 0;
    this.hasGap = true;
  }
}

function release(item: OutgoingItem): void {
  item.handed?.settle();
  item.handed = undefined;
}
