import {
  MongoClientClosedError,
  MongoError,
  MongoErrorLabel,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerClosedError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  type TopologyDescription,
} from 'mongodb';
import { ViewsUnavailable } from '../read-model-errors.js';

/** What a server says that is ending, starting, or no longer the primary: see the list in the specification of the driver. */
const ENDING = new Set([91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436]);

/** What is thrown while the client is closed, and is connected again soon (`renewed-client.ts`). */
const CLOSED = [MongoClientClosedError, MongoNotConnectedError, MongoServerClosedError, MongoTopologyClosedError];

/** What it says to what is asked wrongly: BadValue, FailedToParse, TypeMismatch, CommandNotFound, BSONObjectTooLarge. */
const ASKED_WRONGLY = new Set([2, 9, 14, 59, 10_334]);

/** Why no server of a database takes writes; undefined where one does. */
export function whyUnreachable({ servers }: TopologyDescription): string | undefined {
  const all = [...servers.values()];
  if (all.some(({ isWritable }) => isWritable)) return undefined;
  const failed = all.find(({ error }) => error !== null);
  if (failed?.error) return wordsOf(failed.error);
  return all.some(({ type }) => type !== 'Unknown') ? 'no member of it takes writes' : 'it says nothing';
}

/** Whether an operation may succeed as soon as the database can be reached again. */
export function isAway(error: unknown): error is Error {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (CLOSED.some((kind) => error instanceof kind)) return true;
  if (isOfSocket(error)) return true;
  if (!(error instanceof MongoError)) return false;
  return ENDING.has(Number(error.code)) || error.hasErrorLabel(MongoErrorLabel.RetryableWriteError);
}

/** Whether a database that is there does not do what it does at other times: one that is locked, or has too much to do. */
export function isRefusal(error: unknown): error is MongoError {
  if (isAway(error)) return false;
  if (!(error instanceof MongoError) || error instanceof MongoInvalidArgumentError) return false;
  return !ASKED_WRONGLY.has(Number(error.code));
}

/** Whether a socket says it: the driver hands that on as it is. One that the other side has ended names no system call. */
function isOfSocket(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return 'syscall' in error || ('code' in error && /^EPIPE$|^ERR_STREAM_/.test(String(error.code)));
}

/** The message of an error, with that of its cause where it has none: a refused connection says so there alone. */
export function wordsOf(error: Error): string {
  if (error.message !== '') return error.message;
  return error.cause instanceof Error ? wordsOf(error.cause) : error.name;
}

/** What the work answers; throws ViewsUnavailable where it has not within the time. The work is left to itself then. */
export async function unlessSilent<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const late = new ViewsUnavailable(`no answer within ${milliseconds / 1000} seconds`);
    timer = setTimeout(() => reject(late), milliseconds);
  });
  return Promise.race([work, silence]).finally(() => clearTimeout(timer));
}
