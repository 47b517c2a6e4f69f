/** What the process that copies the views tells: it is there; it has opened their file; all is copied, and on the disk. */
export const COPY_STEPS = ['ready', 'opened', 'copied'] as const;

export type CopyStep = (typeof COPY_STEPS)[number];

/** What it tells besides, with all that it has copied: it goes on. */
export const COPYING = 'copying';

/** What it is told: to open their file, and to copy it. */
export const COPY_NOW = 'copy';

/** What is left free on the disk, at least: the log is written there too. */
export const FREE_BYTES = 64 * 1024 * 1024;
