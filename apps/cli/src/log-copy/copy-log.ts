import { randomUUID } from 'node:crypto';
import type { EventStore, NewFact, RecordedFact } from '#event-store/event-store';
import {
  COPY_COMPLETED,
  COPY_RESUMED,
  findLogIdentity,
  LOG_RESTORED,
  type LogBegun,
  type LogRestored,
  SERVER_STREAM,
} from '#event-store/log-identity';
import { sealFacts, tailOf, verifyChain } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';
import { CliFailure, EXIT } from '../failure.js';
import { OrderedAppends } from './ordered-appends.js';

export interface CopyLogOptions {
  readonly source: EventStore;
  readonly target: EventStore;
  /** What the target is called. */
  readonly name: string;
  /** How many appends the target takes at once without changing their order. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of each fact of the source. */
  readonly onFact?: () => void;
}

export interface CopiedLog {
  readonly logId: string;
  /** Facts that were copied now, and those that were there from a copy before. */
  readonly copied: number;
  readonly there: number;
  /** Up to where the source was copied. */
  readonly head: Position;
}

/** What a copy says of itself: no part of what is copied. */
const OF_COPIES: ReadonlySet<string> = new Set([COPY_COMPLETED, COPY_RESUMED]);
/** Stands for facts that were truncated, until the next one is there: revisions stay what they are. */
const PLACEHOLDER = 'truncated';
const PLACEHOLDERS_AT_ONCE = 500;

/**
 * Copies a log, as it stands at the call, into an empty one, in order; goes on with a copy of it that did not come to its end, or
 * since whose end it has grown. Each fact is checked against the one before it in its stream. What was erased is not copied, nor what was
 * truncated; where that befell what is in the copy already, it goes from there too. The copy has an id of its own: views and places
 * that belong to the source are not believed of it. Throws CliFailure where a chain does not hold, naming the place, and where the target holds something else.
 */
export async function copyLog(options: CopyLogOptions): Promise<CopiedLog> {
  const { source, target, name, atOnce, clock, signal, onFact } = options;
  const [from, to] = [await findLogIdentity(source), await findLogIdentity(target)];
  if (from === undefined) throw new CliFailure('the log does not say whose it is: run "annals verify"', EXIT.found);
  if (from.copy?.isComplete === false)
    throw new CliFailure('the log is itself a copy that did not come to its end', EXIT.found);
  if (to === undefined && (await target.head()) !== START) throw notCopy(name, 'it holds something that is no log');
  if (to !== undefined && to.copy?.of !== from.logId) throw notCopy(name, `it holds a log of ${to.serverName} already`);
  const copy = new Copy(target, { source, logId: to?.logId ?? randomUUID(), of: from.logId, name, atOnce, clock });
  const head = await source.head();
  const links = new Map<string, Link>();
  for await (const batch of source.readAll({ after: START })) {
    for (const fact of batch) {
      if (signal.aborted) throw new CliFailure('interrupted: run it again to go on', EXIT.interrupted);
      await check(source, fact, links);
      onFact?.();
      if (fact.stream !== SERVER_STREAM || !OF_COPIES.has(fact.type)) await copy.take(fact);
    }
  }
  await copy.complete();
  return { logId: copy.logId, copied: copy.copied, there: copy.there, head };
}

interface Link {
  readonly revision: number;
  readonly chain: string;
}

/** Throws where a fact is not what was sealed after the one before it in its stream. */
async function check(source: EventStore, fact: RecordedFact, links: Map<string, Link>): Promise<void> {
  const { stream, revision, position, metadata } = fact;
  let before = links.get(stream);
  // What lies between may have been truncated while the log is copied.
  if (
    before !== undefined &&
    revision > before.revision + 1 &&
    (await firstRevisionOf(source, stream)) > before.revision
  )
    before = undefined;
  const holds =
    before === undefined
      ? revision > 0 || verifyChain(undefined, fact)
      : revision === before.revision + 1 && verifyChain(before.chain, fact);
  if (!holds) {
    throw new CliFailure(
      `${stream} revision ${revision}, at position ${position}: the chain does not hold, and nothing from there on was copied: run "annals verify"`,
      EXIT.found,
    );
  }
  links.set(stream, { revision, chain: metadata.chain });
}

async function firstRevisionOf(store: EventStore, stream: string): Promise<number> {
  for await (const { revision } of store.readStream(stream, { limit: 1 })) return revision;
  return 0;
}

function notCopy(name: string, why: string): CliFailure {
  return new CliFailure(`${name} is no copy of this log: ${why}`, EXIT.found);
}

/** The log that is copied to: first what is there from before, then what is missing. */
class Copy {
  readonly logId: string;
  copied = 0;
  there = 0;
  readonly #known: AsyncIterator<readonly RecordedFact[]>;
  #batch: readonly RecordedFact[] = [];
  #at = 0;
  readonly #appends: OrderedAppends;
  /** The streams as far as they are in the copy: its next revision. */
  readonly #next = new Map<string, number>();
  /** The stream of the server is sealed anew, for its first fact is another. */
  #serverChain: string | undefined;
  /** The first revision in the source of streams that it has truncated since. */
  readonly #firsts = new Map<string, number>();
  #isAppending = false;

  constructor(
    private readonly target: EventStore,
    private readonly about: {
      readonly source: EventStore;
      readonly logId: string;
      readonly of: string;
      readonly name: string;
      readonly atOnce: number;
      readonly clock: Clock;
    },
  ) {
    this.logId = about.logId;
    this.#known = target.readAll({ after: START })[Symbol.asyncIterator]();
    this.#appends = new OrderedAppends(target, about.name, about.atOnce);
  }

  /** The next fact of the source. */
  async take(fact: RecordedFact): Promise<void> {
    const known = this.#isAppending ? undefined : await this.#findKnown(fact);
    if (known !== undefined) return this.#compare(fact, known);
    if (!this.#isAppending) await this.#begin();
    this.copied++;
    await this.#append(fact);
  }

  async complete(): Promise<void> {
    if (!this.#isAppending) {
      for (let rest = await this.#nextKnown(); rest !== undefined; rest = await this.#nextKnown())
        await this.#passTruncated(rest);
    }
    await this.#appends.settled();
    for (const [stream, first] of this.#firsts) await this.target.truncate(stream, first);
    if ((await findLogIdentity(this.target))?.copy?.isComplete !== true) await this.#say(COPY_COMPLETED);
    await this.#appends.settled();
  }

  /** What the copy has at the place of a fact; undefined where it ends there. What the source has truncated since goes. */
  async #findKnown(fact: RecordedFact): Promise<RecordedFact | undefined> {
    for (;;) {
      const known = await this.#nextKnown();
      if (known === undefined) return undefined;
      const isSame =
        known.stream === fact.stream && (fact.stream === SERVER_STREAM || known.revision === fact.revision);
      if (isSame && (known.id === fact.id || fact.type === 'log-begun')) return known;
      await this.#passTruncated(known);
    }
  }

  /** Throws where the source has never had what is known. */
  async #passTruncated(known: RecordedFact): Promise<void> {
    const { stream, revision } = known;
    const first = this.#firsts.get(stream) ?? (await firstRevisionOf(this.about.source, stream));
    this.#firsts.set(stream, first);
    if (revision >= first) throw this.#ownWay(known);
  }

  async #compare(fact: RecordedFact, known: RecordedFact): Promise<void> {
    this.there++;
    const tail = tailOf(fact);
    if (tail !== undefined && tail !== tailOf(known)) await this.target.erase(fact.stream, known.revision, tail);
  }

  /** The next fact in the copy that is not of the copy alone. */
  async #nextKnown(): Promise<RecordedFact | undefined> {
    for (;;) {
      if (this.#at === this.#batch.length) {
        const { value, done } = await this.#known.next();
        if (done === true) return undefined;
        [this.#batch, this.#at] = [value, 0];
      }
      const fact = this.#batch[this.#at++]!;
      this.#next.set(fact.stream, fact.revision + 1);
      if (fact.stream === SERVER_STREAM) this.#serverChain = fact.metadata.chain;
      if (fact.stream !== SERVER_STREAM || !OF_COPIES.has(fact.type)) return fact;
    }
  }

  async #begin(): Promise<void> {
    this.#isAppending = true;
    if (this.there > 0) await this.#say(COPY_RESUMED);
  }

  async #append(fact: RecordedFact): Promise<void> {
    const { stream, revision, id, type, data, metadata } = fact;
    if (stream === SERVER_STREAM) return this.#appendToServer(this.#rewrite({ id, type, data, metadata }));
    let next = this.#next.get(stream) ?? 0;
    const first = next;
    while (next < revision) {
      const count = Math.min(PLACEHOLDERS_AT_ONCE, revision - next);
      await this.#appends.add(
        stream,
        next,
        Array.from({ length: count }, () => this.#placeholder()),
      );
      next += count;
    }
    await this.#appends.add(stream, revision, [{ id, type, data, metadata }]);
    this.#next.set(stream, revision + 1);
    if (first === revision) return;
    await this.#appends.settled();
    await this.target.truncate(stream, revision);
  }

  #placeholder(): NewFact {
    const at = this.about.clock.now();
    return sealFacts(undefined, [{ id: randomUUID(), type: PLACEHOLDER, data: '{}', at, actor: 'server' }])[0]!;
  }

  async #say(type: string): Promise<void> {
    const at = this.about.clock.now();
    const unsealed = { id: randomUUID(), type, data: '{}', at, actor: 'server' };
    await this.#appendToServer(sealFacts(undefined, [unsealed])[0]!);
  }

  async #appendToServer({ id, type, data, metadata }: NewFact): Promise<void> {
    const revision = this.#next.get(SERVER_STREAM) ?? 0;
    const { chain: _, erased: __, ...rest } = metadata;
    const facts = sealFacts(this.#serverChain, [{ id, type, data, ...rest }]);
    await this.#appends.add(SERVER_STREAM, revision, facts);
    this.#serverChain = facts[0]!.metadata.chain;
    this.#next.set(SERVER_STREAM, revision + 1);
  }

  /** What the stream of the server says in the copy. */
  #rewrite(fact: NewFact): NewFact {
    if (fact.type === 'log-begun') {
      const { copied_from: _, ...begun } = JSON.parse(fact.data) as LogBegun; // written by `nameLog`
      const copied: LogBegun = { ...begun, log_id: this.logId, copied_from: this.about.of };
      return { ...fact, id: randomUUID(), data: JSON.stringify(copied) };
    }
    if (fact.type !== LOG_RESTORED) return fact;
    const restored: LogRestored = { ...(JSON.parse(fact.data) as LogRestored), copied: true }; // written by `noteRestored`
    return { ...fact, data: JSON.stringify(restored) };
  }

  #ownWay({ stream, revision }: RecordedFact): CliFailure {
    return notCopy(
      this.about.name,
      `from ${stream} revision ${revision} on it holds something else; where nothing is lost with it, begin anew in an empty place`,
    );
  }
}
