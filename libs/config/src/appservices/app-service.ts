import { hash } from 'node:crypto';
import { type RoomAlias, type RoomId, serverNameOf, type UserId } from '#kernel/ids';

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

/** An application service, as its registration file has it (application service API, "Registration"). */
export interface AppService extends AppServiceParts {
  /** The sha256 of the token by which it shows who it is. */
  readonly tokenHash: string;
  /** The token by which this server shows itself to the service. */
  readonly hsToken: string;
  /** Whether it may act as a user: its sender, and who of this server lies in its namespaces. */
  hasUser(userId: UserId): boolean;
  /** Whether what it does as a user of its own is counted: "The sender is excluded" (application service API, "Registration", `rate_limited`). */
  isLimitedAs(userId: UserId): boolean;
  hasAlias(alias: RoomAlias): boolean;
  hasRoom(roomId: RoomId): boolean;
  /** Whether nobody else may register a user id, or act or log in by the token of another service as that user. */
  ownsUser(userId: UserId): boolean;
  /** Whether nobody else may make or delete an alias. */
  ownsAlias(alias: RoomAlias): boolean;
}

/** None of its tokens is the value of a key of it, so that it can be logged. */
export function createAppService(
  parts: AppServiceParts,
  { asToken, hsToken }: { readonly asToken: string; readonly hsToken: string },
): AppService {
  const { sender, namespaces } = parts;
  const serverName = serverNameOf(sender);
  const service: Omit<AppService, 'hsToken'> = {
    ...parts,
    tokenHash: hashToken(asToken),
    hasUser: (userId) => userId === sender || (serverNameOf(userId) === serverName && lies(namespaces.users, userId)),
    isLimitedAs: (userId) => parts.isRateLimited && userId !== sender,
    hasAlias: (alias) => lies(namespaces.aliases, alias),
    hasRoom: (roomId) => lies(namespaces.rooms, roomId),
    ownsUser: (userId) => userId === sender || lies(namespaces.users.filter(isExclusive), userId),
    ownsAlias: (alias) => lies(namespaces.aliases.filter(isExclusive), alias),
  };
  return Object.freeze(Object.defineProperty(service, 'hsToken', { get: () => hsToken }) as AppService);
}

/** The form in which tokens of services are compared. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

const isExclusive = ({ exclusive }: Namespace): boolean => exclusive;
const lies = (namespaces: readonly Namespace[], id: string): boolean =>
  namespaces.some(({ pattern }) => pattern.test(id));
