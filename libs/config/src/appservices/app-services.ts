import { timingSafeEqual } from 'node:crypto';
import type { RoomAlias, UserId } from '#kernel/ids';
import { type AppService, hashToken } from './app-service.js';

/** The application services of this server. Those of the registration files, which may be read anew while it runs. */
export class AppServices {
  #all: readonly AppService[];
  readonly #onReplaced: (() => void)[] = [];
  readonly #onHeard: ((service: AppService) => void)[] = [];

  constructor(all: readonly AppService[] = []) {
    this.#all = all;
  }

  get all(): readonly AppService[] {
    return this.#all;
  }

  /** Those that were read anew take the place of all before. */
  replace(all: readonly AppService[]): void {
    this.#all = all;
    for (const listener of this.#onReplaced) listener();
  }

  /** `listener` is called whenever they were replaced. */
  onReplaced(listener: () => void): void {
    this.#onReplaced.push(listener);
  }

  /** A service has asked this server something: it is there. */
  hear(service: AppService): void {
    for (const listener of this.#onHeard) listener(service);
  }

  /** `listener` is called whenever a service was heard from. */
  onHeard(listener: (service: AppService) => void): void {
    this.#onHeard.push(listener);
  }

  find(id: string): AppService | undefined {
    return this.#all.find((service) => service.id === id);
  }

  /** Whose token it is. How long that takes says nothing of any token. PERF: costs nothing where there are no services. */
  findByToken(token: string): AppService | undefined {
    if (this.#all.length === 0) return undefined;
    const given = Buffer.from(hashToken(token));
    let found: AppService | undefined;
    for (const service of this.#all) if (timingSafeEqual(given, Buffer.from(service.tokenHash))) found = service;
    return found;
  }

  /** Whether a service may act as a user: in its namespaces, and not kept for another one. Nothing may that is not registered any more. */
  mayActAs(serviceId: string, userId: UserId): boolean {
    return this.find(serviceId)?.hasUser(userId) === true && !this.isUserReserved(userId, serviceId);
  }

  /** Whether a user id is kept for a service, other than the one that asks, whose own sender is always its own. */
  isUserReserved(userId: UserId, askingId?: string): boolean {
    if (askingId !== undefined && this.find(askingId)?.sender === userId) return false;
    return this.#all.some((service) => service.id !== askingId && service.ownsUser(userId));
  }

  /** Whether an alias is kept for a service, other than the one that asks. */
  isAliasReserved(alias: RoomAlias, askingId?: string): boolean {
    return this.#all.some((service) => service.id !== askingId && service.ownsAlias(alias));
  }
}
