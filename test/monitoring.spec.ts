import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { Homeserver } from './support/homeserver.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const read = (path: string): string => readFileSync(new URL(`../contrib/${path}`, import.meta.url), 'utf8');

/** The metrics that an expression of Prometheus names, without the endings of a histogram's series. */
function metricsOf(expressions: readonly string[]): Set<string> {
  const names = expressions.join(' ').match(/\b(annals|nodejs|process)_[a-z0-9_]+/g) ?? [];
  return new Set(names.map((name) => name.replace(/_duration_seconds_(bucket|count|sum)$/, '_duration_seconds')));
}

describe('what watches a server', () => {
  let server: Homeserver;
  let exposed: Set<string>;
  let text: string;

  beforeAll(async () => {
    server = await Homeserver.start();
    await server.request('GET', '/health');
    ({ text } = await server.request('GET', '/metrics'));
    exposed = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? ''));
  });
  afterAll(() => server.remove());

  it('draws only metrics that a server has, in a dashboard that Grafana can read', () => {
    const dashboard = JSON.parse(read('grafana/annals.json')) as {
      readonly panels: readonly { readonly id: number; readonly targets?: readonly { readonly expr: string }[] }[];
    };
    const expressions = dashboard.panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    expect([...metricsOf(expressions)].filter((name) => !exposed.has(name))).toEqual([]);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('knows of every cache how full it is, what was found in it and what gave way', () => {
    const numbersOf = (metric: string): Map<string | undefined, number> =>
      new Map([...text.matchAll(new RegExp(`^${metric}{cache="(.*?)"} (.*)$`, 'gm'))].map((m) => [m[1], Number(m[2])]));
    const capacity = numbersOf('annals_cache_capacity');
    const names = ['known-tokens', 'lazy-members', 'push-contexts', 'recent-redactions', 'rooms', 'sync-filters'];
    expect([...capacity.keys()]).toEqual(
      expect.arrayContaining([...names, 'stream-heads', 'timeline-ends', 'unread-counts']),
    );
    for (const metric of ['entries', 'hits_total', 'misses_total', 'evictions_total']) {
      expect([...numbersOf(`annals_cache_${metric}`).keys()]).toEqual([...capacity.keys()]);
    }
    expect(Math.min(...capacity.values())).toBeGreaterThan(0);
  });

  it('gives alarm only by metrics that a server has', () => {
    const { groups } = parse(read('prometheus/annals.rules.yml')) as {
      readonly groups: readonly { readonly rules: readonly { readonly alert?: string; readonly expr: string }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.filter(({ alert }) => alert !== undefined).length).toBeGreaterThan(5);
    expect([...metricsOf(rules.map(({ expr }) => expr))].filter((name) => !exposed.has(name))).toEqual([]);
  });
});
