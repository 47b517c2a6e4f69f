/** How many requests at once, and how many a second in the long run. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}
