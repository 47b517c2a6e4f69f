import 'reflect-metadata';
import { expect, test } from 'vitest';
import { listRoutes, type Route } from '../test/list-routes.js';

const PREFIX = /^\/?_matrix\/(client\/(?:api\/v1|v2_alpha|r0|v4|v3|v1|unstable)|[a-z]+)(?=\/|$)/;

/** `npx vitest run apps/homeserver/src/api-table.spec.ts -u` writes the page anew. */
test('docs/api.md names every path that the server serves, and no other', async () => {
  const routes = listRoutes();
  expect(routes.length).toBeGreaterThan(100);
  await expect(pageOf(routes)).toMatchFileSnapshot('../../../docs/api.md');
});

function pageOf(routes: readonly Route[]): string {
  const rows = new Map<string, { route: Route; rest: string; prefixes: Set<string> }>();
  for (const route of routes) {
    const [whole = '', prefix = ''] = PREFIX.exec(route.path) ?? [];
    const rest = route.path.slice(whole.length) || '/';
    const key = `${rest} ${route.method} ${route.door}`;
    const row = rows.get(key) ?? { route, rest, prefixes: new Set<string>() };
    rows.set(key, row);
    row.prefixes.add(prefix);
  }
  const lines = [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { route, rest, prefixes }]) => {
      const under = [...prefixes].toSorted().map((prefix) => (prefix === '' ? '' : `\`/_matrix/${prefix}\``));
      return `| ${route.method} | \`${rest}\` | ${under.join(', ')} | ${route.door} |`;
    });
  return `# What the server answers

Every path, made from the code itself: a test holds this page to it. Paths are given behind their prefixes. Every other path
is answered with 404 \`M_UNRECOGNIZED\`, a known path with another method with 405 \`M_UNRECOGNIZED\`.

\`/_matrix/client/api/v1\` is the API of 2014 and 2015; \`r0\` and \`v3\` are today's, with the same answers. What a path takes and
answers is the specification's; where we differ the code says \`NOTSPEC\`.

| method | path | prefixes | door |
| --- | --- | --- | --- |
${lines.join('\n')}
`;
}
