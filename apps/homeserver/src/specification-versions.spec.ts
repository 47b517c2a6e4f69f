import 'reflect-metadata';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VERSIONS } from '#accounts/doors/today/server-info.controller';
import { listRoutes } from '../test/list-routes.js';

const ROOT = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/specification-versions.md', ROOT), 'utf8');

interface Row {
  readonly version: string;
  readonly change: string;
  readonly tests: readonly string[];
}

/** The rows of the tables, each under the heading of its version. */
function rowsOf(text: string): Row[] {
  return text.split(/^## /m).flatMap((section) => {
    const [version = '', ...lines] = section.split('\n');
    const rows = lines.filter((line) => line.startsWith('| ') && !/^\| (change|-)/.test(line));
    return rows.map((line) => {
      const [, change = '', , shown = ''] = line.split(/(?<!\\)\|/);
      return { version, change: change.trim(), tests: [...shown.matchAll(/`([^`]+)`/g)].map(([, file]) => file!) };
    });
  });
}

describe('docs/specification-versions.md', () => {
  test('has rows for each version that is listed from v1.11 on, and for no other', () => {
    const recent = VERSIONS.slice(VERSIONS.indexOf('v1.11'));
    expect([...new Set(rowsOf(page).map(({ version }) => version))]).toEqual(recent);
  });

  test('has a test for each change', () => {
    const rows = rowsOf(page);
    expect(rows.length).toBeGreaterThan(60);
    const isTest = (file: string): boolean => file.endsWith('.spec.ts');
    expect(rows.filter(({ tests }) => tests.length === 0 || !tests.every(isTest))).toEqual([]);
  });

  test('names only files that are there', () => {
    const files = [...page.matchAll(/`((?:apps|libs|test)\/[^`]+)`/g)].map(([, file]) => file!);
    expect(files.filter((file) => !existsSync(new URL(file, ROOT)))).toEqual([]);
  });
});

/** Of a policy server; and what is served by the kinds of queries that there are. */
const NOT_OURS: ReadonlySet<string> = new Set([
  'GET /.well-known/matrix/policy_server',
  'POST /_matrix/policy/v1/sign',
  'GET /_matrix/federation/v1/query/{queryType}',
]);

/** A route whatever its parameters are called. */
const nameless = (route: string): string => route.replaceAll(/:\w+|\{\w+\}|\*/g, '{}').replace(/\/$/, '');

test('every path that v1.19 has for clients, for other servers and of identity servers is served', () => {
  const list = readFileSync(new URL('../test/specification-endpoints.txt', import.meta.url), 'utf8');
  const wanted = list.trim().split('\n');
  expect(wanted.length).toBeGreaterThan(220);
  const served = new Set(listRoutes().map(({ method, path }) => nameless(`${method} /${path.replace(/^\//, '')}`)));
  expect(wanted.filter((route) => !NOT_OURS.has(route) && !served.has(nameless(route)))).toEqual([]);
});
