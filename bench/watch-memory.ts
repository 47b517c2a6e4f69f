import { readFileSync } from 'node:fs';

/** The most that a process took, in MB: looked at ten times a second. `anonymous`: without files that are mapped. */
export function watchMemory(pid: number | 'self' = 'self'): { stop(): { rss: number; anonymous: number } } {
  let rss = 0;
  let anonymous = 0;
  const look = (): void => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const of = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024;
    rss = Math.max(rss, of('VmRSS'));
    anonymous = Math.max(anonymous, of('RssAnon'));
  };
  const timer = setInterval(look, 100);
  return {
    stop() {
      clearInterval(timer);
      return { rss, anonymous };
    },
  };
}
