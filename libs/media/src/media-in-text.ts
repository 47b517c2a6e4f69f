import { findMediaRef, type MediaRef } from './media-id.js';

const URI = /mxc:\/\/[^\s"\\/]{1,255}\/[A-Za-z0-9_-]{1,128}/g;

/** Whether a text may name media. */
export function namesMedia(text: string): boolean {
  return text.includes('mxc://');
}

/** The media that a text names by their URIs, each once: JSON, whatever its keys are, or HTML within that. */
export function mediaIn(text: string): MediaRef[] {
  if (!namesMedia(text)) return [];
  const uris = new Set(text.match(URI) ?? []);
  return [...uris].flatMap((uri) => findMediaRef(uri) ?? []);
}
