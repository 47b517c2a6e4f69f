import { hash } from 'node:crypto';
import { type RoomAlias, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';

/** Ids of one kind that a service looks after, or wants to hear of. */
export interface Namespace {
  /** Whether nobody else may make what lies in it. */
  readonly exclusive: boolean;
  /** What its ids begin with: nothing says that it has to match to their end. */
  readonly pattern: RegExp;
}

export interface Namespaces {
  readonly users: readonly Namespace[];
  readonly aliases: readonly Namespace[];
  readonly rooms: readonly Namespace[];
}

/** What a registration file says, but for its tokens. */
export interface AppServiceParts {
  readonly id: string;
  /** Where it listens, with no slash at its end; undefined where it wants no traffic. */
  readonly url: string | undefined;
  /** The user that it is by itself. */
  readonly sender: UserId;
  readonly namespaces: Namespaces;
  /** Whether requests are counted that it makes as users other than its sender. */
  readonly isRateLimited: boolean;
  readonly protocols: readonly string[];
  /** Whether it is sent what is in no room's history: receipts, typing, presence, and messages to its users' devices. */
  readonly receivesEphemeral: boolean;
  /** Whether it is told of devices and keys, to encrypt for its users. */
  readonly receivesDevices: boolean;
}

/**
 * An application service, as its registration file has it (application service API, "Registration"). Its tokens are in no key of it, so
 * that it can be logged.
 */
export class AppService implements AppServiceParts {
  readonly id: string;
  readonly url: string | undefined;
  readonly sender: UserId;
  readonly namespaces: Namespaces;
  readonly isRateLimited: boolean;
  readonly protocols: readonly string[];
  readonly receivesEphemeral: boolean;
  readonly receivesDevices: boolean;
  /** The sha256 of the token by which it shows who it is. */
  readonly tokenHash: string;
  readonly #hsToken: string;
  readonly #serverName: ServerName;

  constructor(parts: AppServiceParts, tokens: { readonly asToken: string; readonly hsToken: string }) {
    this.id = parts.id;
    this.url = parts.url;
    this.sender = parts.sender;
    this.namespaces = parts.namespaces;
    this.isRateLimited = parts.isRateLimited;
    this.protocols = parts.protocols;
    this.receivesEphemeral = parts.receivesEphemeral;
    this.receivesDevices = parts.receivesDevices;
    this.tokenHash = hashToken(tokens.asToken);
    this.#hsToken = tokens.hsToken;
    this.#serverName = serverNameOf(parts.sender);
  }

  /** The token by which this server shows itself to the service. */
  get hsToken(): string {
    return this.#hsToken;
  }

  /** Whether it may act as a user: its sender, and who of this server lies in its namespaces. */
  hasUser(userId: UserId): boolean {
    if (userId === this.sender) return true;
    return serverNameOf(userId) === this.#serverName && lies(this.namespaces.users, userId);
  }

  hasAlias(alias: RoomAlias): boolean {
    return lies(this.namespaces.aliases, alias);
  }

  hasRoom(roomId: RoomId): boolean {
    return lies(this.namespaces.rooms, roomId);
  }

  /** Whether nobody else may register a user id, or log in by the token of another service as that user. */
  ownsUser(userId: UserId): boolean {
    return userId === this.sender || lies(this.namespaces.users.filter(isExclusive), userId);
  }

  /** Whether nobody else may make or delete an alias. */
  ownsAlias(alias: RoomAlias): boolean {
    return lies(this.namespaces.aliases.filter(isExclusive), alias);
  }
}

/** The form in which tokens of services are compared. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

const isExclusive = ({ exclusive }: Namespace): boolean => exclusive;
const lies = (namespaces: readonly Namespace[], id: string): boolean =>
  namespaces.some(({ pattern }) => pattern.test(id));
