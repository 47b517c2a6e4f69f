import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isForAdmins, listRoutes, type Route } from '../test/list-routes.js';
import { WholeServer } from '../test/whole-server.js';

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;
const ROUTES = listRoutes().filter(isForAdmins);

/** Of no form at all, of no form that a door of these takes, and none. */
const BODIES = ['{', '{"user_id":1,"locked":"x","devices":1,"rooms":1,"erase":"x","token":1,"uses_allowed":"x"}', ''];

describe('what is for administrators', () => {
  let server: WholeServer;
  let admin: string;
  let alice: string;
  beforeAll(async () => {
    server = await WholeServer.start();
    admin = await server.registerAdmin();
    alice = (await server.register('alice')).token;
  });
  afterAll(() => server.close());

  /** Of whom and what is asked is of no form either. */
  const refusalOf = async ({ method, path }: Route, token: string | undefined, body: string): Promise<string> => {
    const url = path.replace(/:[A-Za-z]+/g, '@');
    const parts = { ...(token === undefined ? {} : { token }), ...(method === 'GET' ? {} : { body }) };
    const { status, text } = await server.request(method, url, parts);
    const { errcode, error } = JSON.parse(text) as Record<string, unknown>;
    return [status, errcode, error].join(' ');
  };

  it('is refused to everybody else before anything of what they ask is looked at', async () => {
    expect(ROUTES.length).toBeGreaterThan(40);
    const otherwise: string[] = [];
    for (const route of ROUTES) {
      for (const body of BODIES) {
        const refusal = await refusalOf(route, alice, body);
        if (refusal !== '403 M_FORBIDDEN You do not administer this server')
          otherwise.push(`${nameOf(route)}: ${refusal}`);
        const unknown = await refusalOf(route, undefined, body);
        if (!unknown.startsWith('401 M_MISSING_TOKEN')) otherwise.push(`${nameOf(route)} by nobody: ${unknown}`);
      }
    }
    expect(otherwise).toEqual([]);
  });

  it('is not refused to administrators so, who are told what is wrong with it', async () => {
    const told = new Set<string>();
    for (const route of ROUTES.filter(({ method }) => method === 'PUT' || method === 'POST')) {
      told.add((await refusalOf(route, admin, '{')).split(' ', 2).join(' '));
    }
    expect([...told]).toEqual(['400 M_NOT_JSON']);
  });
});
