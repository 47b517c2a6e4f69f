import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
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

/** What users reported: kept in the log with its content, for it may be redacted before anybody looks, until an operator is done with it. */
@Injectable()
export class Reports {
  /** Nothing is needed to decide but where the stream ends. */
  readonly #streams: Aggregates<null>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: 1,
      initialState: null,
      evolve: () => null,
      newestOnly: true,
    });
  }

  async add(by: UserId, thing: ReportedThing, told: ToldReport, cause: Cause): Promise<void> {
    await this.#streams.execute(REPORTS_STREAM, () => [reportDraft(by, thing, told)], cause);
  }

  /**
   * An operator is done with a report: what was told with it goes from the log. Throws NoSuchReport. Where the process ended in its midst,
   * closing it again ends that.
   */
  async close(id: number): Promise<void> {
    const report = (await listReports(this.store)).find((one) => one.id === id);
    if (report === undefined) throw new NoSuchReport(id);
    if (!report.isClosed) {
      const data = JSON.stringify({ report: id } satisfies ReportClosed);
      const closed = { id: `closed ${id}`, type: 'report-closed', data };
      await this.#streams.execute(REPORTS_STREAM, () => [closed], { actor: 'server' });
    }
    await this.store.erase(REPORTS_STREAM, id, NOTHING_TOLD);
  }
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
