import 'reflect-metadata';
import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { expect, test } from 'vitest';
import { AppModule } from './app.module.js';
import type { Ports } from './ports.module.js';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly door: string;
}

const PREFIX = /^\/?_matrix\/(client\/(?:api\/v1|v2_alpha|r0|v3|v1|unstable)|[a-z]+)(?=\/|$)/;

/** `npx vitest run apps/homeserver/src/api-table.spec.ts -u` writes the page anew. */
test('docs/api.md names every path that the server serves, and no other', async () => {
  const routes = controllersOf(AppModule.of({} as Ports)).flatMap(routesOf);
  expect(routes.length).toBeGreaterThan(100);
  await expect(pageOf(routes)).toMatchFileSnapshot('../../../docs/api.md');
});

function controllersOf(module: Type | DynamicModule, seen = new Set<unknown>()): Type[] {
  const type = 'module' in module ? module.module : module;
  if (seen.has(type)) return [];
  seen.add(type);
  const listed = (key: 'controllers' | 'imports'): (Type | DynamicModule)[] => [
    ...((Reflect.getMetadata(key, type) as Type[] | undefined) ?? []),
    ...(('module' in module ? (module[key] as Type[] | undefined) : undefined) ?? []),
  ];
  const own = listed('controllers') as Type[];
  return [...own, ...listed('imports').flatMap((one) => controllersOf(one, seen))];
}

function routesOf(controller: Type): Route[] {
  const prefixes = texts(Reflect.getMetadata('path', controller));
  const routes: Route[] = [];
  for (let type: object = controller.prototype; type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const name of Object.getOwnPropertyNames(type)) {
      const handler: unknown = Object.getOwnPropertyDescriptor(type, name)?.value;
      if (name === 'constructor' || typeof handler !== 'function' || Reflect.getMetadata('path', handler) === undefined)
        continue;
      const method = RequestMethod[Reflect.getMetadata('method', handler) as number] ?? '?';
      for (const prefix of prefixes) {
        for (const path of texts(Reflect.getMetadata('path', handler))) {
          routes.push({
            method,
            path: `/${[prefix, path].join('/').split('/').filter(Boolean).join('/')}`,
            door: controller.name,
          });
        }
      }
    }
  }
  return routes;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? (value as string[]) : [String(value)];
}

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
