import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Injection token of the Metrics. */
export const METRICS = Symbol.for('annals.Metrics');

/** From a cached read to a long poll. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The labels of a number, and the number. */
export type LabelledNumber = readonly [labels: Readonly<Record<string, string>>, value: number];

let ofProcess: Registry | undefined;

/** What a Node process tells of itself: once for all Metrics, for what it begins to watch (each collection of garbage) it watches as long as it lives. */
function processRegistry(): Registry {
  if (ofProcess === undefined) collectDefaultMetrics({ register: (ofProcess = new Registry()) });
  return ofProcess;
}

/** What this process counts. Each process has one; tests may have many. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Histogram({
    name: 'annals_http_request_duration_seconds',
    help: 'Time from a request to its answer, by route',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [this.#registry],
  });
  // PERF: looking up the series of three labels costs more than counting in it.
  readonly #series = new Map<string, { observe(value: number): void }>();
  readonly #facts = new Counter({
    name: 'annals_facts_appended_total',
    help: 'Facts that this process appended to the log',
    registers: [this.#registry],
  });
  readonly #failedAppends = new Counter({
    name: 'annals_appends_failed_total',
    help: 'Appends that failed for another reason than a conflict',
    registers: [this.#registry],
  });

  readonly #process = processRegistry();

  /** Counts an answered request. `route` is a template; unknown paths are all one. */
  observeRequest(method: string, route: string, status: number, milliseconds: number): void {
    const key = `${method} ${route} ${status}`;
    let series = this.#series.get(key);
    if (series === undefined)
      this.#series.set(key, (series = this.#requests.labels(method, route || 'unknown', String(status))));
    series.observe(milliseconds / 1000);
  }

  countFacts(count: number): void {
    this.#facts.inc(count);
  }

  countFailedAppend(): void {
    this.#failedAppends.inc();
  }

  /** A number that is looked up whenever the metrics are asked for. */
  addGauge(name: string, help: string, read: () => number | Promise<number>): void {
    this.#register(name, help, [], async (gauge) => gauge.set(await read()));
  }

  /** A number with labels. What `read` no longer mentions is gone. */
  addGauges(
    name: string,
    help: string,
    labels: readonly string[],
    read: () => Promise<Iterable<LabelledNumber>>,
  ): void {
    this.#register(name, help, labels, async (gauge) => {
      const numbers = await read();
      gauge.reset();
      for (const [values, number] of numbers) gauge.set({ ...values }, number);
    });
  }

  /** Numbers with labels that only grow, counted elsewhere. */
  addCounters(
    name: string,
    help: string,
    labels: readonly string[],
    read: () => Promise<Iterable<LabelledNumber>>,
  ): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect: async () => {
        const numbers = await read();
        counter.reset();
        for (const [values, number] of numbers) counter.inc({ ...values }, number);
      },
    });
  }

  #register(name: string, help: string, labels: readonly string[], collect: (gauge: Gauge) => Promise<void>): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect: () => collect(gauge),
    });
  }

  /** All of it in the text format of Prometheus, and its content type. */
  async expose(): Promise<{ text: string; contentType: string }> {
    const texts = await Promise.all([this.#registry.metrics(), this.#process.metrics()]);
    return { text: texts.join(''), contentType: this.#registry.contentType };
  }
}
