import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact, type RecordedFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import {
  type ContentReported,
  NOTHING_TOLD,
  type ReportClosed,
  reportDraft,
  type ReportedThing,
  REPORTS_STREAM,
  type ToldReport,
} from '../facts/report-facts.js';

/** A report as operators see it. */
export interface Report {
  /** By which operators name it. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: UserId;
  readonly thing: ReportedThing;
  /** Undefined once it is closed. */
  readonly told: ToldReport | undefined;
  readonly isClosed: boolean;
}

/** No report has this number. */
export class NoSuchReport extends Error {
  constructor(readonly id: number) {
    super(`there is no report ${id}`);
    this.name = 'NoSuchReport';
  }
}

interface KnownReports {
  /** Those that operators are not done with, of each user who made some. */
  readonly open: ReadonlyMap<UserId, readonly number[]>;
  /** The revision of the first fact that is there. */
  readonly first: number | undefined;
  /** That of the last one. */
  readonly last: number;
}

const NO_REPORTS: KnownReports = { open: new Map(), first: undefined, last: 0 };

/** So many of one user are kept until an operator is done with some: what is reported is kept whole. */
const MOST_OPEN = 100;
/** Once so many facts stand before the first report that is open, they go: of what is settled it is told for as long that it was there. */
const MOST_SETTLED = 1_000;

/** What users reported: kept in the log with its content, for it may be redacted before anybody looks, until an operator is done with it. */
@Injectable()
export class Reports {
  readonly #streams: Aggregates<KnownReports>;
  /** Nothing is left before it. */
  #begin = 0;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.#streams = new Aggregates<KnownReports>({
      store,
      clock,
      capacity: 1,
      initialState: NO_REPORTS,
      evolve: evolveReports,
    });
  }

  /** Throws M_LIMIT_EXCEEDED where too many reports of the user wait for an operator. */
  async checkLimit(by: UserId): Promise<void> {
    const { state } = await this.#streams.load(REPORTS_STREAM);
    checkOpen(state, by);
  }

  /** Throws as `checkLimit`. */
  async add(by: UserId, thing: ReportedThing, told: ToldReport, cause: Cause): Promise<void> {
    const decide = (reports: KnownReports): readonly FactDraft[] => {
      checkOpen(reports, by);
      return [reportDraft(by, thing, told)];
    };
    await this.#streams.execute(REPORTS_STREAM, decide, cause);
  }

  /**
   * An operator is done with a report: what was told with it goes from the log. Throws NoSuchReport. Where the process ended in its midst,
   * closing it again ends that.
   */
  async close(id: number): Promise<void> {
    const report = await this.#find(id);
    if (report === undefined) throw new NoSuchReport(id);
    const closed: FactDraft = {
      id: `closed ${id}`,
      type: 'report-closed',
      data: JSON.stringify({ report: id } satisfies ReportClosed),
    };
    const decide = ({ open }: KnownReports): readonly FactDraft[] =>
      open.get(report.by)?.includes(id) ? [closed] : [];
    await this.#streams.execute(REPORTS_STREAM, decide, { actor: 'server' });
    await this.store.erase(REPORTS_STREAM, id, NOTHING_TOLD);
    await this.#letGo();
  }

  /** Lets what is settled go from the log where that is much. */
  async #letGo(): Promise<void> {
    const { open, first = 0, last } = (await this.#streams.load(REPORTS_STREAM)).state;
    const kept = Math.min(last, ...[...open.values()].map(([oldest = last]) => oldest));
    if (kept - Math.max(first, this.#begin) < MOST_SETTLED) return;
    await this.store.truncate(REPORTS_STREAM, kept);
    this.#begin = kept;
  }

  async #find(id: number): Promise<Pick<ContentReported, 'by'> | undefined> {
    if (!Number.isSafeInteger(id) || id < 0) return undefined;
    for await (const fact of this.store.readStream(REPORTS_STREAM, { from: id, limit: 1 }))
      return fact.type === 'content-reported' ? (JSON.parse(fact.data) as ContentReported) : undefined;
    return undefined;
  }
}

function checkOpen({ open }: KnownReports, by: UserId): void {
  if ((open.get(by)?.length ?? 0) < MOST_OPEN) return;
  throw new MatrixError('M_LIMIT_EXCEEDED', 'Your earlier reports have to be looked at first');
}

function evolveReports({ open, first }: KnownReports, fact: NewFact, revision: number): KnownReports {
  return { open: openAfter(open, fact, revision), first: first ?? revision, last: revision };
}

function openAfter(open: KnownReports['open'], { type, data }: NewFact, revision: number): KnownReports['open'] {
  if (type === 'content-reported') {
    const { by, told } = JSON.parse(data) as ContentReported;
    return told === null ? open : new Map(open).set(by, [...(open.get(by) ?? []), revision]);
  }
  const { report } = JSON.parse(data) as ReportClosed;
  const left = [...open].map(([by, ids]) => [by, ids.filter((id) => id !== report)] as const);
  return new Map(left.filter(([, ids]) => ids.length > 0));
}

/** All reports in a log, the first one first. */
export async function listReports(store: Pick<EventStore, 'readStream'>): Promise<Report[]> {
  const reports = new Map<number, Report>();
  for await (const fact of store.readStream(REPORTS_STREAM)) foldReport(reports, fact);
  return [...reports.values()];
}

/** Takes a fact of the stream into what is known of the reports. */
function foldReport(reports: Map<number, Report>, { type, data, revision, metadata }: RecordedFact): void {
  if (type === 'content-reported') {
    const { by, thing, told } = JSON.parse(data) as ContentReported; // what is appended under this type has this shape
    const { salt: _, ...rest } = told ?? { salt: '', reason: '' };
    const isClosed = told === null;
    reports.set(revision, { id: revision, at: metadata.at, by, thing, told: isClosed ? undefined : rest, isClosed });
  } else {
    const { report } = JSON.parse(data) as ReportClosed;
    const closed = reports.get(report);
    if (closed !== undefined) reports.set(report, { ...closed, told: undefined, isClosed: true });
  }
}
