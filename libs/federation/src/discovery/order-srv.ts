import type { HostAndPort } from '#http/outgoing/guarded-connector';

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/**
 * SRV records in the order in which they are tried: the lowest priority first, within it by chance, those of more weight rather sooner
 * (RFC 2782, "The format of the SRV RR").
 */
export function orderSrv(records: readonly SrvRecord[], random: () => number = Math.random): HostAndPort[] {
  const ordered: HostAndPort[] = [];
  const left = records.toSorted((a, b) => a.priority - b.priority || a.weight - b.weight);
  while (left.length > 0) {
    const same = left.filter(({ priority }) => priority === left[0]?.priority);
    let drawn = random() * same.reduce((sum, { weight }) => sum + weight, 0);
    const at = Math.max(
      0,
      same.findIndex(({ weight }) => (drawn -= weight) <= 0),
    );
    const [{ name, port }] = left.splice(at, 1) as [SrvRecord]; // there is one at `at`
    ordered.push({ host: name.replace(/\.$/, ''), port });
  }
  return ordered;
}
