import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import type { RateLimitClass } from '#config/rate-limits';
import { ServerGuard } from '#federation/doors/from-server';
import { DOOR_RULES, type DoorRules } from '#http/door-guard';
import { AppModule } from '../src/app.module.js';
import type { Ports } from '../src/ports.module.js';

export interface Route {
  readonly method: string;
  readonly path: string;
  readonly door: string;
  /** By which class of requests it is limited; undefined where it is not. */
  readonly limit: RateLimitClass | undefined;
}

/** Where administration is, by Synapse's paths, by the specification's and by our own. */
const ADMINISTRATION = /^\/(_synapse\/admin|_matrix\/client\/[^/]+\/(dev\.annals\.)?admin)\//;
/** For whoever knows the shared secret, and what everybody is told of themselves. */
const FOR_OTHERS_TOO = /\/(v1\/register|whois\/:userId)$/;

/** Whether a route is for who administers the server, and for nobody else. */
export const isForAdmins = ({ path }: Pick<Route, 'path'>): boolean =>
  ADMINISTRATION.test(path) && !FOR_OTHERS_TOO.test(path);

/** Every route of the server, read from the decorators of its controllers. */
export function listRoutes(): Route[] {
  return controllersOf(AppModule.of({} as Ports)).flatMap(routesOf);
}

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
            limit: limitOf(controller, handler),
          });
        }
      }
    }
  }
  return routes;
}

/** What the guard of the doors goes by; whatever another server has signed the other guard counts. */
function limitOf(controller: Type, handler: object): RateLimitClass | undefined {
  const holders = [handler, controller];
  const isOfServers = holders.some((holder) => guardsOf(holder).includes(ServerGuard));
  if (isOfServers) return 'federation';
  return holders
    .map((holder) => (Reflect.getMetadata(DOOR_RULES, holder) as DoorRules | undefined)?.limit)
    .find(Boolean);
}

const guardsOf = (holder: object): readonly unknown[] =>
  (Reflect.getMetadata(GUARDS_METADATA, holder) as readonly unknown[] | undefined) ?? [];

function texts(value: unknown): string[] {
  return Array.isArray(value) ? (value as string[]) : [String(value)];
}
