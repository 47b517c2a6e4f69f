import type { Position } from '#kernel/position';
import type { LogFinding } from './finding.js';
import { type SuperviseOptions, superviseVerify, type Verification } from './supervise-verify.js';
import type { VerifiedLog } from './verify-log.js';

/**
 * Verifies a log with several processes, each with streams of its own: signatures take most of the time, and no stream needs
 * another. All of them end where the log ended for the first.
 */
export async function verifyInParts(options: SuperviseOptions, processes: number): Promise<Verification> {
  if (processes <= 1) return superviseVerify(options);
  let findings = 0;
  const onFinding = onceEach((finding) => {
    findings++;
    options.onFinding(finding);
  });
  const done = Array.from({ length: processes }, () => 0);
  const others: Promise<Verification>[] = [];
  let head: Position | undefined;
  const start = (index: number, onHead?: (at: Position) => void): Promise<Verification> =>
    superviseVerify({
      ...options,
      task: { ...options.task, part: { index, of: processes }, head },
      onFinding,
      onHead,
      onProgress: (passed, of, stream) => {
        done[index] = passed;
        options.onProgress(
          done.reduce((sum, each) => sum + each, 0),
          of,
          stream,
        );
      },
    });
  const first = await start(0, (at) => {
    // Told again where the first process had to be started again.
    if (head !== undefined) return;
    head = at;
    for (let index = 1; index < processes; index++) others.push(start(index));
  });
  const merged = merge([first, ...(await Promise.all(others))]);
  const { log } = merged;
  if (log === undefined || merged.failure !== undefined || !log.isComplete || log.ordered === log.facts) {
    return { ...merged, findings };
  }
  const compared = await superviseVerify({ ...options, onFinding, task: { ...options.task, head, compare: log } });
  return { ...merged, findings, failure: compared.failure };
}

/** What is wrong with the log as a whole is found by every part, and told once. */
function onceEach(report: (finding: LogFinding) => void): (finding: LogFinding) => void {
  const told = new Set<string>();
  return (finding) => {
    if (finding.stream === undefined) {
      if (told.has(finding.problem)) return;
      told.add(finding.problem);
    }
    report(finding);
  };
}

function merge(parts: readonly Verification[]): Omit<Verification, 'findings'> {
  const unverifiable: Record<string, number> = {};
  for (const part of parts) {
    for (const [server, count] of Object.entries(part.unverifiable)) {
      unverifiable[server] = (unverifiable[server] ?? 0) + count;
    }
  }
  return {
    log: mergeLogs(parts.map(({ log }) => log)),
    unverifiable,
    failure: parts.find(({ failure }) => failure !== undefined)?.failure,
    isRefused: parts.some(({ isRefused }) => isRefused === true),
  };
}

function mergeLogs(logs: readonly (VerifiedLog | undefined)[]): VerifiedLog | undefined {
  const known = logs.filter((log) => log !== undefined);
  const [first] = known;
  if (first === undefined) return undefined;
  const sum = (key: 'streams' | 'rooms' | 'facts'): number => known.reduce((total, log) => total + log[key], 0);
  return {
    head: first.head,
    streams: sum('streams'),
    rooms: sum('rooms'),
    facts: sum('facts'),
    ordered: first.ordered,
    isComplete: known.length === logs.length && known.every(({ isComplete }) => isComplete),
  };
}
