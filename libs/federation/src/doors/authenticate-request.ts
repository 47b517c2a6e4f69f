import { Inject, Injectable } from '@nestjs/common';
import { RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { decodeBase64 } from '#protocol/signing/base64';
import type { ServerKey } from '#rooms/server-keys';
import { KeyRing } from '../keys/key-ring.js';
import { OwnKeys } from '../keys/own-keys.js';
import { FederatedServers } from '../peers/federated-servers.js';
import { Peers } from '../peers/peers.js';
import { parseXMatrix, textToSign, type ServerRequest, type XMatrix } from '#protocol/signing/signed-request';

/** A request as it came. */
export interface CameRequest extends Pick<ServerRequest, 'method' | 'uri'> {
  /** Parses the body, and answers it as canonical JSON: for a server that can be known at all. */
  readonly readContent: () => Promise<string | undefined>;
  /** All headers `Authorization`, in their order. */
  readonly authorization: readonly string[];
  /** Where it came from: an address. */
  readonly from: string;
}

/** A signature, and the key that it should hold under. */
interface CheckableSignature extends Pick<XMatrix, 'keyId' | 'signature'> {
  readonly known: ServerKey;
}

/** So long before it ends a key is asked for again. */
const RENEWED_MS = 3600_000;
/** A server signs with one key, or two while it changes them. */
const MOST_SIGNATURES = 4;

/** Who of the other servers a request is from: server-server API, "Request Authentication". */
@Injectable()
export class AuthenticateRequest {
  constructor(
    private readonly own: OwnKeys,
    private readonly keys: KeyRing,
    private readonly limits: RateLimits,
    private readonly servers: FederatedServers,
    private readonly peers: Peers,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The server that signed the request, for us, with a key that is valid now; asked for where it is not known. Throws M_UNAUTHORIZED,
   * with status 400 for a header that is none, as where it names no server;
   * M_FORBIDDEN where the operator does not let this one speak to it; M_LIMIT_EXCEEDED where the server, or an address with servers that
   * nobody knows, asks too often; and what `readContent` throws.
   */
  async originOf({ method, uri, readContent, authorization, from }: CameRequest): Promise<ServerName> {
    const signatures = this.#read(authorization);
    const [{ origin, destination }] = signatures;
    const checkable = await this.#findKeys(signatures, from);
    if (checkable.length === 0) refuse(`The keys of ${origin} cannot be had, or it has none of this name`);
    const to = destination === undefined ? undefined : this.own.serverName;
    const text = textToSign({ method, uri, origin, destination: to }, await readContent());
    for (const { keyId, signature, known } of checkable) {
      const bytes = decodeBase64(signature);
      const holds = bytes !== undefined && (await known.key.verifyAside(text, bytes));
      if (!holds) refuse(`The signature with ${keyId} does not hold`);
      this.#renew(origin, known);
    }
    this.peers.heardFrom(origin);
    this.limits.check('federation', origin);
    return origin;
  }

  /** At least one, all of one server. */
  #read(headers: readonly string[]): readonly [XMatrix, ...XMatrix[]] {
    const [first, ...others] = headers.map(parseXMatrix).filter((one) => one !== undefined);
    if (first === undefined) refuse('A header "Authorization: X-Matrix" is required');
    const all = [first, ...others.slice(0, MOST_SIGNATURES - 1)];
    for (const one of all) {
      if (one === 'malformed' || first === 'malformed') throw unreadable();
      if (one.origin !== first.origin || one.destination !== first.destination) refuse('Signed for several servers');
    }
    const signatures = all as [XMatrix, ...XMatrix[]];
    const { origin, destination } = signatures[0];
    if (destination !== undefined && destination !== this.own.serverName) refuse('This request is for another server');
    if (origin === this.own.serverName) refuse('This is the server itself');
    if (!this.servers.allows(origin)) throw new MatrixError('M_FORBIDDEN', 'This server does not speak to yours');
    return signatures;
  }

  /** Those of the signatures whose keys are valid now, once these were asked for where none is known. */
  async #findKeys(signatures: readonly [XMatrix, ...XMatrix[]], from: string): Promise<CheckableSignature[]> {
    const [{ origin }] = signatures;
    const find = (): CheckableSignature[] =>
      signatures.flatMap(({ keyId, signature }) => {
        const known = this.#findValid(origin, keyId);
        return known === undefined ? [] : [{ keyId, signature, known }];
      });
    if (find().length === 0) await this.keys.load([origin]);
    if (find().length === 0) {
      this.limits.check('unknown-server', from);
      const validAt = this.clock.now();
      await this.keys.fetch(signatures.map(({ keyId }) => ({ serverName: origin, keyId, validAt })));
    }
    return find();
  }

  /** Old keys are good for events alone ("Publishing Keys"). */
  #findValid(origin: ServerName, keyId: string): ServerKey | undefined {
    const known = this.keys.find(origin, keyId);
    return known !== undefined && !known.isOld && known.validUntil >= this.clock.now() ? known : undefined;
  }

  /** Before it ends, so that no request waits for it, and none is refused where its keys cannot be had for a while. */
  #renew(origin: ServerName, { validUntil }: ServerKey): void {
    // An outage of the log is told where the log is watched.
    if (validUntil < this.clock.now() + RENEWED_MS) void this.keys.askServers([origin]).catch(() => {});
  }
}

/** Signing it again would not help. */
function unreadable(): MatrixError {
  return new MatrixError('M_UNAUTHORIZED', 'The header "Authorization" cannot be read', { status: 400 });
}

function refuse(reason: string): never {
  throw new MatrixError('M_UNAUTHORIZED', reason);
}
