import type { LimitedRequest } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { HtmlPage } from '#http/pages/html-page';
import type { AuthSession, Learnt, Purpose } from './auth-sessions.js';

/** Whose clients ask: today's, or those of 2014 and 2015, whose stages may take several requests. */
export type Dialect = 'today' | 'v1';

/**
 * Where a stage stands in the flows of a purpose: `required` in each of them, before any other; `alternative` as the last of one of its
 * own; `optional` as `alternative`, where there is also a flow without.
 */
export type Standing = 'required' | 'alternative' | 'optional';

/**
 * What came of `auth`: the stage is complete, and this was learnt on the way; or something has begun (a mail was sent, a page is to be
 * visited), and this is what the client is told of it until it comes back.
 */
export type Passage =
  | { readonly isComplete: true; readonly learnt?: Learnt }
  | { readonly isComplete: false; readonly answer: JsonObject };

export const PASSED: Passage = Object.freeze({ isComplete: true });

/** What the page of a stage is to be made for. */
export interface PageContext {
  readonly session: AuthSession;
  /** Where the page is, and its form is posted to: path and query. */
  readonly path: string;
  /** Why the last attempt failed. */
  readonly problem?: string;
  /** Where all of it is begun again; absent where that is the business of an application. */
  readonly again?: string;
  /** What the last attempt began, as `Passage` has it: the same page then asks for what comes next. */
  readonly begun?: JsonObject;
}

/** A page, or where the browser is sent instead. */
export type StageView = { readonly page: HtmlPage } | { readonly redirectTo: string };

/**
 * One way to show something of oneself (client-server API, "Authentication types"; 2015: "Registration and Login"). Each is
 * registered once, with `StageRegistry`, in the constructor of what implements it, wherever that is.
 */
export interface Stage {
  readonly type: string;
  /** Where it stands among those of a flow: smaller ones come first. */
  readonly rank: number;
  /** What it takes, where somebody chooses among whole ways to log in or register (“With …”). Absent: it tells no way from another. */
  readonly way?: string;
  /** Where it stands, as the server is configured; undefined: it is not offered for that. */
  standingIn(purpose: Purpose, dialect: Dialect): Standing | undefined;
  /** Whether this account could pass it, asked where it confirms something of an account's. Absent: all can. */
  isFor?(userId: UserId): Promise<boolean>;
  /** Whether it is passed in a browser, so that clients say no more than that it may be by now: they name their session, and no type. */
  readonly isPassedElsewhere?: true;
  /**
   * Whether a user who has passed it in a browser has done so for the next request of theirs that asks for it: some clients name no session
   * either, but repeat their request until it is let through (matrix-rust-sdk until 0.17, and Element X).
   */
  readonly isOfUser?: true;
  /** Whoever passes it has not shown by that whose account it is: no log-in consists of such stages alone. */
  readonly showsNobody?: true;
  /** In registrations of 2015: who passes it has their account by that, and chooses no password. */
  readonly makesAccount?: true;
  /** What `GET /login` says of it beside its type. */
  about?(): JsonObject;
  /** What clients have to know to pass it, if anything. */
  params?(session: AuthSession): JsonObject | undefined;
  /**
   * Looks at what a client or the stage's page has sent. Throws StageFailed where another attempt may succeed; any other MatrixError
   * is the answer to the request as it is. `asker`: whose request it is, where what it has the stage do is limited.
   */
  pass(auth: JsonObject, session: AuthSession, asker?: LimitedRequest): Promise<Passage>;
  /**
   * The page for clients that do not know the stage: what its form sends is handed to `pass`, all of it text, and passes it. A stage that
   * is completed elsewhere (`InteractiveAuth.completeElsewhere`) sends the browser there.
   */
  view(context: PageContext): StageView | Promise<StageView>;
}
