import { Inject, Injectable } from '@nestjs/common';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { jsonOf, ServiceClient, ServiceUnreachable } from '../asking/service-client.js';
import { instanceIdOf } from './instance-id.js';

/** What is looked for on third-party networks: users or places of theirs, or of ours. */
export type Looked = 'user' | 'location';

const WITHIN_MS = 10_000;
const APP = '/_matrix/app/v1/thirdparty';
const DRAFT = '/_matrix/app/unstable/thirdparty';
/** How many protocols of services are remembered; what they say of them changes with their configuration. */
const CAPACITY = 200;
const REMEMBERED_MS = 600_000;
/** For how long a service is not asked again that said nothing of a protocol. */
const FAILED_MS = 30_000;
/** What each thing that was found names of ours. */
const NAMES: Readonly<Record<Looked, string>> = { user: 'userid', location: 'alias' };

interface KnownProtocol {
  /** What is said of it, or will be; undefined where that is nothing. */
  readonly protocol: Promise<JsonObject | undefined>;
  readonly until: number;
}

/** Asks application services of the networks that they bridge (application service API, "Third-party networks"). */
@Injectable()
export class AskNetworks {
  readonly #known = new LruCache<string, KnownProtocol>(CAPACITY);

  constructor(
    private readonly services: AppServices,
    private readonly client: ServiceClient,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {
    services.onReplaced(() => this.#known.clear());
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** All protocols that services say something of, by their names. */
  async listProtocols(): Promise<JsonObject> {
    const names = [...new Set(this.services.all.flatMap(({ protocols }) => protocols))];
    const found = await Promise.all(names.map(async (name) => [name, await this.findProtocol(name)] as const));
    return Object.fromEntries(found.filter((entry): entry is [string, JsonObject] => entry[1] !== undefined));
  }

  /** What services say of a protocol, with the instances of all that have it; undefined where none does. */
  async findProtocol(name: string): Promise<JsonObject | undefined> {
    const told = await Promise.all(this.#withProtocol(name).map((service) => this.#askProtocol(service, name)));
    const [first, ...others] = told.filter((one) => one !== undefined);
    if (first === undefined) return undefined;
    return { ...first, instances: [first, ...others].flatMap(instancesOf) };
  }

  /** What all services that have a protocol, or where none is named all services, find by some fields: empty where there is nothing. */
  async look(looked: Looked, protocol: string | undefined, query: string): Promise<JsonValue[]> {
    const services = protocol === undefined ? this.services.all : this.#withProtocol(protocol);
    const rest = protocol === undefined ? `/${looked}` : `/${looked}/${encodeURIComponent(protocol)}`;
    const found = await Promise.all(services.map((service) => this.#ask(service, rest, query)));
    return found.flatMap((list) =>
      Array.isArray(list) ? (list as JsonValue[]).filter((one) => isFound(one, looked)) : [],
    );
  }

  /** Whether any service has the protocol. */
  has(protocol: string): boolean {
    return this.#withProtocol(protocol).length > 0;
  }

  #withProtocol(name: string): AppService[] {
    return this.services.all.filter(({ protocols }) => protocols.includes(name));
  }

  #askProtocol(service: AppService, name: string): Promise<JsonObject | undefined> {
    const key = JSON.stringify([service.id, name]);
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.stopwatch.elapsed()) return known.protocol;
    const protocol = this.#protocolOf(service, name);
    // However many ask meanwhile, the service is asked once.
    const asked = { protocol, until: Infinity };
    this.#known.set(key, asked);
    const settle = (forMs: number): void => {
      // The registrations may have been read anew.
      if (this.#known.get(key) === asked) this.#known.set(key, { protocol, until: this.stopwatch.elapsed() + forMs });
    };
    protocol.then(
      (told) => settle(told === undefined ? FAILED_MS : REMEMBERED_MS),
      () => settle(0),
    );
    return protocol;
  }

  async #protocolOf(service: AppService, name: string): Promise<JsonObject | undefined> {
    const told = await this.#ask(service, `/protocol/${encodeURIComponent(name)}`, '');
    if (!isJsonObject(told)) return undefined;
    return { ...told, instances: instancesOf(told).map((instance) => withId(service, instance)) };
  }

  /** What a service says; undefined where that is nothing. */
  async #ask(service: AppService, rest: string, query: string): Promise<JsonValue | undefined> {
    if (service.url === undefined) return undefined;
    const paths = { path: `${APP}${rest}`, legacyPath: `${DRAFT}${rest}` };
    try {
      const answer = await this.client.ask(service, { method: 'GET', ...paths, query, withinMs: WITHIN_MS });
      return answer.status === 200 ? jsonOf(answer) : undefined;
    } catch (error) {
      if (error instanceof ServiceUnreachable) return undefined;
      throw error;
    }
  }
}

function instancesOf({ instances }: JsonObject): JsonObject[] {
  return Array.isArray(instances) ? (instances as JsonValue[]).filter(isJsonObject) : [];
}

/** "A unique identifier across all instances", by which clients ask for its directory. */
function withId({ id }: AppService, instance: JsonObject): JsonObject {
  const network = instance['network_id'];
  return typeof network === 'string' ? { ...instance, instance_id: instanceIdOf(id, network) } : instance;
}

function isFound(one: JsonValue, looked: Looked): boolean {
  if (!isJsonObject(one)) return false;
  return typeof one['protocol'] === 'string' && typeof one[NAMES[looked]] === 'string' && isJsonObject(one['fields']);
}
