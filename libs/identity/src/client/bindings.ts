import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BoundElsewhere, UnbindResult } from '#accounts/threepids/bound-elsewhere';
import { findThreepid, isSameThreepid, type Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { mayAnswerLater, PeerRefused, PeerUnavailable, reasonOf } from '#kernel/peer-errors';
import { signRequest } from '#protocol/signing/sign-request';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { Associations } from '../associations/associations.js';
import { IDENTITY_BASE, IdentityServers } from './identity-servers.js';
import {
  type Binding,
  decideBinding,
  decideBindingEnd,
  foldBinding,
  type KnownBindings,
  listBindings,
  NO_BINDINGS,
} from '../decide/bindings.js';
import { draftIdentityFacts } from '../facts/draft-identity-facts.js';
import { bindingsStream, type IdentityFact } from '../facts/identity-facts.js';

const CAPACITY = 1_000;
const UNBIND = '/3pid/unbind';

/** What a client has from an identity server that it shows an identifier to be its user's by. */
export interface ShownElsewhere {
  readonly token: string;
  readonly sid: string;
  readonly clientSecret: string;
}

/** Where users of this server made identifiers known, so that it can be undone: client-server API, "Adding Account Administrative Contact Information". */
@Injectable()
export class Bindings implements BoundElsewhere {
  readonly #log = new Logger('identity');
  readonly #streams: Aggregates<KnownBindings>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'serverName' | 'identityRole'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    private readonly servers: IdentityServers,
    private readonly own: Associations,
  ) {
    const fold = { initialState: NO_BINDINGS, evolve: foldBinding };
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      ...fold,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Where a user made which identifiers known. */
  async of(userId: UserId): Promise<Binding[]> {
    const { state } = await this.#streams.load(bindingsStream(userId));
    return listBindings(state, {}).map(([, binding]) => binding);
  }

  /**
   * Has an identity server make an identifier known as the user's. That is noted before: where this server ends between the two, or has no answer, or none but that
   * something went wrong there, it is undone with the others, and there may be nothing to undo. Throws what the identity server answers.
   */
  async bind(userId: UserId, server: ServerName, { token, sid, clientSecret }: ShownElsewhere): Promise<void> {
    const { medium, address } = await this.servers.findValidated(server, { sid, clientSecret }, token);
    const of = findThreepid(String(medium), String(address));
    if (of === undefined) throw new PeerUnavailable('The identity server says not what was shown');
    const isNew = await this.#change(userId, (known) => decideBinding(known, randomUUID(), { of, server }));
    const body = { sid, client_secret: clientSecret, mxid: userId };
    try {
      await this.servers.ask(server, { method: 'POST', path: '/3pid/bind', body, token });
    } catch (error) {
      const isRefused = isNew && error instanceof PeerRefused && !mayAnswerLater(error);
      if (isRefused) await this.#change(userId, (known) => decideBindingEnd(known, { of, server }));
      throw error;
    }
  }

  /** As `forget`, and throws what the identity server says against it. */
  async unbind(userId: UserId, of: Threepid, idServer?: unknown): Promise<UnbindResult> {
    const named = idServer === undefined ? undefined : this.servers.parseServer(idServer);
    const bound = await this.#serversWith(userId, of);
    const wanted = named === undefined ? bound : [named];
    for (const server of wanted) await this.#unbindAt(userId, { of, server });
    return wanted.length === 0 ? 'no-support' : 'success';
  }

  async forget(userId: UserId, of: Threepid, idServer?: unknown): Promise<UnbindResult> {
    if (idServer !== undefined && this.servers.findServer(idServer) === undefined) return 'no-support';
    return this.#quietly(() => this.unbind(userId, of, idServer));
  }

  async planForgetting(
    userId: UserId,
    threepids: readonly Threepid[],
    idServer?: unknown,
  ): Promise<() => Promise<UnbindResult>> {
    const named = idServer === undefined ? undefined : this.servers.findServer(idServer);
    const noted = await this.of(userId);
    const isNoted = (of: Threepid, at?: ServerName): boolean =>
      noted.some((one) => isSameThreepid(one.of, of) && (at === undefined || one.server === at));
    const besides: readonly Binding[] =
      named === undefined ? [] : threepids.filter((of) => !isNoted(of, named)).map((of) => ({ of, server: named }));
    const isKnown = idServer === undefined ? threepids.every((of) => isNoted(of)) : named !== undefined;
    // As what was made known through this server: where it ends on the way, or the identity server is away, they are ended with the others (`endAll`).
    for (const binding of besides) await this.#change(userId, (known) => decideBinding(known, randomUUID(), binding));
    return async () => {
      let result: UnbindResult = isKnown ? 'success' : 'no-support';
      for (const binding of [...noted, ...besides]) {
        const one = await this.#quietly(() => this.#unbindAt(userId, binding));
        if (one === 'no-support') result = one;
      }
      return result;
    };
  }

  /**
   * As `planForgetting`, of a closed account: answers whether there was any. What a server refuses for good nobody asks again, and it is no more noted. Who may answer
   * otherwise later is put among `away`, and asked nothing where it is among them already.
   */
  async endAll(userId: UserId, away: Set<ServerName>): Promise<boolean> {
    const known = await this.of(userId);
    for (const binding of known) {
      if (away.has(binding.server)) continue;
      try {
        await this.#unbindAt(userId, binding);
      } catch (error) {
        if (mayAnswerLater(error)) away.add(binding.server);
        else if (error instanceof PeerRefused) await this.#change(userId, (noted) => decideBindingEnd(noted, binding));
        else throw error;
        this.#log.warn({ reason: reasonOf(error) }, 'an identity server knows an identifier of a closed account still');
      }
    }
    return known.length > 0;
  }

  async #serversWith(userId: UserId, of: Threepid): Promise<ServerName[]> {
    const { state } = await this.#streams.load(bindingsStream(userId));
    return listBindings(state, { of }).map(([, { server }]) => server);
  }

  /** Signed: identity service API, `POST /3pid/unbind`. Of itself this server needs not ask anything. */
  async #unbindAt(userId: UserId, { of, server }: Binding): Promise<UnbindResult> {
    const { serverName, identityRole } = this.config;
    if (server === serverName && identityRole !== undefined) await this.own.unbind(of, userId);
    else {
      const content = {
        mxid: userId,
        threepid: { medium: of.medium, address: of.address },
      };
      const uri = `${IDENTITY_BASE}${UNBIND}`;
      const request = {
        method: 'POST',
        uri,
        origin: serverName,
        destination: server,
        content,
      };
      const { authorization } = signRequest(request, this.key);
      await this.servers.ask(server, {
        method: 'POST',
        path: UNBIND,
        body: content,
        authorization,
      });
    }
    await this.#change(userId, (known) => decideBindingEnd(known, { of, server }));
    return 'success';
  }

  async #quietly(unbind: () => Promise<UnbindResult>): Promise<UnbindResult> {
    try {
      return await unbind();
    } catch (error) {
      if (!(error instanceof PeerRefused) && !(error instanceof PeerUnavailable)) throw error;
      this.#log.warn({ reason: reasonOf(error) }, 'an identity server knows an identifier still');
      return 'no-support';
    }
  }

  /** Answers whether anything changed. */
  async #change(userId: UserId, decide: (known: KnownBindings) => IdentityFact[]): Promise<boolean> {
    const draft = (known: KnownBindings) => draftIdentityFacts(decide(known));
    return (await this.#streams.execute(bindingsStream(userId), draft, { actor: userId })).facts.length > 0;
  }
}
