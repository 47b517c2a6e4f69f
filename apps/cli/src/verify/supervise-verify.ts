import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Position } from '#kernel/position';
import type { LogFinding, Place } from './finding.js';
import { decodePlace, type VerifyMessage, type VerifyTask } from './messages.js';
import type { Resume, VerifiedLog } from './verify-log.js';

/** What came of a verification. */
export interface Verification {
  readonly findings: number;
  readonly log: VerifiedLog | undefined;
  /** Server -> signatures under keys that are not known here. */
  readonly unverifiable: Readonly<Record<string, number>>;
  /** Set where it could not be done, for a reason that says nothing about what is in the log. */
  readonly failure?: string;
  /** Whether that is because the log is another server's. */
  readonly isRefused?: boolean;
}

export interface SuperviseOptions {
  readonly task: Omit<VerifyTask, 'resume'>;
  /** Told of each finding once, when it is certain. */
  readonly onFinding: (finding: LogFinding) => void;
  /** `of`: facts to pass in all, streams and global order together; undefined where nobody knows. */
  readonly onProgress: (done: number, of: number | undefined, stream: string | undefined) => void;
  /** Told where the log ends, as soon as it is open. */
  readonly onHead?: (head: Position) => void;
  readonly signal?: AbortSignal;
  /** How long the process may be silent before it counts as stuck. */
  readonly stuckAfterMs?: number;
  /** The program to run: tests give their own. */
  readonly program?: string;
}

const PROGRAM = fileURLToPath(new URL('./verify-process.js', import.meta.url));
const STUCK_AFTER_MS = 30_000;
/** A log this broken needs no longer list. A reader that is stuck costs time, and counts as several that crashed. */
const MOST_DEATHS = 20;
const STUCK_COUNTS = 6;
const MOST_PLACE_BYTES = 16_384;
/** These say something about this process or the machine, not about the log. */
const NOT_THE_LOG = new Set(['EACCES', 'EPERM', 'EMFILE', 'ENOMEM', 'ENOSPC', 'EROFS', 'EAGAIN']);

/**
 * Verifies a log in a process of its own and survives its death: a stream that kills the reader is read again fact by fact,
 * named as a finding, and left out; the others are verified all the same.
 */
export async function superviseVerify(options: SuperviseOptions): Promise<Verification> {
  let resume: Resume | undefined;
  let findings = 0;
  let log: VerifiedLog | undefined;
  const unverifiable: Record<string, number> = {};
  const report = (finding: LogFinding): void => {
    findings++;
    options.onFinding(finding);
  };
  for (let deaths = 0; ;) {
    const run = await runOnce(options, resume, report);
    for (const [server, count] of Object.entries(run.unverifiable)) {
      unverifiable[server] = (unverifiable[server] ?? 0) + count;
    }
    log ??= run.log;
    if (options.signal?.aborted === true) return { findings, log, unverifiable, failure: 'interrupted' };
    const next =
      run.place === undefined || run.death === undefined ? undefined : afterDeath(run.death, run.place, resume);
    if (next?.isReadAgain !== true) for (const finding of run.held) report(finding);
    if (run.failure !== undefined) {
      return { findings, log, unverifiable, failure: run.failure, isRefused: run.isRefused };
    }
    if (next?.finding !== undefined) report(next.finding);
    if (next?.resume === undefined) return { findings, log, unverifiable };
    deaths += run.isStuck ? STUCK_COUNTS : 1;
    if (deaths >= MOST_DEATHS) {
      report({ problem: 'reading this log ended the reader again and again: the rest was not verified' });
      return { findings, log, unverifiable };
    }
    resume = resume?.withoutKeys === true ? { ...next.resume, withoutKeys: true } : next.resume;
  }
}

/** What to do once reading has ended the reader. */
export interface AfterDeath {
  readonly finding?: LogFinding;
  /** Where to go on; absent where there is nothing left to verify. */
  readonly resume?: Resume;
  /** What was being read is read once more: what was found in it will be found again. */
  readonly isReadAgain: boolean;
}

/** Decides it by where the reader was, and how it was reading. */
function afterDeath(death: string, place: Place, resume: Resume | undefined): AfterDeath {
  switch (place.phase) {
    case 'opening':
      return { finding: { problem: `opening the log ${death}` }, isReadAgain: false };
    case 'keys':
      return { resume: { ...resume, withoutKeys: true }, isReadAgain: true };
    case 'listing': {
      const behind = place.after ?? resume?.stream ?? 'the beginning';
      const finding = { problem: `listing the streams behind ${behind} ${death}` };
      return { finding, resume: { orderOnly: true }, isReadAgain: false };
    }
    case 'stream': {
      const { stream, revision } = place;
      const wasCareful = resume?.stream === stream && resume.how === 'carefully';
      if (!wasCareful) return { resume: { stream, how: 'carefully' }, isReadAgain: true };
      const finding = { stream, revision, problem: `reading it ${death}; the rest of the stream was not verified` };
      return { finding, resume: { stream, how: 'leave-out' }, isReadAgain: false };
    }
    case 'order': {
      if (resume?.orderOnly !== true) return { resume: { orderOnly: true }, isReadAgain: true };
      const finding = { problem: `reading the global order behind position ${place.position} ${death}` };
      return { finding, isReadAgain: false };
    }
  }
}

interface Run {
  readonly log?: VerifiedLog;
  readonly unverifiable: Readonly<Record<string, number>>;
  readonly failure?: string;
  readonly isRefused?: boolean;
  /** How the process ended, where it did so before its time: "crashed the reader (SIGSEGV)". */
  readonly death?: string;
  readonly isStuck: boolean;
  /** Findings in what was being read when it ended. */
  readonly held: readonly LogFinding[];
  readonly place: Place | undefined;
}

async function runOnce(
  options: SuperviseOptions,
  resume: Resume | undefined,
  report: (f: LogFinding) => void,
): Promise<Run> {
  const place = openPlace();
  try {
    const child = fork(options.program ?? PROGRAM, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', place.descriptor],
      execArgv: [],
      serialization: 'json',
    });
    const heard = listen(child, options, report);
    child.send({ ...options.task, resume } satisfies VerifyTask, () => {});
    const end = await heard;
    const kept = place.read();
    if (kept !== undefined || end.death === undefined) return { ...end, place: kept };
    return { ...end, failure: `the process that reads the log did not start: ${end.death}`, place: kept };
  } finally {
    place.close();
  }
}

/** Follows one process to its end. */
function listen(
  child: ChildProcess,
  { onProgress, onHead, signal, stuckAfterMs = STUCK_AFTER_MS }: SuperviseOptions,
  report: (finding: LogFinding) => void,
): Promise<Omit<Run, 'place'>> {
  return new Promise((resolve) => {
    const held: LogFinding[] = [];
    let of: number | undefined;
    let result: Pick<Run, 'log' | 'unverifiable' | 'failure' | 'isRefused'> | undefined;
    let isStuck = false;
    const kill = (): void => void child.kill('SIGKILL');
    const watch = (): NodeJS.Timeout =>
      setTimeout(() => {
        isStuck = true;
        kill();
      }, stuckAfterMs);
    let watchdog = watch();
    signal?.addEventListener('abort', kill, { once: true });
    child.on('message', (raw) => {
      clearTimeout(watchdog);
      watchdog = watch();
      const message = raw as VerifyMessage; // sent by verify-process.ts
      if (message.kind === 'head') {
        of = message.facts === undefined ? undefined : message.facts * 2;
        onHead?.(message.head);
      } else if (message.kind === 'progress') onProgress(message.done, of, message.stream);
      else if (message.kind === 'finding') held.push(message.finding);
      else if (message.kind === 'checkpoint') for (const finding of held.splice(0)) report(finding);
      else result = resultOf(message, held);
    });
    // What was sent may arrive after the process has gone: the channel tells when that was all.
    const hasGone = new Promise<string>((gone) => {
      child.once('exit', (code, killedBy) => gone(`crashed the reader (${killedBy ?? `exit code ${code}`})`));
      child.once('error', (error) => gone(`was not possible: ${error.message}`));
    });
    const hasToldAll = new Promise<void>((told) => {
      if (child.connected) child.once('disconnect', told);
      else told();
    });
    void Promise.all([hasGone, hasToldAll]).then(([death]) => {
      clearTimeout(watchdog);
      signal?.removeEventListener('abort', kill);
      const how = isStuck ? 'took the reader where it never came back from' : death;
      resolve(result === undefined ? { unverifiable: {}, held, death: how, isStuck } : { ...result, held, isStuck });
    });
  });
}

function resultOf(
  message: Extract<VerifyMessage, { kind: 'done' | 'unopened' | 'failed' | 'refused' }>,
  held: LogFinding[],
): Pick<Run, 'log' | 'unverifiable' | 'failure' | 'isRefused'> {
  if (message.kind === 'done') return { log: message.log, unverifiable: message.unverifiable };
  if (message.kind === 'refused') return { unverifiable: {}, failure: message.error, isRefused: true };
  if (message.kind === 'failed') return { unverifiable: {}, failure: message.error };
  const { code, error } = message;
  if (code !== undefined && NOT_THE_LOG.has(code)) return { unverifiable: {}, failure: error };
  held.push({ problem: `the log cannot be opened: ${error}` });
  return { unverifiable: {} };
}

/** A file without a name, in which the process keeps its place. */
function openPlace(): { descriptor: number; read(): Place | undefined; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'annals-verify-'));
  const descriptor = openSync(join(folder, 'place'), 'w+', 0o600);
  rmSync(folder, { recursive: true });
  return {
    descriptor,
    read() {
      const bytes = Buffer.alloc(MOST_PLACE_BYTES);
      return decodePlace(bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, 0)));
    },
    close: () => closeSync(descriptor),
  };
}
