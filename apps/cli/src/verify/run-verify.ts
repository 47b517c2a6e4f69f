import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Config } from '#config/config';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { type Installation, LOG_FILE, logDirectory } from '../installation.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, counted, duration } from '../terminal/units.js';
import { describeFinding, type LogFinding } from './finding.js';
import { publicKeysOf, readKeyFiles } from './own-keys.js';
import type { SuperviseOptions, Verification } from './supervise-verify.js';
import { verifyInParts } from './verify-in-parts.js';

export interface RunVerifyOptions {
  readonly json: boolean;
  readonly signal?: AbortSignal;
  /** For tests. */
  readonly program?: string;
  readonly stuckAfterMs?: number;
}

/** How many findings of one stream are shown to people; the rest is counted. */
const SHOWN_PER_STREAM = 20;

/** Verifies the whole log of an installation and tells what is wrong with it. */
export async function runVerify(
  { config }: Installation,
  terminal: Terminal,
  options: RunVerifyOptions,
): Promise<ExitCode> {
  const files = readKeyFiles(config.dataDir);
  for (const { path, error } of files) if (error !== undefined) terminal.note(`${path}: ${error}`);
  const keys = publicKeysOf(config.serverName, files);
  const writer = options.json ? jsonWriter(terminal) : textWriter(terminal);
  const progress = new Progress(terminal, 'verify');
  const supervised: SuperviseOptions = {
    task: { log: logOf(config), keys, server: config.isServerNameDefault ? undefined : config.serverName },
    onFinding: (finding) => writer.finding(finding),
    onProgress: (done, of, about) => progress.show({ done, of, about }),
    signal: options.signal,
    program: options.program,
    stuckAfterMs: options.stuckAfterMs,
  };
  const verification = await verifyInParts(supervised, processesFor(config));
  const seconds = progress.finish();
  if (options.signal?.aborted === true) throw new CliFailure('interrupted', EXIT.interrupted);
  if (verification.isRefused === true) throw new CliFailure(verification.failure ?? '', EXIT.config);
  await writer.summary(verification, seconds);
  if (verification.failure !== undefined) {
    throw new CliFailure(`the log could not be verified: ${verification.failure}`);
  }
  return verification.findings === 0 ? EXIT.ok : EXIT.found;
}

function logOf(config: Config): SuperviseOptions['task']['log'] {
  if (config.eventStoreUrl !== undefined) return { url: config.eventStoreUrl, namespace: config.eventStoreNamespace };
  return { directory: logDirectory(config) };
}

/** Starting a process costs as much as some thousand facts. */
const WORTH_SHARING_BYTES = 16 * 1024 ** 2;
const MOST_PROCESSES = 8;

/** One process each for the cores there are, where the log is ours and large enough. */
function processesFor({ eventStoreUrl, dataDir }: Config): number {
  if (eventStoreUrl !== undefined) return 1;
  const { size } = statSync(join(dataDir, 'log', LOG_FILE));
  return size < WORTH_SHARING_BYTES ? 1 : Math.min(availableParallelism(), MOST_PROCESSES);
}

interface Writer {
  finding(finding: LogFinding): void;
  /** Settles when all has been written. */
  summary(verification: Verification, seconds: number): Promise<void>;
}

function jsonWriter(terminal: Terminal): Writer {
  let last = Promise.resolve();
  const write = (object: object): void => {
    last = last.then(() => terminal.line(JSON.stringify(object)));
  };
  return {
    finding: (finding) => write({ kind: 'finding', ...finding }),
    summary({ findings, log, unverifiable, failure }, seconds) {
      write({
        kind: 'summary',
        ok: findings === 0 && failure === undefined,
        findings,
        head: log?.head,
        streams: log?.streams,
        rooms: log?.rooms,
        facts: log?.facts,
        unverifiable,
        seconds,
        failure,
      });
      return last;
    },
  };
}

function textWriter(terminal: Terminal): Writer {
  let last = Promise.resolve();
  const write = (text: string): void => {
    last = last.then(() => terminal.line(text));
  };
  let stream: string | undefined;
  let hidden = 0;
  let shown = 0;
  const startStream = (next: string | undefined): void => {
    if (hidden > 0) write(`${stream}: ${counted(hidden, 'more problem')} not shown (--json shows all)`);
    stream = next;
    hidden = 0;
    shown = 0;
  };
  return {
    finding(finding) {
      if (finding.stream !== stream) startStream(finding.stream);
      if (stream !== undefined && ++shown > SHOWN_PER_STREAM) hidden++;
      else write(describeFinding(finding));
    },
    summary(verification, seconds) {
      startStream(undefined);
      for (const line of summaryLines(verification, seconds)) write(line);
      return last;
    },
  };
}

/** What was done and what came of it, in a few lines. */
function summaryLines({ findings, log, unverifiable }: Verification, seconds: number): string[] {
  const lines: string[] = [];
  if (log !== undefined) {
    const { facts, streams, rooms, head } = log;
    const speed = `${count(facts / Math.max(seconds, 0.001))} facts a second`;
    const where = `${counted(streams, 'stream')}, ${counted(rooms, 'room')} among them`;
    lines.push(`${counted(facts, 'fact')} in ${where}, up to position ${head}: ${duration(seconds)}, ${speed}`);
  }
  for (const [server, signatures] of Object.entries(unverifiable)) {
    lines.push(`not checked: ${counted(signatures, 'signature')} of ${server}, by keys that are not known here`);
  }
  lines.push(findings === 0 ? 'the log is what was written' : `${counted(findings, 'problem')} found`);
  return lines;
}
